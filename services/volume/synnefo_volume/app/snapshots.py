"""Create, find, change and delete snapshots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row

from synnefo_common.db import UnitOfWork
from synnefo_common.ids import is_uuid
from synnefo_volume.app import sagas
from synnefo_volume.app.services import Services
from synnefo_volume.app.volumes import find as find_volume
from synnefo_volume.db import snapshots
from synnefo_volume.domain.errors import InvalidSnapshot, InvalidVolume, MetadataNotFound, SnapshotNotFound
from synnefo_volume.domain.states import REPORTABLE, SNAPSHOT_DELETABLE, SnapshotStatus, Status, expect_text

SORT_KEYS = frozenset(snapshots.SORT_KEYS)


async def find(uow: UnitOfWork, snapshot_id: str, *, project_id: str | None) -> Row[Any]:
    """The row. Raises SnapshotNotFound; `project_id` None for an administrator."""
    row = await snapshots.get(uow, snapshot_id.lower(), project_id=project_id) if is_uuid(snapshot_id) else None
    if row is None:
        raise SnapshotNotFound(snapshot_id)
    return row


async def show_snapshot(svc: Services, snapshot_id: str, *, project_id: str | None) -> Row[Any]:
    """Raises SnapshotNotFound."""
    async with svc.db.read() as uow:
        return await find(uow, snapshot_id, project_id=project_id)


async def list_snapshots(svc: Services, *, project_id: str | None, reach: str | None, marker: str | None, **page: Any) -> Sequence[Row[Any]]:
    """A page. Raises SnapshotNotFound for a marker that `reach` (None: an administrator) cannot see."""
    async with svc.db.read() as uow:
        start = await find(uow, marker, project_id=reach) if marker else None
        return await snapshots.list_page(uow, project_id=project_id, marker=start, **page)


async def create_snapshot(
    svc: Services,
    volume_id: str,
    *,
    reach: str | None,
    user_id: str,
    name: str | None,
    description: str | None,
    metadata: Mapping[str, str],
    force: bool,
) -> dict[str, Any]:
    """A `creating` snapshot; a saga takes it. Raises VolumeNotFound, InvalidVolume, QuotaExceeded."""
    async with svc.db.read() as uow:
        volume = await find_volume(uow, volume_id, project_id=reach)
    if volume.status != Status.AVAILABLE and not (force and volume.status == Status.IN_USE):
        raise InvalidVolume(f"Volume {volume.id} status must be available, but current status is: {volume.status}.")
    row: dict[str, Any] = {
        "id": svc.ids.uuid(),
        "project_id": volume.project_id,
        "user_id": user_id,
        "volume_id": volume.id,
        "name": name,
        "description": description,
        "status": SnapshotStatus.CREATING,
        "size_gib": volume.size_gib,
        "volume_type_id": volume.volume_type_id,
        "is_bootable": volume.is_bootable,
        "image_metadata": volume.image_metadata,
        "metadata": dict(metadata),
        "created_at": svc.clock.now_us(),
        "updated_at": None,
    }
    provisions = {"volume.snapshots": 1, "volume.gigabytes": volume.size_gib}
    charge = svc.quota.reserved(project_id=volume.project_id, user_id=user_id, provisions=provisions)
    async with charge as commission, svc.db.begin() as uow:
        await snapshots.add(uow, row)
        await svc.sagas.start(uow, sagas.SNAPSHOT, data={"snapshot_id": row["id"], "volume_id": volume.id})
        svc.quota.accept(uow, commission)
    return row


async def update_snapshot(svc: Services, row: Row[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Change name, description, metadata or status. Raises SnapshotNotFound if it is gone."""
    changed = {**values, "updated_at": svc.clock.now_us()}
    async with svc.db.begin() as uow:
        if not await snapshots.change(uow, row.id, values=changed):
            raise SnapshotNotFound(row.id)
    return {**row._asdict(), **changed}


async def report_status(svc: Services, row: Row[Any], status: str, *, progress: str | None) -> None:
    """What the caller knows of a passing status. Raises InvalidSnapshot where nothing is to be reported."""
    if status not in REPORTABLE.get(row.status, ()):
        raise InvalidSnapshot(f"a snapshot that is {row.status} cannot be reported as {status[:40]}.")
    await update_snapshot(svc, row, {"status": status} | ({"progress": progress} if progress is not None else {}))


async def remove_metadata(svc: Services, row: Row[Any], key: str) -> None:
    """Raises MetadataNotFound."""
    if key not in row.metadata:
        raise MetadataNotFound(key)
    await update_snapshot(svc, row, {"metadata": {k: v for k, v in row.metadata.items() if k != key}})


async def delete_snapshot(svc: Services, row: Row[Any], *, force: bool = False) -> None:
    """Delete at once: volumes made from it keep their blocks. Raises InvalidSnapshot."""
    async with svc.db.begin() as uow:
        gone = await snapshots.remove(uow, snapshot_id=row.id, old=None if force else SNAPSHOT_DELETABLE)
        if not gone:
            raise InvalidSnapshot(f"Snapshot status must be {expect_text(SNAPSHOT_DELETABLE)}, not {row.status}.")
        sagas.release_snapshots(uow, svc, gone)
