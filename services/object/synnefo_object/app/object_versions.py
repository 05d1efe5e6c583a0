"""One version of an object by its id, as Swift's object versioning has it: find, make current again, delete for good.

What makes versions is `app.versions`; their listing is `app.version_listings`.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from synnefo_common.db import UnitOfWork
from synnefo_object.app import versions
from synnefo_object.app.access import READ, WRITE, Caller
from synnefo_object.app.services import Services
from synnefo_object.db import counters, objects
from synnefo_object.db import versions as kept
from synnefo_object.domain.errors import SwiftFault, bad_request, not_found
from synnefo_object.domain.kinds import MARKER
from synnefo_object.domain.paths import Target

NULL = "null"
HEADER = "X-Object-Version-Id"


def read_id(text: str) -> int | None:
    """The time that a version is named by; None for `null`. -1 for a time that none has. Raises 400."""
    if text == NULL:
        return None
    if text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    try:
        float(text)
    except ValueError:
        raise bad_request("Invalid version parameter") from None
    return -1


def is_kept(container_headers: str) -> bool:
    """True where versions are kept or once were."""
    return versions.keeping(container_headers) is not versions.Keeping.NEVER


def _require_kept(container_headers: str) -> None:
    if not is_kept(container_headers):
        raise bad_request("version-aware operations require that the container is versioned")


async def find(svc: Services, caller: Caller, target: Target, version_id: str) -> Any:
    """The row of `objects.find` with the columns of that version; None without the container.

    Raises 404 with the version's id for a marker. Versions other than `null` are the account's own, whatever the ACL says.
    """
    created_us = read_id(version_id)
    async with svc.db.read() as uow:
        row = await objects.find(uow, target.project_id or "", target.container, target.object)
        await caller.require(READ, target, row.container_headers if row is not None else None)
        if row is None:
            return None
        if created_us is None:
            if row.versioned:
                raise not_found()
            return row
        _require_kept(row.container_headers)
        await caller.learn(target)
        caller.require_reader(target)
        if row.root is not None and row.versioned and row.created_us == created_us:
            version: Any = row
        else:
            version = await kept.find(uow, row.container_id, target.object, created_us)
    if version is None:
        raise not_found()
    if version.kind == MARKER:
        raise SwiftFault(404, headers={HEADER: version_id, "Content-Type": versions.MARKER_TYPE})
    # What is named by its id does not expire: only what is current does.
    return SimpleNamespace(**{**row._mapping, **version._mapping, "delete_at": None})


async def restore(svc: Services, caller: Caller, target: Target, version_id: str) -> dict[str, Any]:
    """PUT: make a version the current one, under its own id. Its columns. Raises 400, 404."""
    created_us = read_id(version_id)
    if created_us is None:
        raise bad_request("Invalid version parameter")
    row = await _place(svc, target)
    await caller.require(WRITE, target, row.container_headers if row is not None else None)
    if row is None:
        raise not_found()
    _require_kept(row.container_headers)
    mode = versions.keeping(row.container_headers)

    async def work(uow: UnitOfWork) -> dict[str, Any]:
        return await versions.restore(uow, row, target.object, created_us, mode, now_us=svc.clock.now_us())

    for _ in range(5):
        try:
            return await svc.db.run(work)
        except versions.Overtaken:
            continue
    raise SwiftFault(503, headers={"Retry-After": "1"})


async def delete(svc: Services, caller: Caller, target: Target, version_id: str) -> str:
    """DELETE of one version for good; the id of what is current then, or `null`. Raises 404.

    When the current version goes, none takes its place.
    """
    created_us = read_id(version_id)
    assert created_us is not None
    row = await _place(svc, target)
    await caller.require(WRITE, target, row.container_headers if row is not None else None)
    if row is None:
        raise not_found()
    _require_kept(row.container_headers)
    await caller.learn(target)
    caller.require_writer(target)

    async def work(uow: UnitOfWork) -> str:
        current = await objects.locked(uow, row.container_id, target.object)
        if current is not None and current.versioned and current.created_us == created_us:
            await objects.remove(uow, row.container_id, target.object)
            counts = {"account_id": row.account_id, "container_id": row.container_id, "now_us": svc.clock.now_us()}
            await counters.add(uow, objects=-1, bytes_=-current.size, **counts)
            return NULL
        if not await versions.remove(uow, row, target.object, created_us, now_us=svc.clock.now_us()):
            raise SwiftFault(404, headers={HEADER: version_id})
        return str(current.created_us) if current is not None and current.versioned else NULL

    return await svc.db.run(work)


async def unlink(svc: Services, caller: Caller, target: Target) -> None:
    """DELETE of version `null`: what is current goes, without a marker; if it is a version, into the history. Raises 404."""
    row = await _place(svc, target)
    await caller.require(WRITE, target, row.container_headers if row is not None else None)
    if row is None:
        raise not_found()

    async def work(uow: UnitOfWork) -> bool:
        current = await objects.locked(uow, row.container_id, target.object)
        if current is None:
            return False
        if current.versioned:
            return bool(await versions.delete(uow, svc, row, target.object, versions.Keeping.ENABLED, by=caller.user_id, marker=False))
        await objects.remove(uow, row.container_id, target.object)
        counts = {"account_id": row.account_id, "container_id": row.container_id, "now_us": svc.clock.now_us()}
        await counters.add(uow, objects=-1, bytes_=-current.size, **counts)
        return True

    if not await svc.db.run(work):
        raise not_found()


async def _place(svc: Services, target: Target) -> Any:
    async with svc.db.read() as uow:
        return await objects.find(uow, target.project_id or "", target.container, target.object)
