"""Where new data goes and under which conditions, and plain data as Pithos takes it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from synnefo_common.db import UnitOfWork
from synnefo_object.app import objects, quotas, uploads
from synnefo_object.app.access import WRITE, Caller
from synnefo_object.app.pithos import sharing
from synnefo_object.app.services import Services
from synnefo_object.app.uploads import Changed, Uploaded
from synnefo_object.domain.conditions import etags
from synnefo_object.domain.errors import SwiftFault, not_found
from synnefo_object.domain.kinds import DLO, PLAIN
from synnefo_object.domain.limits import MAX_FILE_SIZE
from synnefo_object.domain.metadata import check_length
from synnefo_object.domain.paths import Target, check_object_name

Also = Callable[[UnitOfWork, int], Awaitable[None]]


async def find_place(svc: Services, caller: Caller, target: Target, headers: Mapping[str, str]) -> tuple[Any, int | None]:
    """The place of new data, and what must still be there when it is put, if the request has conditions.

    Raises 401, 403, 404, 412.
    """
    check_object_name(target.object)
    row = await objects.place(svc, target)
    await caller.require(WRITE, target, row.container_headers if row is not None else None)
    if row is None:
        raise not_found()
    return row, check_conditions(headers, row, now_s=svc.now_s())


async def find_object(svc: Services, caller: Caller, target: Target, headers: Mapping[str, str]) -> Any:
    """The object to change. Raises 401, 403, 404, 412."""
    row, _ = await find_place(svc, caller, target, {})
    if row.root is None or (row.delete_at is not None and row.delete_at <= svc.now_s()):
        raise not_found()
    check_conditions(headers, row, now_s=svc.now_s())
    return row


def check_conditions(headers: Mapping[str, str], row: Any, *, now_s: int) -> int | None:
    """If-Match and If-None-Match by either of an object's hashes. The time of the data that they were true of (0: none).

    Raises 412.
    """
    match, none_match = headers.get("if-match"), headers.get("if-none-match")
    if match is None and none_match is None:
        return None
    present = row.root is not None and (row.delete_at is None or row.delete_at > now_s)
    tags = {row.etag, row.hash, "*"} if present else set()
    if match is not None and not tags & etags(match):
        raise SwiftFault(412)
    if none_match is not None and tags & etags(none_match):
        raise SwiftFault(412)
    return int(row.created_us) if row.root is not None else 0


def with_sharing(svc: Services, place: Any, name: str, *, modes: Mapping[str, int] | None, public: bool | None) -> Also | None:
    """What the transaction that makes the object does beside."""
    if modes is None and public is None:
        return None

    async def also(uow: UnitOfWork, _stored_us: int) -> None:
        if modes is not None:
            await sharing.set_sharing(uow, place.container_id, name, modes)
        if public is not None:
            await sharing.set_public(uow, svc, place.container_id, name, is_public=public)

    return also


async def put_data(
    svc: Services, caller: Caller, target: Target, headers: Mapping[str, str], body: AsyncIterator[bytes], *,
    place: Any, expected_us: int | None, content_type: str, kept: Mapping[str, str], manifest: str | None, expires: int | None, also: Also | None,
) -> Uploaded:  # fmt: skip
    """A body becomes an object. Raises 411, 412, 413, 422, 499."""
    length = check_length(headers)
    replaced = place.size if place.root is not None else None
    most = await quotas.room(svc, caller, target, place, replaced=replaced)
    if length is not None and length > most:
        raise SwiftFault(413, "Upload exceeds quota." if most < MAX_FILE_SIZE else None)
    root, etag = await uploads.receive(svc, body, length=length, most=most, pool=place.policy)
    uploads.check_etag(headers, etag)
    try:
        async with quotas.reserve(svc, caller, quotas.payer(target, place), root.size) as reservation:
            return await uploads.keep(
                svc,
                place,
                target,
                caller=caller,
                root=root,
                etag=etag,
                content_type=content_type,
                kept=dict(kept),
                expires=expires,
                kind=DLO if manifest else PLAIN,
                extra=manifest,
                reservation=reservation,
                expected_us=expected_us,
                also=also,
            )
    except Changed:
        raise SwiftFault(412) from None


async def set_sharing(svc: Services, caller: Caller, target: Target, row: Any, *, modes: Mapping[str, int] | None, public: bool | None) -> None:
    """Share or publish an object that is there. Raises 403 for all but the owner."""
    await caller.learn(target)
    caller.require_owner(target)
    also = with_sharing(svc, row, target.object, modes=modes, public=public)

    async def work(uow: UnitOfWork) -> None:
        if also is not None:
            await also(uow, 0)

    await svc.db.run(work)
