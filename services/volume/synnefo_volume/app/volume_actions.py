"""What `POST /volumes/{id}/action` does: the attachment states, size, flags, and images of volumes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synnefo_common.db import UnitOfWork
from synnefo_common.errors import Conflict, NotFound
from synnefo_volume.app import sagas
from synnefo_volume.app.services import Services
from synnefo_volume.app.store import root_text, store_faults
from synnefo_volume.app.volumes import Found, check_size
from synnefo_volume.db import quota_extras, volume_types, volumes
from synnefo_volume.domain.errors import InvalidInput, InvalidVolume, VolumeTypeNotFound
from synnefo_volume.domain.states import Status


async def move(svc: Services, found: Found, *, old: tuple[str, ...], new: str, what: str) -> None:
    """From one of the statuses to another. Raises InvalidVolume."""
    async with svc.db.begin() as uow:
        values = {"status": new, "updated_at": svc.clock.now_us()}
        if not await volumes.change(uow, [found.row.id], old=old, values=values):
            raise InvalidVolume(f"Volume status must be {' or '.join(old)} to {what}, but the status is {found.row.status}.")


async def unreserve(svc: Services, found: Found) -> None:
    """Take back a reservation; nothing happens if there is none."""
    async with svc.db.begin() as uow:
        held = await volumes.attachments_of(uow, [found.row.id])
        values = {"status": Status.IN_USE if held else Status.AVAILABLE, "updated_at": svc.clock.now_us()}
        await volumes.change(uow, [found.row.id], old=[Status.ATTACHING], values=values)


async def attach(svc: Services, found: Found, *, server_id: str | None, host_name: str | None, mountpoint: str, mode: str) -> None:
    """Note an attachment that a client made. Raises InvalidVolume: not free, or read-only and `mode` is rw."""
    row = found.row
    if row.is_readonly and mode != "ro":
        raise InvalidVolume(f"Invalid attaching mode '{mode}' for volume {row.id}.")
    now = svc.clock.now_us()
    attachment = {
        "id": svc.ids.uuid(),
        "volume_id": row.id,
        "server_id": server_id,
        "host_name": host_name,
        "device_name": mountpoint,
        "mode": mode,
        "boot_index": None,
        "tag": None,
        "delete_on_termination": False,
        "is_managed": False,
        "attached_at": now,
    }
    async with svc.db.begin() as uow:
        values = {"status": Status.IN_USE, "updated_at": now}
        free = await volumes.change(uow, [row.id], old=[Status.AVAILABLE, Status.ATTACHING], values=values)
        if not free or not await volumes.attach(uow, [attachment]):
            raise InvalidVolume(f"volume {row.id} is {row.status}: it is already attached or cannot be attached now.")


async def detach(svc: Services, found: Found, *, attachment_id: str | None, force: bool = False) -> None:
    """Forget an attachment. Raises Conflict if a server really has the volume: compute detaches it then."""
    held = found.attachment
    if held is not None and held.is_managed and not force:
        raise Conflict(
            f"Volume {found.row.id} is attached to server {held.server_id}: detach it by the compute API.",
            code="volume.attachment.managed",
        )
    if attachment_id is not None and (held is None or held.id != attachment_id.lower()):
        raise NotFound(f"Volume attachment could not be found with filter: attachment_id = {attachment_id[:64]}.")
    async with svc.db.begin() as uow:
        await _free(uow, svc, found.row.id, force=force)


async def _free(uow: UnitOfWork, svc: Services, volume_id: str, *, force: bool) -> None:
    await volumes.detach(uow, volume_ids=[volume_id])
    values = {"status": Status.AVAILABLE, "updated_at": svc.clock.now_us()}
    old = [Status.IN_USE, Status.DETACHING, Status.ATTACHING, *([Status.ERROR] if force else [])]
    await volumes.change(uow, [volume_id], old=old, values=values)


async def extend(svc: Services, found: Found, *, size_gib: int) -> None:
    """Begin to make an available volume larger. Raises InvalidInput, InvalidVolume, QuotaExceeded."""
    row = found.row
    if size_gib <= row.size_gib:
        raise InvalidInput(f"New size for extend must be greater than current size. (current: {row.size_gib}, extended: {size_gib}).")
    async with svc.db.read() as uow:
        limit = (await quota_extras.of_project(uow, row.project_id)).get("per_volume_gigabytes", -1)
    check_size(svc, size_gib, limit=limit)
    if row.status != Status.AVAILABLE:
        raise InvalidVolume(f"Volume {row.id} status must be 'available' to extend, currently {row.status}.")
    more = {"volume.gigabytes": size_gib - row.size_gib}
    charge = svc.quota.reserved(project_id=row.project_id, user_id=row.user_id, provisions=more)
    async with charge as commission, svc.db.begin() as uow:
        values = {"status": Status.EXTENDING, "updated_at": svc.clock.now_us()}
        old_size = [volumes.volumes.c.size_gib == row.size_gib]
        if not await volumes.change(uow, [row.id], old=[Status.AVAILABLE], values=values, conditions=old_size):
            raise InvalidVolume(f"Volume {row.id} status must be 'available' to extend.")
        data = {"volume_id": row.id, "size_gib": size_gib, "commission_id": commission.id}
        await svc.sagas.start(uow, sagas.EXTEND, data=data)


async def reset_status(svc: Services, found: Found, *, status: str | None, attach_status: str | None) -> None:
    """An administrator's word on the status. Raises InvalidInput for `in-use` without an attachment."""
    if status == Status.IN_USE and found.attachment is None:
        raise InvalidInput("Cannot reset-state to in-use because volume does not have any attachments.")
    values: dict[str, Any] = {"updated_at": svc.clock.now_us()} | ({"status": status} if status else {})
    async with svc.db.begin() as uow:
        await volumes.change(uow, [found.row.id], values=values)
        if attach_status == "detached":
            await volumes.detach(uow, volume_ids=[found.row.id])


