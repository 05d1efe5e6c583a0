"""Accepting new servers: everything that can be refused is refused here, before a row is written."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Row

from synnefo_common.errors import BadRequest, Conflict, Fault, NotFound, QuotaExceeded
from synnefo_common.quota import Commission
from synnefo_compute.app import config_drive
from synnefo_compute.app.core import Compute
from synnefo_compute.app.place import zones_of
from synnefo_compute.app.sagas import server_create as create_saga
from synnefo_compute.db import actions, clusters, flavors, guests, keypairs, servers
from synnefo_compute.domain.errors import InvalidReference
from synnefo_compute.domain.states import PowerState, TaskState, VmState

HYPERVISOR_SPEC = "synnefo:hypervisor"  # of a flavor: the servers go to clusters whose hypervisor it is
BOOTABLE_FORMATS = ("raw", "iso", "ami", "aki", "ari")  # the disk is a clone of the image's bytes


@dataclass(frozen=True)
class ServerRequest:
    """A validated body of POST /servers. `disks` are block device mappings in boot order, without the image's own."""

    name: str
    flavor_id: str
    image_id: str | None
    networks: Any  # "auto", "none" or a list
    security_groups: list[str]
    key_name: str | None
    metadata: dict[str, str]
    user_data: str | None
    config_drive: bool | None  # None: as the operator and the image want it
    disk_config: str
    zone: str | None
    forced: str | None
    access_ip_v4: str
    access_ip_v6: str
    disks: list[dict[str, Any]] = field(default_factory=list)
    files: list[dict[str, str]] = field(default_factory=list)  # path, contents in base64
    admin_pass: str | None = None
    count: int = 1  # at most
    least: int = 1


def flavor_document(row: Row[Any]) -> dict[str, Any]:
    """The flavor as it is embedded in a server."""
    return {
        "id": row.id, "name": row.name, "vcpus": row.vcpus, "ram": row.ram_mib, "disk": row.disk_gib, "ephemeral": row.ephemeral_gib,
        "swap": row.swap_mib, "extra_specs": row.extra_specs,
    }  # fmt: skip


def hostname_of(name: str) -> str:
    """A host name from a display name, as Nova derives it."""
    text = re.sub(r"[ _]", "-", name)
    text = re.sub(r"[^\w.-]", "", text, flags=re.ASCII).lower().strip(".-")
    return text[:63] or "server"


async def create_servers(
    compute: Compute, wanted: ServerRequest, *, project_id: str, user_id: str, request_id: str, is_admin: bool
) -> list[dict[str, Any]]:
    """Accept the servers and start building them; their new rows. Raises BadRequest, Forbidden, QuotaExceeded, Conflict."""
    async with compute.db.read() as uow:
        flavor = await flavors.get_flavor(uow, wanted.flavor_id, project_id=project_id, is_admin=is_admin)
        if flavor is None or flavor.is_disabled:
            raise InvalidReference(f"Flavor {wanted.flavor_id[:100]} could not be found.")
        keypair = await keypairs.get_keypair(uow, user_id, wanted.key_name) if wanted.key_name else None
        if wanted.key_name and keypair is None:
            raise InvalidReference("Invalid key_name provided.")
        if wanted.zone and wanted.zone not in await _zones(uow, compute):
            raise InvalidReference("The requested availability zone is not available")
    image = await _image(compute, wanted, project_id, flavor)
    has_drive = config_drive.is_wanted(compute.settings, wanted.config_drive, image=image, has_files=bool(wanted.files))
    wanted = replace(wanted, config_drive=has_drive)
    volumes, new_volumes = _volumes(wanted, flavor, image, await _disks(compute, wanted, project_id))
    for volume in volumes:  # so that the volume service need not ask for the image again
        if image is not None and volume["source"] == "image" and volume["uuid"] == image["id"]:
            volume |= {"image": image, "image_seen_at": compute.clock.now_us()}
    new_ports = await _check_networks(compute, wanted, project_id)
    provisions = {"compute.instances": 1, "compute.cores": flavor.vcpus, "compute.ram_mib": flavor.ram_mib, "network.ports": new_ports}
    provisions |= new_volumes
    commissions: list[Commission] = []
    try:
        for _ in range(wanted.count):  # a commission a server; as many servers as there is quota for, but not fewer than the least
            try:
                commissions.append(await compute.quota.reserve((project_id, user_id), provisions))
            except QuotaExceeded:
                if len(commissions) < wanted.least:
                    raise
                break
        return await _insert(
            compute, wanted, flavor=flavor, keypair=keypair, volumes=volumes, new_volumes=new_volumes, new_ports=new_ports,
            commissions=commissions, project_id=project_id, user_id=user_id, request_id=request_id,
        )  # fmt: skip
    except BaseException:
        await _reject(compute, commissions)
        raise


