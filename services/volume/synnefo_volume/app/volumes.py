"""Create, find, change and delete volumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row

from synnefo_common.db import UnitOfWork
from synnefo_common.errors import QuotaExceeded
from synnefo_common.ids import is_uuid
from synnefo_volume.app import sagas
from synnefo_volume.app.services import Services
from synnefo_volume.clients.image import image_metadata
from synnefo_volume.db import quota_extras, snapshots, volume_types, volumes
from synnefo_volume.domain.errors import (
    InvalidInput,
    InvalidSnapshot,
    InvalidVolume,
    MetadataNotFound,
    SnapshotNotFound,
    VolumeNotFound,
    VolumeTypeNotFound,
)
from synnefo_volume.domain.states import DELETABLE, SOURCE_OF_CLONE, SnapshotStatus, Status, expect_text

SORT_KEYS = frozenset(volumes.SORT_KEYS)


@dataclass(frozen=True)
class VolumeSpec:
    """What a create call asks for."""

    size_gib: int | None = None
    name: str | None = None
    description: str | None = None
    volume_type: str | None = None
    availability_zone: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    snapshot_id: str | None = None
    source_volid: str | None = None
    image_id: str | None = None


@dataclass(frozen=True)
class Found:
    """A volume with its attachment, if it has one."""

    row: Row[Any]
    attachment: Row[Any] | None


async def find(uow: UnitOfWork, volume_id: str, *, project_id: str | None) -> Row[Any]:
    """The row. Raises VolumeNotFound; `project_id` None for an administrator."""
    row = await volumes.get(uow, volume_id.lower(), project_id=project_id) if is_uuid(volume_id) else None
    if row is None:
        raise VolumeNotFound(volume_id)
    return row


async def show_volume(svc: Services, volume_id: str, *, project_id: str | None) -> Found:
    """Raises VolumeNotFound."""
    async with svc.db.read() as uow:
        row = await find(uow, volume_id, project_id=project_id)
        return Found(row, (await volumes.attachments_of(uow, [row.id])).get(row.id))


async def list_volumes(
    svc: Services, *, project_id: str | None, reach: str | None, marker: str | None, with_attachments: bool, **page: Any
) -> Sequence[Found]:
    """A page. Raises VolumeNotFound for a marker that `reach` (None: an administrator) cannot see."""
    async with svc.db.read() as uow:
        start = await find(uow, marker, project_id=reach) if marker else None
        rows = await volumes.list_page(uow, project_id=project_id, marker=start, **page)
        held = await volumes.attachments_of(uow, [r.id for r in rows]) if with_attachments else {}
    return [Found(row, held.get(row.id)) for row in rows]


async def create_volume(svc: Services, spec: VolumeSpec, *, project_id: str, user_id: str) -> Found:
    """A `creating` volume; a saga makes it. Raises InvalidInput, QuotaExceeded, not-found faults."""
    row = await _new_row(svc, spec, project_id=project_id, user_id=user_id)
    charge = svc.quota.reserved(
        project_id=project_id, user_id=user_id, provisions={"volume.volumes": 1, "volume.gigabytes": row["size_gib"]}
    )
    async with charge as commission, svc.db.begin() as uow:
        await volumes.add(uow, [row])
        data = {"volume_id": row["id"], "source_volid": row["source_volid"]}
        await svc.sagas.start(uow, sagas.CREATE, data=data)
        svc.quota.accept(uow, commission)
        made = await volumes.get(uow, row["id"], project_id=project_id)
    assert made is not None
    return Found(made, None)


async def _new_row(svc: Services, spec: VolumeSpec, *, project_id: str, user_id: str) -> dict[str, Any]:
    if sum(s is not None for s in (spec.snapshot_id, spec.source_volid, spec.image_id)) > 1:
        raise InvalidInput("Give one of snapshot_id, source_volid and imageRef.")
    zone = spec.availability_zone or svc.settings.availability_zone
    if zone != svc.settings.availability_zone:
        raise InvalidInput(f"Availability zone '{zone[:64]}' is invalid.")
    row: dict[str, Any] = {
        "id": svc.ids.uuid(),
        "project_id": project_id,
        "user_id": user_id,
        "name": spec.name,
        "description": spec.description,
        "status": Status.CREATING,
        "size_gib": spec.size_gib,
        "availability_zone": zone,
        "is_bootable": False,
        "is_readonly": None,
        "is_hidden": False,
        "snapshot_id": None,
        "source_volid": None,
        "image_id": None,
        "origin_root": None,
        "origin_digest": None,
        "metadata": dict(spec.metadata),
        "image_metadata": None,
        "is_charged": True,
        "created_at": svc.clock.now_us(),
        "updated_at": None,
    }
    async with svc.db.read() as uow:
        type_id = None
        if spec.snapshot_id is not None:
            type_id = await _from_snapshot(uow, spec.snapshot_id, row)
        elif spec.source_volid is not None:
            type_id = await _from_volume(uow, spec.source_volid, row)
        row["volume_type_id"] = await _type_id(uow, svc, spec.volume_type, fallback=type_id, project_id=project_id)
        limit = (await quota_extras.of_project(uow, project_id)).get("per_volume_gigabytes", -1)
    check_size(svc, row["size_gib"], limit=limit)
    if spec.image_id is not None:
        image = await svc.image.to_clone(spec.image_id, project_id=project_id, size_gib=row["size_gib"])
        row |= from_image(image)
    return row


def from_image(image: dict[str, Any]) -> dict[str, Any]:
    """The columns that a volume takes from its image."""
    from synnefo_volume.app.store import root_of

    root = root_of(image["root"])
    assert root is not None
    return {
        "image_id": image["id"],
        "origin_root": root.to_bytes(),
        "origin_digest": root.digest,
        "is_bootable": True,
        "image_metadata": image_metadata(image),
    }


def check_size(svc: Services, size_gib: int | None, *, limit: int = -1) -> None:
    """Raise InvalidInput or QuotaExceeded for a size that cannot be."""
    if size_gib is None:
        raise InvalidInput("Volume size must be an integer and greater than 0")
    if size_gib > svc.settings.max_volume_gib:
        raise InvalidInput(
            f"Volume size {size_gib}GB is larger than the largest possible, {svc.settings.max_volume_gib}GB."
        )
    if 0 <= limit < size_gib:
        raise QuotaExceeded(resource="per_volume_gigabytes", limit=limit, used=0, requested=size_gib)


async def _from_snapshot(uow: UnitOfWork, snapshot_id: str, row: dict[str, Any]) -> str | None:
    found = await snapshots.get(uow, snapshot_id.lower(), project_id=row["project_id"], with_root=True)
    if found is None:
        raise SnapshotNotFound(snapshot_id)
    if found.status != SnapshotStatus.AVAILABLE:
        raise InvalidSnapshot(f"Originating snapshot status must be one of 'available' values, not '{found.status}'")
    _take_size(row, found.size_gib, "snapshot")
    row |= {
        "snapshot_id": found.id,
        "origin_root": found.root,
        "is_bootable": found.is_bootable,
        "image_metadata": found.image_metadata,
    }
    type_id: str | None = found.volume_type_id
    return type_id


async def _from_volume(uow: UnitOfWork, volume_id: str, row: dict[str, Any]) -> str | None:
    found = await find(uow, volume_id, project_id=row["project_id"])
    if found.status not in SOURCE_OF_CLONE:
        raise InvalidVolume(
            f"Originating source volume status must be one of 'available, in-use' values, not '{found.status}'"
        )
    _take_size(row, found.size_gib, "source volume")
    row |= {"source_volid": found.id, "is_bootable": found.is_bootable, "image_metadata": found.image_metadata}
    type_id: str | None = found.volume_type_id
    return type_id


def _take_size(row: dict[str, Any], least: int, source: str) -> None:
    if row["size_gib"] is None:
        row["size_gib"] = least
    if row["size_gib"] < least:
        raise InvalidInput(f"Volume size '{row['size_gib']}'GB cannot be smaller than the {source} size {least}GB.")


async def _type_id(
    uow: UnitOfWork, svc: Services, wanted: str | None, *, fallback: str | None, project_id: str
) -> str | None:
    if not wanted and fallback:
        return fallback
    name = wanted or svc.settings.default_volume_type
    found = await volume_types.find(uow, name, project_id=project_id, by_name=True)
    if found is None:
        raise VolumeTypeNotFound(name)
    type_id: str = found.id
    return type_id


async def update_volume(svc: Services, found: Found, values: Mapping[str, Any]) -> Found:
    """Change name, description, metadata or image metadata. Raises VolumeNotFound if it is gone."""
    async with svc.db.begin() as uow:
        if not await volumes.change(uow, [found.row.id], values={**values, "updated_at": svc.clock.now_us()}):
            raise VolumeNotFound(found.row.id)
        row = await volumes.get(uow, found.row.id, project_id=None)
    if row is None:
        raise VolumeNotFound(found.row.id)
    return Found(row, found.attachment)


async def remove_metadata(svc: Services, found: Found, key: str) -> None:
    """Raises MetadataNotFound."""
    if key not in found.row.metadata:
        raise MetadataNotFound(key)
    await update_volume(svc, found, {"metadata": {k: v for k, v in found.row.metadata.items() if k != key}})


async def delete_volume(svc: Services, found: Found, *, cascade: bool = False, force: bool = False) -> None:
    """Begin to delete. Raises InvalidVolume: attached, in a wrong status, or with snapshots (unless `cascade`)."""
    volume_id = found.row.id
    busy = (SnapshotStatus.CREATING, SnapshotStatus.DELETING) if cascade else None
    async with svc.db.begin() as uow:
        held = snapshots.of_volume(volume_id, statuses=busy)
        old = None if force else DELETABLE
        if not await volumes.begin_delete(uow, volume_id, old=old, unless=held, now=svc.clock.now_us()):
            wanted = "" if force else f" status must be {expect_text(DELETABLE)} and"
            raise InvalidVolume(f"Volume{wanted} must not be attached or have snapshots.")
        await svc.sagas.start(uow, sagas.DELETE, data={"volume_id": volume_id, "cascade": cascade})
