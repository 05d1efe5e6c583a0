"""Versions of objects as S3 sees them: the id is the time of the data, or `null` for data put while none were kept."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from synnefo_common.db import UnitOfWork
from synnefo_object.app import segments, version_listings
from synnefo_object.app import versions as versions_app
from synnefo_object.app.access import READ, Caller
from synnefo_object.app.s3.buckets import Bucket, Key
from synnefo_object.app.services import Services
from synnefo_object.app.stored import Stored
from synnefo_object.db import counters, objects, versions
from synnefo_object.db.version_listings import Place
from synnefo_object.domain.kinds import DLO, MARKER, SLO
from synnefo_object.domain.listing import Query
from synnefo_object.domain.s3.errors import S3Fault
from synnefo_object.domain.s3.names import NULL, read_version


@dataclass(frozen=True, slots=True)
class Deleted:
    """What a deletion did: the version that it made or removed."""

    version_id: str | None = None
    is_marker: bool = False


def id_of(row: Any) -> str:
    """The version id of a row."""
    return str(row.created_us) if row.versioned else NULL


async def _find(uow: UnitOfWork, key: Key, version: str) -> tuple[Any, bool] | None:
    """The row of a version, and whether it is the current one."""
    created_us = read_version(version)
    container_id, name = key.bucket.container_id, key.name
    current = await objects.locked(uow, container_id, name)
    if current is not None and ((not current.versioned) if created_us is None else current.versioned and current.created_us == created_us):
        return current, True
    if created_us is None:
        row = await versions.find_null(uow, container_id, name)
    else:
        row = await versions.find(uow, container_id, name, created_us)
        row = row if row is not None and row.versioned else None
    return None if row is None else (row, False)


async def load(svc: Services, caller: Caller, key: Key, version: str, *, head: bool = False) -> Stored:
    """See `objects.load`. The caller may read the bucket."""
    async with svc.db.read() as uow:
        found = await _find(uow, key, version)
    if found is None:
        raise S3Fault("NoSuchVersion", shown={"Key": key.name, "VersionId": version})
    row, _ = found
    if row.kind == MARKER:
        shown = {"x-amz-delete-marker": "true", "x-amz-version-id": id_of(row), "Allow": "DELETE"}
        raise S3Fault("MethodNotAllowed", headers=shown, shown={"Method": "GET", "ResourceType": "DeleteMarker"})
    stored = Stored.from_row(SimpleNamespace(**row._mapping, container_id=key.bucket.container_id), key.name)
    target = key.target
    if stored.kind == DLO:
        await segments.expand_dlo(svc, caller, target, stored)
    elif stored.kind == SLO:
        await segments.expand_slo(svc, caller, target, stored, head=head)
    return stored


async def last_marker(svc: Services, key: Key) -> str | None:
    """The id of the marker that says that the object is deleted; None if there is none."""
    async with svc.db.read() as uow:
        row = await versions.last(uow, key.bucket.container_id, key.name)
    return id_of(row) if row is not None and row.kind == MARKER else None


async def set_headers(svc: Services, key: Key, *, created_us: int, headers: str) -> bool:
    """Change what is kept with the data of that time, current or not; False if it is gone."""

    async def work(uow: UnitOfWork) -> bool:
        container_id = key.bucket.container_id
        if await objects.set_metadata(uow, container_id, key.name, created_us=created_us, headers=headers):
            return True
        return await versions.set_headers(uow, container_id, key.name, created_us=created_us, headers=headers)

    return await svc.db.run(work)


async def mark_deleted(svc: Services, caller: Caller, key: Key) -> Deleted:
    """Delete the current data in a bucket that keeps versions, or has kept some: a marker says so."""
    bucket, name, mode = key.bucket, key.name, key.bucket.keeping

    async def work(uow: UnitOfWork) -> str:
        deleted = await versions_app.delete(uow, svc, bucket, name, mode, by=caller.user_id)
        if deleted.marker_us is not None:
            return str(deleted.marker_us)
        last = await versions.last(uow, bucket.container_id, name)
        now_us = max(svc.clock.now_us(), last.created_us + 1 if last is not None else 0)
        await versions_app.add_marker(uow, bucket, name, None, now_us=now_us, by=caller.user_id, versioned=0)
        return NULL

    return Deleted(await svc.db.run(work), is_marker=True)


async def delete(svc: Services, key: Key, version: str) -> Deleted:
    """Take one version away for good; what was before the current one is current again. What is not there is deleted, too."""
    bucket = key.bucket
    place = {"account_id": bucket.account_id, "container_id": bucket.container_id}

    async def work(uow: UnitOfWork) -> bool:
        found = await _find(uow, key, version)
        if found is None:
            return False
        row, is_current = found
        now_us = svc.clock.now_us()
        if is_current:
            await objects.remove(uow, bucket.container_id, key.name)
            await counters.add(uow, **place, objects=-1, bytes_=-int(row.size), now_us=now_us)
            await _promote(uow, key, now_us=now_us)
        else:
            await versions_app.remove(uow, bucket, key.name, row.created_us, now_us=now_us)
            if row.replaced_us == versions.NEVER_US:
                await _promote(uow, key, now_us=now_us)
        return bool(row.kind == MARKER)

    return Deleted(version, is_marker=await svc.db.run(work))


async def _promote(uow: UnitOfWork, key: Key, *, now_us: int) -> None:
    """The youngest version becomes current again; a marker, the last word."""
    bucket, name = key.bucket, key.name
    last = await versions.last(uow, bucket.container_id, name)
    if last is None:
        return
    if last.kind == MARKER:
        await versions.revive_marker(uow, bucket.container_id, name, last.created_us)
        return
    await versions.remove(uow, bucket.container_id, name, last.created_us)
    values = {column: getattr(last, column) for column in objects.OWN} | {"container_id": bucket.container_id, "name": name}
    if await objects.put(uow, values, replace=False) is None:
        raise S3Fault("OperationAborted")
    # Its bytes have been counted all the time.
    await counters.add(uow, account_id=bucket.account_id, container_id=bucket.container_id, objects=1, now_us=now_us)


async def page(svc: Services, caller: Caller, bucket: Bucket, query: Query, place: Place | None) -> list[tuple[str | None, Any]]:
    """(folder or None, row) of all versions and markers by name, the youngest first."""
    await caller.require(READ, bucket.target(), bucket.container_headers)
    async with svc.db.read() as uow:
        return await version_listings.fetch(uow, bucket.container_id, query, place)


async def place_of(svc: Services, key: Key, version: str) -> Place:
    """Where a listing goes on behind a version; behind all of the name for one that is gone. Raises InvalidArgument."""
    created_us = read_version(version)
    if created_us is not None:
        return Place(key.name, created_us)
    async with svc.db.read() as uow:
        found = await _find(uow, key, NULL)
    if found is None:
        return Place(key.name, 0)
    return Place(key.name, None if found[1] else int(found[0].created_us))