async def retype(svc: Services, found: Found, *, new_type: str) -> None:
    """Another type; the bytes stay where they are. Raises VolumeTypeNotFound, InvalidInput, InvalidVolume."""
    row = found.row
    async with svc.db.begin() as uow:
        wanted = await volume_types.find(uow, new_type, project_id=row.project_id, by_name=True)
        if wanted is None:
            raise VolumeTypeNotFound(new_type)
        if wanted.id == row.volume_type_id:
            raise InvalidInput(f"New volume_type same as original: {wanted.id}.")
        values = {"volume_type_id": wanted.id, "updated_at": svc.clock.now_us()}
        if not await volumes.change(uow, [row.id], old=[Status.AVAILABLE, Status.IN_USE], values=values):
            raise InvalidVolume(f"Volume {row.id} status must be available or in-use to retype, currently {row.status}.")


async def upload_to_image(svc: Services, found: Found, *, name: str, body: Mapping[str, Any], force: bool) -> dict[str, Any]:
    """An image of the volume as it is now; no byte is copied. Raises InvalidVolume, InvalidInput, VolumeBusy."""
    row = found.row
    if row.status != Status.AVAILABLE and not (force and row.status == Status.IN_USE):
        raise InvalidVolume(f"Volume {row.id} status must be available, currently {row.status}.")
    if (body.get("disk_format") or "raw") != "raw":
        raise InvalidInput("Only disk format raw can be made of a volume: nothing is converted here.")
    with store_faults(row.id):
        root = await svc.store.snapshot_volume(row.id, wait_s=svc.settings.pause_wait_s)
    described = ("image_id", "image_name", "container_format", "disk_format", "min_disk", "min_ram", "size", "checksum")
    properties = {k: v for k, v in (row.image_metadata or {}).items() if k not in described}
    document = {
        "project_id": row.project_id,
        "user_id": row.user_id,
        "name": name,
        "disk_format": "raw",
        "container_format": body.get("container_format") or "bare",
        "visibility": "shared",
        "min_disk": row.size_gib,
        "min_ram": 0,
        "properties": properties,
        "root": root_text(root),
        "size": root.size,
    }
    return await svc.image.create(document, key=f"volume-upload:{svc.ids.uuid()}")
