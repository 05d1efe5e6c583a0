"""Objects that exist: find for reading, change metadata, delete. New data is `app.uploads` and `app.copies`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from synnefo_archipelago import Root
from synnefo_common.db import UnitOfWork
from synnefo_object.app import archives, object_versions, segments, versions
from synnefo_object.app.access import READ, WRITE, Caller
from synnefo_object.app.pithos import sharing
from synnefo_object.app.services import Services
from synnefo_object.app.stored import Stored
from synnefo_object.db import counters, objects
from synnefo_object.domain import metadata
from synnefo_object.domain.conditions import not_modified
from synnefo_object.domain.errors import SwiftFault, bad_request, not_found
from synnefo_object.domain.kinds import DLO, PLAIN, SLO, SYMLINK
from synnefo_object.domain.limits import MAX_SYMLINKS
from synnefo_object.domain.paths import Target, split_container_object


async def place(svc: Services, target: Target) -> Any:
    """The row of `objects.find`, or None without the container."""
    async with svc.db.read() as uow:
        return await objects.find(uow, target.project_id or "", target.container, target.object)


async def load(
    svc: Services,
    caller: Caller,
    target: Target,
    *,
    raw: bool = False,
    follow: bool = True,
    only_static: bool = False,
    static: str = "",
    head: bool = False,
    version: str | None = None,
) -> Stored:
    """The object as a GET shows it. `raw`: a manifest itself, not its segments; `follow`: symlinks, or `only_static` ones.

    `static` is the ETag that a static link to it names; `version` the id of the version that is wanted.

    Raises 401, 403, 404, 409.
    """
    hops = 0
    first = target
    pointed: dict[str, str] = {}
    shown: str | None = None
    while True:
        row = await (place(svc, target) if version is None or hops else object_versions.find(svc, caller, target, version))
        await caller.require(READ, target, row.container_headers if row is not None else None)
        if row is not None and not hops and version is None and object_versions.is_kept(row.container_headers):
            shown = object_versions.NULL
        if row is None or row.root is None or (row.delete_at is not None and row.delete_at <= svc.now_s()):
            raise SwiftFault(404, headers=pointed | ({object_versions.HEADER: shown} if shown else {}))
        stored = Stored.from_row(row, target.object)
        if not hops:
            shown = version or (stored.version_id if shown else None)
            if version is None and stored.versioned:
                stored.content_location = f"{target.url_path}?version-id={stored.version_id}"
        link = orjson.loads(stored.extra or "{}") if stored.kind == SYMLINK else {}
        etag = link.get("etag") or stored.etag
        if static and static != etag:
            raise SwiftFault(409, f"Object Etag {etag!r} does not match X-Symlink-Target-Etag header {static!r}", headers=pointed)
        if not (link and follow) or (only_static and not link.get("etag")):
            break
        static = link.get("etag", "")
        hops += 1
        if hops > MAX_SYMLINKS:
            raise SwiftFault(409, f"Too many levels of symbolic links, maximum allowed is {MAX_SYMLINKS}")
        target = Target(link["account"], link["container"], link["object"])
        pointed = {"Content-Location": target.url_path}
    if target is not first:
        stored.content_location = target.url_path
        if shown and version is None:  # Swift tells the version behind the link, if it is of this container
            is_here = (target.account, target.container) == (first.account, first.container)
            shown = stored.version_id if is_here else object_versions.NULL
    stored.shown_version = shown
    if stored.kind == DLO and not raw:
        await segments.expand_dlo(svc, caller, target, stored)
    elif stored.kind == SLO and not raw:
        await segments.expand_slo(svc, caller, target, stored, head=head)
    await identify(svc, stored)
    return stored


async def identify(svc: Services, stored: Stored) -> None:
    """Fill in the hash and the UUID of what was written before objects had them."""
    if stored.uuid is None:
        stored.uuid = sharing.stored_uuid(stored.container_id, stored.name)
    if stored.hash is None:
        stored.hash = await svc.stores.of(stored.pool).merkle(Root.from_bytes(bytes(stored.root)))


async def update(svc: Services, caller: Caller, target: Target, headers: Mapping[str, str]) -> None:
    """POST: replace the metadata; the content type stays unless it is given. Raises 307 for a symlink, whose own it was then."""
    row = await place(svc, target)
    await caller.require(WRITE, target, row.container_headers if row is not None else None)
    if "x-symlink-target" in headers:
        raise bad_request("A PUT request is required to set a symlink target")
    kept = metadata.object_headers(headers)
    expires = None if "x-remove-delete-at" in headers else metadata.delete_at(headers, now_s=svc.now_s())
    if row is None or row.root is None:
        raise not_found()
    stored = Stored.from_row(row, target.object)
    if stored.is_expired(svc.now_s()):
        raise not_found()
    kept |= {name: value for name, value in stored.headers.items() if name.startswith(metadata.HIDDEN)}
    now_us = svc.clock.now_us()
    values: dict[str, Any] = {"headers": orjson.dumps(kept).decode(), "modified_us": now_us, "delete_at": expires}
    content_type = headers.get("content-type")
    if content_type:
        values["content_type"] = clean_content_type(content_type)
    if stored.kind in (PLAIN, DLO):
        manifest = read_manifest_header(headers)
        values |= {"kind": DLO if manifest else PLAIN, "extra": manifest}

    async def work(uow: UnitOfWork) -> bool:
        return await objects.set_metadata(uow, stored.container_id, target.object, created_us=stored.created_us, **values)

    if not await svc.db.run(work):
        # The data was replaced or deleted meanwhile. The one who did that was later: this POST came first and is gone.
        raise SwiftFault(409)
    if stored.kind == SYMLINK:
        link = orjson.loads(stored.extra or "{}")
        to = {"Location": Target(link["account"], link["container"], link["object"]).url_path}
        to |= {"X-Symlink-Target-Etag": link["etag"]} if link.get("etag") else {}
        raise SwiftFault(307, "The requested POST was applied to a symlink. POST directly to the target.", headers=to)


def clean_content_type(value: str) -> str:
    """Without the parameter that Swift keeps for itself. Raises 400."""
    if not metadata.is_clean(value):
        raise bad_request("Content-Type must be valid UTF-8")
    kept = [part for part in value.split(";") if not part.strip().lower().startswith("swift_bytes=")]
    return ";".join(kept).strip() or "application/octet-stream"


def read_manifest_header(headers: Mapping[str, str]) -> str | None:
    """X-Object-Manifest as it was sent, checked. Raises 400."""
    value = headers.get("x-object-manifest")
    if not value:
        return None
    from urllib.parse import unquote

    container, slash, prefix = unquote(value).lstrip("/").partition("/")
    if not (container and slash and prefix) or "?" in value or "&" in value or not metadata.is_clean(value) or "\x00" in unquote(value):
        raise bad_request("X-Object-Manifest must be in the format container/prefix")
    return value.lstrip("/")


async def delete(svc: Services, caller: Caller, target: Target, headers: Mapping[str, str]) -> int | None:
    """The id of the marker that stands for it now, if versions are kept. Sharing an object lets nobody delete it.

    Raises 404 if there is nothing, 412 if a condition fails.
    """
    row = await place(svc, target)
    await caller.require(WRITE, target, row.container_headers if row is not None else None, shared=False)
    only_at = metadata.if_delete_at(headers)
    if row is None:
        raise not_found()
    if only_at is not None and row.delete_at != only_at:
        raise SwiftFault(412, "X-If-Delete-At and X-Delete-At do not match")
    gone = row.root is None or (row.delete_at is not None and row.delete_at <= svc.now_s())
    if not gone and not_modified(headers, etag=row.etag, modified_us=row.modified_us):
        raise SwiftFault(412)
    mode = archives.mode_of(row.container_headers)
    if mode is not None and await archives.on_delete(svc, target, row, mode):
        return None
    keeping = versions.keeping(row.container_headers)
    if keeping is not versions.Keeping.NEVER:

        async def supersede(uow: UnitOfWork) -> versions.Deleted:
            return await versions.delete(uow, svc, row, target.object, keeping, by=caller.user_id)

        deleted = await svc.db.run(supersede)
        if not deleted or gone:
            raise SwiftFault(404, headers={object_versions.HEADER: str(deleted.marker_us)} if deleted.marker_us else {})
        return deleted.marker_us
    if row.root is None:
        raise not_found()

    async def work(uow: UnitOfWork) -> int | None:
        size = await objects.remove(uow, row.container_id, target.object)
        if size is not None:
            await counters.add(
                uow,
                account_id=row.account_id,
                container_id=row.container_id,
                objects=-1,
                bytes_=-size,
                now_us=svc.clock.now_us(),
            )
        return size

    if await svc.db.run(work) is None or gone:
        raise not_found()
    return None


def resolve_link(target: Target, value: str, account: str | None) -> Target:
    """Where X-Symlink-Target points. Raises 412."""
    from urllib.parse import unquote

    container, name = split_container_object(unquote(value), "X-Symlink-Target")
    return Target(account or target.account, container, name)
