"""Versions kept in another container: X-Versions-Location (a stack) and X-History-Location (a history).

An archived version is an ordinary object there, named by the length of the name, the name, and the time of its data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from synnefo_common.db import UnitOfWork
from synnefo_object.app.services import Services
from synnefo_object.db import counters, listings, objects
from synnefo_object.domain.errors import SwiftFault
from synnefo_object.domain.kinds import PLAIN
from synnefo_object.domain.paths import Target, successor
from synnefo_object.domain.times import timestamp

DELETED_TYPE = "application/x-deleted;swift_versions_deleted=1"
_COPIED = ("root", "pool", "size", "etag", "content_type", "headers", "delete_at", "kind", "extra", "hash", "modified_by")


@dataclass(frozen=True, slots=True)
class Mode:
    """Where versions go, and whether a DELETE brings the last one back."""

    container: str
    is_stack: bool


def mode_of(container_headers: str) -> Mode | None:
    """None for a container without versions."""
    if "-location" not in container_headers:
        return None
    headers = orjson.loads(container_headers)
    for name, is_stack in (("x-versions-location", True), ("x-history-location", False)):
        if headers.get(name):
            return Mode(headers[name], is_stack)
    return None


def version_prefix(name: str) -> str:
    return f"{len(name.encode()):03x}{name}/"


async def _find_place(svc: Services, target: Target, mode: Mode) -> Any:
    async with svc.db.read() as uow:
        return await objects.find(uow, target.project_id or "", mode.container, "")


async def place_for(svc: Services, target: Target, mode: Mode) -> Any:
    """The container for versions. Raises 412 if it is missing."""
    row = await _find_place(svc, target, mode)
    if row is None:
        raise SwiftFault(412, "The container for versions does not exist.")
    return row


async def archive(uow: UnitOfWork, svc: Services, target: Target, row: Any, versioned: Any) -> bool:
    """Keep the current data, if there is any, as a version; in the transaction that replaces it."""
    current = await objects.find(uow, target.project_id or "", target.container, target.object)
    if current is None or current.root is None or (current.delete_at is not None and current.delete_at <= svc.now_s()):
        return False
    name = version_prefix(target.object) + timestamp(current.created_us)
    values = {key: getattr(current, key) for key in _COPIED}
    await _store(uow, svc, versioned, name, values, newer_than_us=current.created_us)
    return True


async def _store(uow: UnitOfWork, svc: Services, place: Any, name: str, values: dict[str, Any], *, newer_than_us: int) -> None:
    now_us = max(svc.clock.now_us(), newer_than_us + 1)
    times = {"created_us": now_us, "modified_us": now_us}
    row = values | times | {"container_id": place.container_id, "name": name, "uuid": svc.ids.uuid(), "versioned": 0}
    before = await objects.put(uow, row)
    assert before is not None
    added = (1, row["size"]) if before < 0 else (0, row["size"] - before)
    await counters.add(
        uow,
        account_id=place.account_id,
        container_id=place.container_id,
        objects=added[0],
        bytes_=added[1],
        now_us=now_us,
    )


async def on_delete(svc: Services, target: Target, row: Any, mode: Mode) -> bool:
    """DELETE in a container with versions. False if it is to be an ordinary one."""
    if mode.is_stack and await _find_place(svc, target, mode) is None:
        return False  # nothing to bring back
    versioned = await place_for(svc, target, mode)
    if not mode.is_stack:

        async def keep_history(uow: UnitOfWork) -> bool:
            was_there = await archive(uow, svc, target, row, versioned)
            empty = svc.stores.of(versioned.policy).store.writer().finish()
            marker = {
                "root": empty.to_bytes(),
                "pool": versioned.policy,
                "size": 0,
                "etag": "d41d8cd98f00b204e9800998ecf8427e",
                "content_type": DELETED_TYPE,
                "headers": "{}",
                "delete_at": None,
                "kind": PLAIN,
                "extra": None,
                "hash": None,
                "modified_by": "",
            }
            name = version_prefix(target.object) + timestamp(svc.clock.now_us())
            await _store(uow, svc, versioned, name, marker, newer_than_us=0)
            await _remove(uow, svc, row, target.object)
            return was_there

        return await svc.db.run(keep_history)

    async def pop(uow: UnitOfWork) -> bool:
        prefix = version_prefix(target.object)
        last = await listings.page(
            uow,
            objects.objects,
            versioned.container_id,
            listings.Bounds(start=prefix, before=successor(prefix), reverse=True),
            limit=2,
        )
        for entry in last:
            version = await objects.find(uow, target.project_id or "", mode.container, entry.name)
            assert version is not None
            is_marker = version.content_type == DELETED_TYPE
            if is_marker and entry is last[0]:
                current = await objects.find(uow, target.project_id or "", target.container, target.object)
                if current is not None and current.root is not None:
                    return False  # deleting it is to be as the marker says
            elif not is_marker:
                values = {key: getattr(version, key) for key in _COPIED}
                await _store(uow, svc, row, target.object, values, newer_than_us=version.created_us)
            if entry is last[0] or not is_marker:
                await _remove(uow, svc, version, entry.name)
            if not is_marker:
                break
        return bool(last)

    return await svc.db.run(pop)


async def _remove(uow: UnitOfWork, svc: Services, place: Any, name: str) -> None:
    size = await objects.remove(uow, place.container_id, name)
    if size is not None:
        await counters.add(
            uow,
            account_id=place.account_id,
            container_id=place.container_id,
            objects=-1,
            bytes_=-size,
            now_us=svc.clock.now_us(),
        )
