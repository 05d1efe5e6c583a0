"""Versions of objects as S3 sees them: the id is the time of the data, or `null` for data put while none were kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from synnefo_common.db import UnitOfWork
from synnefo_object.app import segments
from synnefo_object.app import versions as versions_app
from synnefo_object.app.access import READ, Caller
from synnefo_object.app.s3.buckets import Bucket
from synnefo_object.app.services import Services
from synnefo_object.app.stored import Stored
from synnefo_object.app.versions import Keeping
from synnefo_object.db import counters, objects, versions
from synnefo_object.domain.kinds import DLO, MARKER, SLO
from synnefo_object.domain.s3.errors import S3Fault
from synnefo_object.domain.s3.names import NULL, read_version


def id_of(row: Any) -> str:
    """The version id of a row."""
    return str(row.created_us) if row.versioned else NULL


async def _find(uow: UnitOfWork, bucket: Bucket, key: str, version: str) -> tuple[Any, bool] | None:
    """The row of a version, and whether it is the current one."""
    created_us = read_version(version)
    current = await objects.locked(uow, bucket.container_id, key)
    if current is not None and ((not current.versioned) if created_us is None else current.versioned and current.created_us == created_us):
        return current, True
    if created_us is None:
        row = await versions.find_null(uow, bucket.container_id, key)
    else:
        row = await versions.find(uow, bucket.container_id, key, created_us)
        row = row if row is not None and row.versioned else None
    return None if row is None else (row, False)


async def load(svc: Services, caller: Caller, bucket: Bucket, key: str, version: str, *, head: bool = False) -> Stored:
    """See `objects.load`. The caller may read the bucket."""
    async with svc.db.read() as uow:
        found = await _find(uow, bucket, key, version)
    if found is None:
        raise S3Fault("NoSuchVersion", shown={"Key": key, "VersionId": version})
    row, _ = found
    if row.kind == MARKER:
        shown = {"x-amz-delete-marker": "true", "x-amz-version-id": id_of(row), "Allow": "DELETE"}
        raise S3Fault("MethodNotAllowed", headers=shown, shown={"Method": "GET", "ResourceType": "DeleteMarker"})
    stored = Stored.from_version(row, bucket.container_id, key)
    target = bucket.target(key)
    if stored.kind == DLO:
        await segments.expand_dlo(svc, caller, target, stored)
    elif stored.kind == SLO:
        await segments.expand_slo(svc, caller, target, stored, head=head)
    return stored


async def last_marker(uow: UnitOfWork, bucket: Bucket, key: str) -> str | None:
    """The id of the marker that says that the object is deleted; None if there is none."""
    row = await versions.last(uow, bucket.container_id, key)
    return id_of(row) if row is not None and row.kind == MARKER else None


async def mark_deleted(svc: Services, caller: Caller, bucket: Bucket, key: str) -> Any:
    """Delete the current data in a bucket that keeps versions, or has kept some: a marker says so."""
    from synnefo_object.app.s3.objects import Deleted

    mode = bucket.keeping

    async def work(uow: UnitOfWork) -> str:
        await versions_app.delete(uow, svc, bucket, key, mode, by=caller.user_id)
        if mode is Keeping.SUSPENDED:
            last = await versions.last(uow, bucket.container_id, key)
            now_us = max(svc.clock.now_us(), last.created_us + 1 if last is not None else 0)
            await versions_app.add_marker(uow, bucket, key, None, now_us=now_us, by=caller.user_id, versioned=0)
        return await last_marker(uow, bucket, key) or NULL

    return Deleted(await svc.db.run(work), is_marker=True)


async def delete(svc: Services, caller: Caller, bucket: Bucket, key: str, version: str) -> Any:
    """Take one version away for good; what was before the current one is current again. What is not there is deleted, too."""
    from synnefo_object.app.s3.objects import Deleted

    async def work(uow: UnitOfWork) -> bool:
        found = await _find(uow, bucket, key, version)
        if found is None:
            return False
        row, is_current = found
        now_us = svc.clock.now_us()
        if is_current:
            await objects.remove(uow, bucket.container_id, key)
            await counters.add(
                uow, account_id=bucket.account_id, container_id=bucket.container_id, objects=-1, bytes_=-int(row.size), now_us=now_us
            )
            await _promote(uow, bucket, key, now_us=now_us)
        else:
            was_last = row.replaced_us == versions.NEVER_US
            await versions_app.remove(uow, bucket, key, row.created_us, now_us=now_us)
            if was_last:
                await _promote(uow, bucket, key, now_us=now_us)
        return bool(row.kind == MARKER)

    return Deleted(version, is_marker=await svc.db.run(work))


async def _promote(uow: UnitOfWork, bucket: Bucket, key: str, *, now_us: int) -> None:
    """The youngest version becomes current again; a marker, the last word."""
    last = await versions.last(uow, bucket.container_id, key)
    if last is None:
        return
    if last.kind == MARKER:
        await versions.revive_marker(uow, bucket.container_id, key, last.created_us)
        return
    await versions.remove(uow, bucket.container_id, key, last.created_us)
    values = {name: getattr(last, name) for name in objects.OWN} | {"container_id": bucket.container_id, "name": key}
    if await objects.put(uow, values, replace=False) is None:
        raise S3Fault("OperationAborted")
    # Its bytes have been counted all the time.
    await counters.add(uow, account_id=bucket.account_id, container_id=bucket.container_id, objects=1, now_us=now_us)


async def page(svc: Services, caller: Caller, bucket: Bucket, *, start: str, after: tuple[str, int] | None, before: str | None, limit: int) -> Sequence[Any]:
    """Versions, current ones and markers by name, the youngest first: name, is_latest, and the columns that a listing shows."""
    await caller.require(READ, bucket.target(), bucket.container_headers)
    async with svc.db.read() as uow:
        return await versions.page(uow, bucket.container_id, start=start, after=after, before=before, limit=limit)


async def marker_time(svc: Services, bucket: Bucket, key: str, version: str) -> int:
    """The time of a version that a listing goes on behind. Raises InvalidArgument; the end of time for one that is gone."""
    created_us = read_version(version)
    if created_us is not None:
        return created_us
    async with svc.db.read() as uow:
        found = await _find(uow, bucket, key, NULL)
    return int(found[0].created_us) if found is not None else versions.NEVER_US