async def _reject(compute: Compute, commissions: list[Commission]) -> None:
    if commissions:
        async with compute.db.begin() as uow:
            for commission in commissions:
                compute.quota.reject(uow, commission)


async def _zones(uow: Any, compute: Compute) -> set[str]:
    found = {zone for row in await clusters.list_clusters(uow) for zone in zones_of(row)}
    return found | {compute.settings.availability_zone}


async def _image(compute: Compute, wanted: ServerRequest, project_id: str, flavor: Row[Any]) -> dict[str, Any] | None:
    image_id = wanted.image_id or next((d["uuid"] for d in wanted.disks if d["source"] == "image" and d["boot_index"] == 0), None)
    if image_id is None:
        return None
    try:
        image = await compute.image.get_image(image_id, project_id=project_id)
    except NotFound:
        raise InvalidReference(f"Image {image_id} could not be found.") from None
    if image["status"] != "active":
        raise InvalidReference(f"Image {image_id} is not active.")
    if image.get("disk_format", "raw") not in BOOTABLE_FORMATS:
        raise BadRequest(
            f"Image {image_id} has disk format {image['disk_format']}: servers boot from {', '.join(BOOTABLE_FORMATS)} only. "
            "Convert it, as by qemu-img convert -O raw, and upload it again."
        )
    if (image.get("min_ram") or 0) > flavor.ram_mib:
        raise BadRequest("Flavor's memory is too small for requested image.")
    if wanted.image_id and flavor.disk_gib:
        size = max(image.get("size") or 0, image.get("virtual_size") or 0)
        if size > flavor.disk_gib << 30:
            raise BadRequest(f"Flavor's disk is too small for requested image. Flavor disk is {flavor.disk_gib << 30} bytes, image is {size} bytes.")
        if (image.get("min_disk") or 0) > flavor.disk_gib:
            raise BadRequest(
                f"Flavor's disk is smaller than the minimum size specified in image metadata. Flavor disk is {flavor.disk_gib << 30} bytes, "
                f"minimum size is {image['min_disk'] << 30} bytes."
            )
    return image


async def _disks(compute: Compute, wanted: ServerRequest, project_id: str) -> list[dict[str, Any]]:
    """The block devices; the volume service has seen that its own are there, free and bootable, and says how large they are."""
    its = ("volume", "snapshot")
    asked = [{key: d[key] for key in ("source", "uuid", "size_gib", "boot_index")} for d in wanted.disks if d["source"] in its]
    if not asked:
        return wanted.disks
    try:
        sizes = iter(await compute.volume.check(project_id=project_id, volumes=asked))
    except (BadRequest, NotFound, Conflict) as fault:
        raise InvalidReference(f"Block Device Mapping is Invalid: {fault.message}") from fault
    return [{**d, "size_gib": next(sizes)} if d["source"] in its else d for d in wanted.disks]


