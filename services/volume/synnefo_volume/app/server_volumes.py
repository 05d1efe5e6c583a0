"""The disks of servers, as compute asks for them. Every call may be repeated and then finds what it did."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Row

from synnefo_common.clock import MICROS
from synnefo_common.contracts.envelope import Event
from synnefo_common.db import UnitOfWork
from synnefo_common.errors import Conflict, NotFound, Unavailable
from synnefo_common.ids import uuid5
from synnefo_volume.app.sagas import release_volumes, remove_from_store
from synnefo_volume.app.services import Services
from synnefo_volume.app.store import GIB, root_of, root_text, store_faults
from synnefo_volume.app.volumes import find, from_image
from synnefo_volume.db import snapshots, volume_types, volumes
from synnefo_volume.domain.devices import free_device
from synnefo_volume.domain.errors import InvalidInput, SnapshotNotFound, VolumeBusy, VolumeNotFound
from synnefo_volume.domain.states import SnapshotStatus, Status

_IMAGE_FRESH_US = 30 * MICROS  # what compute heard of the image so short a time ago need not be asked again
_HELD = (Status.IN_USE, Status.DETACHING, Status.ATTACHING)


def view(row: Any) -> dict[str, Any]:
    """A row of `db.volumes.of_server` as compute keeps it."""
    return {
        "id": row.id,
        "name": row.name,
        "size_gib": row.size_gib,
        "bootable": row.is_bootable,
        "boot_index": row.a_boot_index,
        "device_name": row.a_device_name,
        "delete_on_termination": row.a_delete_on_termination,
        "attachment_id": row.a_id,
        "status": row.status,
        "ganeti_disk": f"snf-vol-{row.id}",
        "origin_digest": row.origin_digest,
        "visible": not row.is_hidden,
        "tag": row.a_tag,
        "volume_type": row.volume_type,
    }


def view_of_new(row: Mapping[str, Any], attachment: Mapping[str, Any]) -> dict[str, Any]:
    """As `view`, of rows that were inserted a moment ago."""
    of_attachment = {f"a_{key}": value for key, value in attachment.items()}
    return view(SimpleNamespace(**{**row, "status": Status.IN_USE}, **of_attachment))


def _event(kind: str, row: Row[Any]) -> Event:
    data = {"volume": view(row), "server_id": row.a_server_id, "project_id": row.project_id}
    return Event(f"volume.attachment.{kind}", "volume", row.id, data)


async def list_of_server(svc: Services, server_id: str) -> list[dict[str, Any]]:
    """What the server has, root first."""
    async with svc.db.read() as uow:
        return [view(row) for row in await volumes.of_server(uow, server_id)]


async def check_sources(svc: Services, wanted: Sequence[Mapping[str, Any]], *, project_id: str) -> list[int]:
    """Sizes of the disks of a server to be. Raises InvalidInput, Conflict and not-found faults for those that cannot be."""
    sizes = []
    async with svc.db.read() as uow:
        for w in wanted:
            if w["source"] == "volume":
                row: Any = await find(uow, str(w["uuid"]).lower(), project_id=project_id)
                if row.status != Status.AVAILABLE:
                    raise Conflict(f"volume {row.id} is {row.status}, not available.", code="volume.volume.not_available")
                size = row.size_gib
            else:
                row = await _snapshot(uow, str(w["uuid"]), size_gib=w["size_gib"], project_id=project_id)
                size = w["size_gib"] or row.size_gib
            if w["boot_index"] == 0 and not row.is_bootable:
                raise InvalidInput(f"{w['source'].capitalize()} {row.id} is not bootable.")
            sizes.append(size)
    return sizes


async def put_volumes(
    svc: Services,
    server_id: str,
    wanted: Sequence[Mapping[str, Any]],
    *,
    project_id: str,
    user_id: str,
    is_reserved: bool,
    key: str | None,
) -> list[dict[str, Any]]:
    """Create and attach all disks of a new server. A refusal (4xx) has no effect. The answer is the news: no events.

    Raises InvalidInput, not-found faults, Conflict (a volume is not free), QuotaExceeded (unless `is_reserved`).
    """
    ids = [
        str(w["uuid"]).lower() if w["source"] == "volume" else uuid5("synnefo.volume", f"{server_id}:{key or ''}:{i}")
        for i, w in enumerate(wanted)
    ]
    async with svc.db.read() as uow:
        there = {row.id: row for row in await volumes.of_server(uow, server_id)}
    if set(ids) <= set(there):
        async with svc.db.read() as uow:
            left: list[Mapping[str, Any]] = [dict(row._mapping) for row in await volumes.get_many(uow, ids) if row.status == Status.CREATING]
        held = None
    else:
        left, held = await _accept(
            svc, server_id, wanted, ids, project_id=project_id, user_id=user_id, is_reserved=is_reserved
        )
    await asyncio.gather(*(_make(svc, row) for row in left))
    async with svc.db.begin() as uow:
        if left:
            values = {"status": Status.IN_USE, "origin_root": None, "updated_at": svc.clock.now_us()}
            changed = await volumes.change(uow, [r["id"] for r in left], old=[Status.CREATING], values=values)
            if held is not None and changed == len(ids):
                new = [view_of_new(row, one) for row, one in zip(left, held, strict=True)]
                return sorted(new, key=lambda v: (v["boot_index"] is None, v["boot_index"], v["id"]))  # as `of_server`
        return [view(row) for row in await volumes.of_server(uow, server_id) if row.id in ids]


async def _make(svc: Services, row: Mapping[str, Any]) -> None:
    with store_faults(row["id"]):
        await svc.store.create_volume(row["id"], row["size_gib"] * GIB, root_of(row["origin_root"]))


async def _accept(
    svc: Services,
    server_id: str,
    wanted: Sequence[Mapping[str, Any]],
    ids: Sequence[str],
    *,
    project_id: str,
    user_id: str,
    is_reserved: bool,
) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """Rows of all new volumes, and attachments of all, in one transaction: both."""
    now = svc.clock.now_us()
    images = await _images(svc, wanted, project_id=project_id)
    new: list[dict[str, Any]] = []
    held: list[Mapping[str, Any]] = []
    taken: list[str] = []
    devices: set[str] = {w["device_name"] for w in wanted if w.get("device_name")}
    async with svc.db.read() as uow:
        default = await volume_types.find(uow, svc.settings.default_volume_type, project_id=None, by_name=True)
        for volume_id, w in zip(ids, wanted, strict=True):
            if w["source"] == "volume":
                await find(uow, volume_id, project_id=project_id)
                taken.append(volume_id)
            else:
                row = _new_row(
                    svc, volume_id, w, project_id=project_id, user_id=user_id, type_id=default.id if default else None
                )
                row |= await _source(uow, w, images, project_id=project_id)
                new.append(row)
            device = w.get("device_name") or free_device(devices)
            devices.add(device)
            held.append(
                {
                    "id": uuid5("synnefo.attachment", f"{server_id}:{volume_id}"),
                    "volume_id": volume_id,
                    "server_id": server_id,
                    "host_name": None,
                    "device_name": device,
                    "mode": "rw",
                    "boot_index": w.get("boot_index"),
                    "tag": w.get("tag"),
                    "delete_on_termination": bool(w.get("delete_on_termination")),
                    "is_managed": True,
                    "attached_at": now,
                }
            )
    counted = [row for row in new if row["is_charged"]]
    provisions = {"volume.volumes": len(counted), "volume.gigabytes": sum(row["size_gib"] for row in counted)}
    charge = svc.quota.reserved(project_id=project_id, user_id=user_id, provisions={} if is_reserved else provisions)
    async with charge as commission, svc.db.begin() as uow:
        await volumes.add(uow, new)
        values = {"status": Status.IN_USE, "updated_at": now}
        free = [Status.AVAILABLE, Status.ATTACHING]
        if taken and await volumes.change(uow, taken, old=free, values=values) != len(taken):
            raise Conflict("A volume to boot with is not available.", code="volume.volume.not_available")
        await volumes.attach(uow, held)
        svc.quota.accept(uow, commission)
    return [{**row, "volume_type": default.name if default else None} for row in new], held


async def _images(svc: Services, wanted: Sequence[Mapping[str, Any]], *, project_id: str) -> dict[str, dict[str, Any]]:
    found = {}
    for w in wanted:
        if w["source"] == "image":
            age_us = svc.clock.now_us() - (w.get("image_seen_at") or 0)
            known = w.get("image") if 0 <= age_us < _IMAGE_FRESH_US else None
            found[w["uuid"]] = await svc.image.to_clone(
                w["uuid"], project_id=project_id, size_gib=w["size_gib"], known=known
            )
    return found


def _new_row(
    svc: Services, volume_id: str, w: Mapping[str, Any], *, project_id: str, user_id: str, type_id: str | None
) -> dict[str, Any]:
    is_hidden = not w.get("visible", False)
    return {
        "id": volume_id,
        "project_id": project_id,
        "user_id": user_id,
        "name": w.get("name") or "",
        "description": "",
        "status": Status.CREATING,
        "size_gib": w["size_gib"],
        "volume_type_id": type_id,
        "availability_zone": svc.settings.availability_zone,
        "is_bootable": False,
        "is_readonly": None,
        "is_hidden": is_hidden,
        "snapshot_id": None,
        "source_volid": None,
        "image_id": None,
        "origin_root": None,
        "origin_digest": None,
        "metadata": {},
        "image_metadata": None,
        "is_charged": not is_hidden,
        "created_at": svc.clock.now_us(),
        "updated_at": None,
    }


async def _snapshot(uow: UnitOfWork, snapshot_id: str, *, size_gib: int, project_id: str) -> Row[Any]:
    """One that a disk of this size can be made of; 0 is its own size."""
    found = await snapshots.get(uow, snapshot_id.lower(), project_id=project_id, with_root=True)
    if found is None or found.status != SnapshotStatus.AVAILABLE:
        raise SnapshotNotFound(snapshot_id)
    if 0 < size_gib < found.size_gib:
        raise InvalidInput(f"Volume size {size_gib}GB cannot be smaller than the snapshot size {found.size_gib}GB.")
    return found


async def _source(
    uow: UnitOfWork, w: Mapping[str, Any], images: Mapping[str, dict[str, Any]], *, project_id: str
) -> dict[str, Any]:
    if w["source"] == "image":
        return from_image(images[w["uuid"]])
    if w["source"] == "snapshot":
        found = await _snapshot(uow, str(w["uuid"]), size_gib=w["size_gib"], project_id=project_id)
        return {
            "snapshot_id": found.id,
            "origin_root": found.root,
            "is_bootable": found.is_bootable,
            "image_metadata": found.image_metadata,
        }
    return {}


async def delete_volumes(svc: Services, server_id: str) -> None:
    """The server is gone: delete its disks, free the others. Raises Unavailable while a node has one open."""
    async with svc.db.begin() as uow:
        rows = await volumes.of_server(uow, server_id)
        doomed = [row for row in rows if row.a_delete_on_termination]
        kept = [row for row in rows if not row.a_delete_on_termination]
        now = svc.clock.now_us()
        if doomed:
            await volumes.change(uow, [r.id for r in doomed], values={"status": Status.DELETING, "updated_at": now})
        if kept:
            await _free(uow, kept, now=now)
    for row in doomed:
        try:
            with store_faults(row.id):
                await remove_from_store(svc, row.id)
        except VolumeBusy as error:
            raise Unavailable(error.message) from error
    if doomed:
        async with svc.db.begin() as uow:
            release_volumes(uow, svc, await volumes.remove(uow, [r.id for r in doomed]))
            for row in doomed:
                uow.emit(_event("deleted", row))


async def _free(uow: UnitOfWork, rows: Sequence[Row[Any]], *, now: int) -> None:
    ids = [row.id for row in rows]
    await volumes.detach(uow, volume_ids=ids)
    await volumes.change(uow, ids, old=_HELD, values={"status": Status.AVAILABLE, "updated_at": now})
    for row in rows:
        uow.emit(_event("deleted", row))


async def attach_volume(
    svc: Services, server_id: str, volume_id: str, *, project_id: str, device_name: str | None
) -> dict[str, Any]:
    """Attach a free volume. Raises VolumeNotFound, Conflict."""
    async with svc.db.begin() as uow:
        row = await find(uow, volume_id, project_id=project_id)
        there = await volumes.of_server(uow, server_id)
        for one in there:
            if one.id == row.id:
                return view(one)
        now = svc.clock.now_us()
        values = {"status": Status.IN_USE, "updated_at": now}
        attachment = {
            "id": svc.ids.uuid(),
            "volume_id": row.id,
            "server_id": server_id,
            "host_name": None,
            "device_name": device_name or free_device({r.a_device_name for r in there}),
            "mode": "ro" if row.is_readonly else "rw",
            "boot_index": None,
            "tag": None,
            "delete_on_termination": False,
            "is_managed": True,
            "attached_at": now,
        }
        is_free = await volumes.change(uow, [row.id], old=[Status.AVAILABLE, Status.ATTACHING], values=values)
        if not is_free or not await volumes.attach(uow, [attachment]):
            raise Conflict(f"volume {row.id} is not available but {row.status}.", code="volume.volume.not_available")
        made = next(one for one in await volumes.of_server(uow, server_id) if one.id == row.id)
        uow.emit(_event("created", made))
        return view(made)


async def detach_volume(svc: Services, server_id: str, volume_id: str) -> None:
    """Free a volume; done if the server does not have it."""
    async with svc.db.begin() as uow:
        rows = [row for row in await volumes.of_server(uow, server_id) if row.id == volume_id.lower()]
        if rows:
            await _free(uow, rows, now=svc.clock.now_us())


async def grow_root(svc: Services, server_id: str, *, size_gib: int) -> dict[str, Any]:
    """Make the root disk larger; done if it is that large. Raises NotFound, InvalidInput, QuotaExceeded."""
    async with svc.db.read() as uow:
        roots = [row for row in await volumes.of_server(uow, server_id) if row.a_boot_index == 0]
    if not roots:
        raise NotFound(f"Server {server_id} has no root volume.", code="volume.server.no_root")
    row = roots[0]
    if size_gib < row.size_gib:
        raise InvalidInput(f"The root disk has {row.size_gib} GiB: it cannot shrink to {size_gib}.")
    more = size_gib - row.size_gib
    if more:
        with store_faults(row.id):
            await svc.store.grow_volume(row.id, size_gib * GIB, wait_s=svc.settings.pause_wait_s)
        provisions = {"volume.gigabytes": more} if row.is_charged else {}
        charge = svc.quota.reserved(project_id=row.project_id, user_id=row.user_id, provisions=provisions)
        async with charge as commission, svc.db.begin() as uow:
            values = {"size_gib": size_gib, "updated_at": svc.clock.now_us()}
            same = [volumes.volumes.c.size_gib == row.size_gib]
            if not await volumes.change(uow, [row.id], values=values, conditions=same):
                raise Conflict("The root disk was changed at the same time.", code="volume.volume.changed")
            svc.quota.accept(uow, commission)
    return {**view(row), "size_gib": size_gib}


async def freeze_volume(svc: Services, volume_id: str, *, project_id: str) -> dict[str, Any]:
    """A root of the volume as it is now, hidden ones too. Raises VolumeNotFound, VolumeBusy."""
    async with svc.db.read() as uow:
        row = await volumes.get(uow, volume_id.lower(), project_id=project_id, hidden=True)
    if row is None:
        raise VolumeNotFound(volume_id)
    with store_faults(row.id):
        root = await svc.store.snapshot_volume(row.id, wait_s=svc.settings.pause_wait_s)
    return {"root": root_text(root), "size_bytes": root.size, "digest": root.digest}
