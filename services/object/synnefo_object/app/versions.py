"""Versions that the container keeps itself: X-Versions-Enabled, Pithos' versioning policy and S3's are one thing here.

Every new data or deletion moves what was current into the history, in the transaction that replaces it.
Not for X-Versions-Location and X-History-Location, which keep versions as objects of another container: `app.archives`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import orjson

from synnefo_common.db import UnitOfWork
from synnefo_object.app.services import Services
from synnefo_object.db import counters, objects, versions
from synnefo_object.domain.errors import SwiftFault
from synnefo_object.domain.kinds import MARKER
from synnefo_object.domain.policies import BASE

HEADER = "x-versions-enabled"
MARKER_TYPE = "application/x-deleted;swift_versions_deleted=1"
_EMPTY_MD5 = "d41d8cd98f00b204e9800998ecf8427e"


class Keeping(Enum):
    """What becomes of data that is replaced."""

    NEVER = "never"  # it goes
    ENABLED = "enabled"  # it stays as a version
    SUSPENDED = "suspended"  # it stays if it was put while versions were kept; new data is the one "null" version


def keeping(container_headers: str) -> Keeping:
    """Of a container's kept headers, as JSON."""
    if HEADER not in container_headers:
        return Keeping.NEVER
    return Keeping.ENABLED if orjson.loads(container_headers).get(HEADER) == "True" else Keeping.SUSPENDED


class Overtaken(Exception):
    """Another request made the object between two statements: try the transaction again."""


async def put(uow: UnitOfWork, svc: Services, place: Any, values: Mapping[str, Any], mode: Keeping, *, replace: bool = True) -> dict[str, Any] | None:
    """New data in a container that keeps versions, with its counters. The row as it was stored; None if there is an object
    that may not be replaced. Raises Overtaken.
    """
    row = dict(values) | {"versioned": int(mode is Keeping.ENABLED)}
    container_id, name = row["container_id"], row["name"]
    current = await objects.locked(uow, container_id, name)
    if current is not None:
        is_gone = current.delete_at is not None and current.delete_at <= svc.now_s()
        if not replace and not is_gone:
            return None
        if current.created_us >= row["created_us"]:
            row["created_us"] = row["modified_us"] = current.created_us + 1
    freed = await _retire(uow, place, name, current, mode, now_us=row["created_us"])
    if current is None:
        await versions.end_marker(uow, container_id, name, replaced_us=row["created_us"])
    if await objects.put(uow, row, replace=current is not None) is None:
        raise Overtaken
    await counters.add(
        uow,
        account_id=place.account_id,
        container_id=container_id,
        objects=int(current is None),
        bytes_=row["size"] - freed,
        now_us=row["created_us"],
    )
    return row


@dataclass(frozen=True, slots=True)
class Deleted:
    """What a deletion met, and the id of the marker that it left. True if there was something to delete."""

    was_there: bool
    marker_us: int | None

    def __bool__(self) -> bool:
        return self.was_there


async def delete(uow: UnitOfWork, svc: Services, place: Any, name: str, mode: Keeping, *, by: str, marker: bool = True) -> Deleted:
    """Delete what is current: it becomes a version, and a marker says so.

    While versions are suspended there is no marker: what is current goes, unless it is a version itself.
    """
    current = await objects.locked(uow, place.container_id, name)
    now_us = max(svc.clock.now_us(), current.created_us + 1 if current is not None else 0)
    freed = await _retire(uow, place, name, current, mode, now_us=now_us)
    marked = marker and mode is Keeping.ENABLED
    if marked:
        await add_marker(uow, place, name, current, now_us=now_us, by=by)
    if current is not None:
        await objects.remove(uow, place.container_id, name)
        await counters.add(uow, account_id=place.account_id, container_id=place.container_id, objects=-1, bytes_=-freed, now_us=now_us)
    return Deleted(current is not None, now_us if marked else None)


async def _retire(uow: UnitOfWork, place: Any, name: str, current: Any, mode: Keeping, *, now_us: int) -> int:
    """Keep what is current as a version, if it is to stay. The bytes that are freed instead."""
    freed = 0
    if current is not None:
        if mode is Keeping.ENABLED or current.versioned:
            await versions.add(uow, place.container_id, name, current._mapping, replaced_us=now_us)
        else:
            freed = int(current.size)
    if mode is Keeping.SUSPENDED:  # there is one "null" version at most
        freed += await versions.remove_null(uow, place.container_id, name)
    return freed


async def add_marker(uow: UnitOfWork, place: Any, name: str, current: Any, *, now_us: int, by: str, versioned: int = 1) -> None:
    """The version that says: deleted."""
    await versions.end_marker(uow, place.container_id, name, replaced_us=now_us)
    marker = {
        "root": b"",
        "pool": BASE,
        "size": 0,
        "etag": _EMPTY_MD5,
        "content_type": MARKER_TYPE,
        "headers": "{}",
        "created_us": now_us,
        "modified_us": now_us,
        "delete_at": None,
        "kind": MARKER,
        "extra": None,
        "uuid": current.uuid if current is not None else None,
        "hash": None,
        "modified_by": by,
        "versioned": versioned,
    }
    await versions.add(uow, place.container_id, name, marker, replaced_us=versions.NEVER_US)


async def remove(uow: UnitOfWork, place: Any, name: str, created_us: int, *, now_us: int) -> bool:
    """Take one kept version away for good, with its bytes. The current one is `objects`' business."""
    size = await versions.remove(uow, place.container_id, name, created_us)
    if size is None:
        return False
    await counters.add(uow, account_id=place.account_id, container_id=place.container_id, bytes_=-size, now_us=now_us)
    return True


async def restore(uow: UnitOfWork, place: Any, name: str, created_us: int, mode: Keeping, *, now_us: int) -> dict[str, Any]:
    """Make a kept version the current one, under its own id; what was current becomes a version in its stead.

    The columns as they are now. Raises 404 if there is no such version, Overtaken.
    """
    current = await objects.locked(uow, place.container_id, name)
    if current is not None and current.versioned and current.created_us == created_us:
        return dict(current._mapping)
    version = await versions.find(uow, place.container_id, name, created_us)
    if version is None or version.kind == MARKER:
        raise SwiftFault(404, "The specified version does not exist")
    if await versions.remove(uow, place.container_id, name, created_us) is None:
        raise Overtaken
    freed = await _retire(uow, place, name, current, mode, now_us=now_us)
    if current is None:
        await versions.end_marker(uow, place.container_id, name, replaced_us=now_us)
    values = {column: version._mapping[column] for column in objects.OWN}
    row = values | {"container_id": place.container_id, "name": name, "versioned": 1, "delete_at": None}
    if await objects.put(uow, row, replace=current is not None) is None:
        raise Overtaken
    counts = {"account_id": place.account_id, "container_id": place.container_id, "now_us": now_us}
    await counters.add(uow, objects=int(current is None), bytes_=-freed, **counts)
    return row
