"""Changing an object in place: new bytes over old ones, at the end, from another object; cutting it. A new version each time.

Whole blocks are not copied. Writers that meet do not undo each other: who is overtaken does it again on what is there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from synnefo_archipelago import Range, Root
from synnefo_object.app import quotas, uploads, versions
from synnefo_object.app.access import Caller
from synnefo_object.app.pithos import history
from synnefo_object.app.services import Services
from synnefo_object.app.uploads import Changed, Uploaded
from synnefo_object.domain.errors import SwiftFault, bad_request
from synnefo_object.domain.kinds import MULTIPART, PLAIN
from synnefo_object.domain.paths import Target
from synnefo_object.domain.pithos import MAX_SIZE, UpdateRange

_ATTEMPTS = 50


async def update(
    svc: Services,
    caller: Caller,
    target: Target,
    *,
    find: Callable[[], Any],
    data: Root,
    wanted: UpdateRange,
    cut_to: int | None,
    headers: Callable[[dict[str, str]], dict[str, str]],
    also: Callable[..., Any] | None,
    newer_than_us: int = 0,
) -> Uploaded:
    """Put `data`, of the container's pool, where `wanted` says. `find` reads the object anew and checks the request's conditions.

    Raises 403 for a snapshot, 416 beyond the end or for a size that is not the object's.
    """
    for _ in range(_ATTEMPTS):
        row = await find()
        if row.kind not in (PLAIN, MULTIPART):
            raise bad_request("A manifest or a link has no data of its own to update.")
        store = svc.stores.of(row.policy)
        old = await svc.stores.bring(await history.own_root(svc, row), row.pool, row.policy)
        root = await store.compose(_ranges(old, data, wanted, cut_to))
        growth = max(0, root.size - old.size)
        if root.size > await quotas.room(svc, caller, target, row, replaced=row.size, most=MAX_SIZE):
            raise SwiftFault(413, "Upload exceeds quota.")
        added = root.size if versions.keeping(row.container_headers) is versions.Keeping.ENABLED else growth
        try:
            async with quotas.reserve(svc, caller, quotas.payer(target, row), added) as reservation:
                return await uploads.keep(
                    svc,
                    row,
                    target,
                    caller=caller,
                    root=root,
                    etag=await store.merkle(root) or "",
                    content_type=row.content_type,
                    kept=headers(orjson.loads(row.headers)),
                    expires=row.delete_at,
                    reservation=reservation,
                    newer_than_us=max(newer_than_us, row.created_us),
                    expected_us=row.created_us,
                    also=also,
                )
        except Changed:
            pass
        await svc.clock.sleep(svc.ids.random() * 0.02)
    raise SwiftFault(503, headers={"Retry-After": "1"})


def _ranges(old: Root, data: Root, wanted: UpdateRange, cut_to: int | None) -> list[Range]:
    offset = old.size if wanted.offset is None else wanted.offset
    end = offset + data.size
    if offset > old.size:
        raise SwiftFault(416, "Supplied offset is beyond object limits")
    if wanted.total is not None and (wanted.total != old.size or end > old.size):
        raise SwiftFault(416, "Supplied range will change provided object limits")
    parts = [Range(old, 0, offset), Range(data, 0, data.size), Range(old, min(end, old.size), max(0, old.size - end))]
    if cut_to is None:
        return parts
    kept, left = [], cut_to
    for part in parts:
        kept.append(part._replace(length=min(part.length, left)))
        left -= kept[-1].length
    return kept


async def set_metadata(
    svc: Services,
    caller: Caller,
    target: Target,
    *,
    find: Callable[[], Any],
    headers: Callable[[dict[str, str]], dict[str, str]],
    manifest: Callable[[Any], tuple[int, str | None]],
    also: Callable[..., Any] | None,
) -> Uploaded:
    """New metadata for the same data: a new version, too."""
    for _ in range(_ATTEMPTS):
        row = await find()
        root = Root.from_bytes(bytes(row.root))
        kind, extra = manifest(row)
        keeps = versions.keeping(row.container_headers) is versions.Keeping.ENABLED
        try:
            async with quotas.reserve(svc, caller, quotas.payer(target, row), row.size if keeps else 0) as reservation:
                return await uploads.keep(
                    svc,
                    row,
                    target,
                    caller=caller,
                    root=root,
                    pool=row.pool,
                    size=row.size,
                    etag=row.etag,
                    content_type=row.content_type,
                    kept=headers(orjson.loads(row.headers)),
                    expires=row.delete_at,
                    kind=kind,
                    extra=extra,
                    reservation=reservation,
                    newer_than_us=row.created_us,
                    expected_us=row.created_us,
                    also=also,
                )
        except Changed:
            pass
        await svc.clock.sleep(svc.ids.random() * 0.02)
    raise SwiftFault(503, headers={"Retry-After": "1"})
