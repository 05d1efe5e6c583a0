"""New data: a body becomes an object. Nothing is seen before all of it is durable; what is torn leaves nothing."""

from __future__ import annotations

import mimetypes
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy.exc import IntegrityError

from synnefo_archipelago import Root
from synnefo_common.crashpoint import crashpoint
from synnefo_common.db import UnitOfWork
from synnefo_object.app import archives, quotas, versions
from synnefo_object.app.access import WRITE, Caller
from synnefo_object.app.objects import clean_content_type, place, read_manifest_header
from synnefo_object.app.pithos import sharing
from synnefo_object.app.services import Services
from synnefo_object.db import counters, objects
from synnefo_object.domain import metadata
from synnefo_object.domain.errors import SwiftFault, bad_request, not_found
from synnefo_object.domain.kinds import DLO, PLAIN
from synnefo_object.domain.limits import MAX_FILE_SIZE
from synnefo_object.domain.paths import Target, check_object_name

_ATTEMPTS = 5
"""Transactions tried when others make the same object at the same moment."""


@dataclass(frozen=True, slots=True)
class Uploaded:
    etag: str
    modified_us: int
    version_id: str | None = None  # where versions are kept


class Changed(Exception):
    """What was to be replaced is another by now."""


def _uuid(svc: Services, row: Any, target: Target) -> str:
    """Of new data. An object that had none yet keeps the one that it was shown with."""
    return sharing.stored_uuid(row.container_id, target.object) if row.root is not None and row.uuid is None else svc.ids.uuid()


async def ready(svc: Services, caller: Caller, target: Target, headers: Mapping[str, str]) -> Any:
    """The place of a new object, when the caller may put it there. Raises 401, 403, 404, 412."""
    check_object_name(target.object)
    row = await place(svc, target)
    await caller.require(WRITE, target, row.container_headers if row is not None else None)
    if row is None:
        raise not_found()
    present = row.root is not None and (row.delete_at is None or row.delete_at > svc.now_s())
    none_match, match = headers.get("if-none-match"), headers.get("if-match")
    if none_match is not None:
        if none_match.strip() != "*":
            raise bad_request("If-None-Match only supports *")
        if present:
            raise SwiftFault(412)
    if match is not None and not (present and (match.strip() == "*" or row.etag in {m.strip().strip('"') for m in match.split(",")})):
        raise SwiftFault(412)
    return row


async def put(svc: Services, caller: Caller, target: Target, headers: Mapping[str, str], body: AsyncIterator[bytes]) -> Uploaded:
    """PUT of plain data (and of a DLO's manifest)."""
    row = await ready(svc, caller, target, headers)
    length = metadata.check_length(headers)
    kept = metadata.object_headers(headers)
    expires = metadata.delete_at(headers, now_s=svc.now_s())
    manifest = read_manifest_header(headers)
    content_type = choose_content_type(target.object, headers)
    replaced = row.size if row.root is not None else None
    most = await quotas.room(svc, caller, target, row, replaced=replaced)
    if length is not None and length > most:
        raise SwiftFault(413, "Upload exceeds quota." if most < MAX_FILE_SIZE else None)
    if length is not None:
        async with quotas.reserve(svc, caller, quotas.payer(target, row), length) as reservation:
            root, etag = await receive(svc, body, length=length, most=most, pool=row.policy)
            check_etag(headers, etag)
            return await keep(
                svc,
                row,
                target,
                caller=caller,
                root=root,
                etag=etag,
                content_type=content_type,
                kept=kept,
                expires=expires,
                kind=DLO if manifest else PLAIN,
                extra=manifest,
                reservation=reservation,
                replace="if-none-match" not in headers,
            )
    root, etag = await receive(svc, body, length=None, most=most, pool=row.policy)
    check_etag(headers, etag)
    async with quotas.reserve(svc, caller, quotas.payer(target, row), root.size) as reservation:
        return await keep(
            svc,
            row,
            target,
            caller=caller,
            root=root,
            etag=etag,
            content_type=content_type,
            kept=kept,
            expires=expires,
            kind=DLO if manifest else PLAIN,
            extra=manifest,
            reservation=reservation,
            replace="if-none-match" not in headers,
        )


async def receive(svc: Services, body: AsyncIterator[bytes], *, length: int | None, most: int, pool: str) -> tuple[Root, str]:
    """Stream into a pool: the root and the MD5. Raises 413 when it is too long, 499 when it ends early."""
    async with svc.stores.of(pool).writer(extra_hashes=("md5",)) as writer:
        seen = 0
        async for chunk in body:
            seen += len(chunk)
            if seen > most:
                raise SwiftFault(413, "Upload exceeds quota." if most < MAX_FILE_SIZE else None)
            await writer.write(chunk)
        if length is not None and seen != length:
            raise SwiftFault(499)
        root = await writer.finish()
    crashpoint("object.put.after_bytes")
    return root, writer.hexdigests["md5"]