def _volumes(
    wanted: ServerRequest, flavor: Row[Any], image: dict[str, Any] | None, disks: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """The disks to ask the volume service for, and what they count in the ledger (the root disk of an image counts nothing)."""
    volumes: list[dict[str, Any]] = []
    if wanted.image_id is not None:
        assert image is not None
        needed = -(-max(image.get("size") or 0, image.get("virtual_size") or 0) // (1 << 30))
        volumes.append(
            {
                "boot_index": 0, "source": "image", "uuid": wanted.image_id, "size_gib": max(flavor.disk_gib, needed, image.get("min_disk") or 0, 1),
                "delete_on_termination": True, "visible": False, "name": "",
            }
        )  # fmt: skip
    elif not disks and flavor.disk_gib:
        volumes.append(
            {"boot_index": 0, "source": "blank", "size_gib": flavor.disk_gib, "delete_on_termination": True, "visible": False, "name": ""}
        )
    volumes.extend({**disk, "visible": disk["source"] != "volume"} for disk in disks)
    counted = [v for v in volumes if v["visible"] and v["source"] != "volume"]
    if wanted.config_drive:
        volumes.append(config_drive.DISK)
    new = {"volume.volumes": len(counted), "volume.gigabytes": sum(v["size_gib"] for v in counted)}
    return volumes, new


async def _check_networks(compute: Compute, wanted: ServerRequest, project_id: str) -> int:
    try:  # also for none: there may be networks that every server has
        return await compute.network.check(project_id=project_id, networks=wanted.networks, security_groups=wanted.security_groups)
    except NotFound as fault:
        raise InvalidReference(fault.message) from fault
    except Fault as fault:
        if fault.http_status == 400:
            raise InvalidReference(fault.message) from fault
        raise


async def _insert(
    compute: Compute, wanted: ServerRequest, *, flavor: Row[Any], keypair: Row[Any] | None, volumes: list[dict[str, Any]],
    new_volumes: dict[str, int], new_ports: int, commissions: list[Commission], project_id: str, user_id: str, request_id: str,
) -> list[dict[str, Any]]:  # fmt: skip
    ids, now = compute.ids, compute.clock.now_us()
    reservation = "r-" + ids.hex()[:8]
    document = flavor_document(flavor)
    rows, started, datas = [], [], []
    for index, commission in enumerate(commissions):
        server_id, action_id, saga_id = ids.uuid(), ids.uuid(), ids.uuid()
        name = wanted.name if wanted.count == 1 else f"{wanted.name}-{index + 1}"
        rows.append(
            {
                "id": server_id, "project_id": project_id, "user_id": user_id, "name": name, "hostname": hostname_of(name),
                "vm_state": VmState.BUILDING, "task_state": TaskState.SCHEDULING, "power_state": PowerState.NOSTATE, "generation": 1,
                "cluster": None, "node": None, "image_id": wanted.image_id, "flavor": document, "flavor_id": flavor.id, "old_flavor": None,
                "vcpus": flavor.vcpus, "ram_mib": flavor.ram_mib, "disk_gib": flavor.disk_gib, "key_name": wanted.key_name,
                "metadata": wanted.metadata, "user_data": wanted.user_data, "config_drive": bool(wanted.config_drive),
                "disk_config": wanted.disk_config, "availability_zone": wanted.zone, "access_ip_v4": wanted.access_ip_v4,
                "access_ip_v6": wanted.access_ip_v6, "progress": 0, "fault": None, "reservation_id": reservation, "launch_index": index,
                "commission_id": commission.id, "saga_id": saga_id, "job_token": None, "action_id": action_id, "delete_requested": False,
                "fact_order": None, "created_at": now, "updated_at": now, "task_since": now, "launched_at": None, "deleted_at": None,
            }
        )  # fmt: skip
        started.append(
            {
                "id": action_id, "server_id": server_id, "action": "create", "request_id": request_id, "user_id": user_id,
                "project_id": project_id, "event": "compute__do_build_and_run_instance", "started_at": now, "finished_at": None, "message": None,
            }
        )  # fmt: skip
        datas.append(
            {
                "server_id": server_id, "name": name, "project_id": project_id, "user_id": user_id, "networks": wanted.networks,
                "security_groups": wanted.security_groups, "volumes": volumes, "vcpus": flavor.vcpus, "ram_mib": flavor.ram_mib,
                "disk_gib": sum(v.get("size_gib") or 0 for v in volumes), "zone": wanted.zone, "forced": wanted.forced, "new_ports": new_ports,
                "new_volumes": new_volumes, "config_drive": bool(wanted.config_drive),
                "hypervisor": (document.get("extra_specs") or {}).get(HYPERVISOR_SPEC),
                "commission_id": commission.id, "action_id": action_id, "created_at": now,
            }
        )  # fmt: skip
    told = [_guest(row["id"], wanted, keypair) for row in rows if keypair is not None or wanted.config_drive]
    async with compute.db.begin() as uow:
        await servers.insert_servers(uow, rows)
        if told:
            await guests.insert_guests(uow, told)
        await actions.start(uow, started)
        for row, data in zip(rows, datas, strict=True):
            await compute.sagas.start(uow, create_saga.NAME, data=data, saga_id=row["saga_id"])
    return rows


def _guest(server_id: str, wanted: ServerRequest, keypair: Row[Any] | None) -> dict[str, Any]:
    """What the guest will be told; the password and the files only for its config drive."""
    has_drive = bool(wanted.config_drive)
    return {
        "server_id": server_id, "public_key": keypair.public_key if keypair else None, "password": "",
        "files": wanted.files if has_drive else [], "admin_pass": wanted.admin_pass if has_drive else None,
    }  # fmt: skip