def check_etag(headers: Mapping[str, str], etag: str) -> None:
    """What the client says the MD5 is. Raises 422."""
    given = headers.get("etag")
    if given and given.strip().strip('"').lower() != etag:
        raise SwiftFault(422)


def choose_content_type(name: str, headers: Mapping[str, str]) -> str:
    """What the client says, else a guess by the name."""
    given = headers.get("content-type")
    detect = headers.get("x-detect-content-type", "").strip().lower() in metadata.TRUE
    if not given or detect:
        return mimetypes.guess_type(name.rsplit("/", 1)[-1])[0] or "application/octet-stream"
    return clean_content_type(given)


async def keep(
    svc: Services,
    row: Any,
    target: Target,
    *,
    caller: Caller,
    root: Root,
    pool: str | None = None,
    size: int | None = None,
    etag: str,
    content_type: str,
    kept: Mapping[str, str],
    expires: int | None,
    kind: int = PLAIN,
    extra: str | None = None,
    reservation: quotas.Reservation | None = None,
    replace: bool = True,
    newer_than_us: int = 0,
    uuid: str | None = None,
    expected_us: int | None = None,
    also: Callable[[UnitOfWork, int], Awaitable[None]] | None = None,
) -> Uploaded:
    """The one place where an object row is made: row, counters and reservation in one transaction.

    `root` lies in the container's pool, unless another is named. `size` is for an object of several roots, of which `root` is the first.

    With `expected_us` only if what is replaced is still the data of that time (0: nothing); raises Changed. `also` does
    more in the same transaction, and gets the time of the new data.
    """
    now_us = max(svc.clock.now_us(), newer_than_us + 1)
    pool = row.policy if pool is None else pool
    values: dict[str, Any] = {
        "container_id": row.container_id,
        "name": target.object,
        "root": root.to_bytes(),
        "pool": pool,
        "size": root.size if size is None else size,
        "etag": etag,
        "content_type": content_type,
        "headers": orjson.dumps(kept).decode(),
        "created_us": now_us,
        "modified_us": now_us,
        "delete_at": expires,
        "kind": kind,
        "extra": extra,
        "uuid": uuid or _uuid(svc, row, target),
        "hash": await svc.stores.of(pool).merkle(root) if size in (None, root.size) else None,
        "modified_by": caller.user_id,
        "versioned": 0,
    }
    mode = archives.mode_of(row.container_headers)
    archive = await archives.place_for(svc, target, mode) if mode is not None and replace else None
    keeping = versions.keeping(row.container_headers)
    gone = row.delete_at is not None and row.delete_at <= svc.now_s()

    async def work(uow: UnitOfWork) -> int:
        if expected_us is not None:
            current = await objects.locked(uow, row.container_id, target.object)
            if (current.created_us if current is not None else 0) != expected_us:
                raise Changed
        stored_us = await store(uow)
        if also is not None:
            await also(uow, stored_us)
        return stored_us

    async def store(uow: UnitOfWork) -> int:
        if keeping is not versions.Keeping.NEVER:
            stored = await versions.put(uow, svc, row, values, keeping, replace=replace)
            if stored is None:
                raise SwiftFault(412)
            if reservation is not None:
                await reservation.accept(uow)
            return int(stored["created_us"])
        if archive is not None:
            await archives.archive(uow, svc, target, row, archive)
        if gone:  # what has expired counts as nothing, also for If-None-Match
            size = await objects.remove_expired(uow, row.container_id, target.object, delete_at=row.delete_at)
            if size is not None:
                await counters.add(
                    uow,
                    account_id=row.account_id,
                    container_id=row.container_id,
                    objects=-1,
                    bytes_=-size,
                    now_us=now_us,
                )
        before = await objects.put(uow, values, replace=replace)
        if before is None:
            raise SwiftFault(412)
        added = (1, values["size"]) if before < 0 else (0, values["size"] - before)
        await counters.add(
            uow,
            account_id=row.account_id,
            container_id=row.container_id,
            objects=added[0],
            bytes_=added[1],
            now_us=now_us,
        )
        if reservation is not None:
            await reservation.accept(uow)
        return now_us

    for _ in range(_ATTEMPTS):
        try:
            stored_us = await svc.db.run(work)
        except versions.Overtaken:
            continue
        except IntegrityError as error:  # the container was deleted meanwhile
            raise not_found() from error
        crashpoint("object.put.after_commit")
        return Uploaded(etag, stored_us, str(stored_us) if keeping is versions.Keeping.ENABLED else None)
    raise SwiftFault(503, headers={"Retry-After": "1"})
