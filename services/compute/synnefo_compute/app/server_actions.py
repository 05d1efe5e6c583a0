"""What is done to a server that exists. A single Ganeti action is intent + job; what touches other services is a saga."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from synnefo_common.db import UnitOfWork
from synnefo_common.errors import BadRequest, Conflict, Fault, NotFound
from synnefo_compute.app.core import Compute
from synnefo_compute.app.jobs import emit_job
from synnefo_compute.app.sagas import server_delete, server_resize
from synnefo_compute.app.server_create import flavor_document
from synnefo_compute.db import actions, flavors, projections, servers
from synnefo_compute.domain.errors import InvalidReference, ServerConflict, ServerLocked, ServerNotFound
from synnefo_compute.domain.states import ALLOWED, PowerState, TaskState, VmState


async def load(uow: UnitOfWork, server_id: str, *, project_id: str | None) -> Row[Any]:
    """The row. Raises ServerNotFound."""
    row = await servers.get_server(uow, server_id, project_id=project_id)
    if row is None:
        raise ServerNotFound(server_id)
    return row


async def load_unlocked(uow: UnitOfWork, server_id: str, *, project_id: str | None) -> Row[Any]:
    """The row for one who wants to change it. Raises ServerNotFound, and ServerLocked for all but administrators (no project)."""
    row = await load(uow, server_id, project_id=project_id)
    if row.locked_by is not None and project_id is not None:
        raise ServerLocked(server_id)
    return row


def check(row: Row[Any], action: str, *, ignore_task: bool = False) -> None:
    """Raises ServerConflict if the state does not allow the action."""
    if row.task_state is not None and not ignore_task:
        raise ServerConflict(row.id, action=action, vm_state=row.vm_state, task_state=row.task_state)
    if row.vm_state not in ALLOWED[action]:
        raise ServerConflict(row.id, action=action, vm_state=row.vm_state, task_state=None)


async def begin_action(
    uow: UnitOfWork, row: Row[Any], *, action: str, event: str, user_id: str, request_id: str
) -> str:
    """Record the instance action; its id."""
    action_id = uow.db.ids.uuid()
    await actions.start(
        uow,
        [
            {
                "id": action_id, "server_id": row.id, "action": action, "request_id": request_id, "user_id": user_id,
                "project_id": row.project_id, "event": event, "started_at": uow.db.clock.now_us(), "finished_at": None, "message": None,
            }
        ],
    )  # fmt: skip
    return action_id


async def _set(uow: UnitOfWork, row: Row[Any], action: str, values: dict[str, Any]) -> None:
    if not await servers.change(uow, row.id, values, generation=row.generation):
        raise Conflict(f"Cannot '{action}' instance {row.id}: it changed at the same time; try again.", code="compute.server.conflict")


_POWER = {
    "start": ("start", "instance.startup", TaskState.POWERING_ON, "compute_start_instance", {}),
    "stop": ("stop", "instance.shutdown", TaskState.POWERING_OFF, "compute_stop_instance", {}),
    "reboot_soft": ("reboot", "instance.reboot", TaskState.REBOOTING, "compute_reboot_instance", {"type": "soft"}),
    "reboot_hard": ("reboot", "instance.reboot", TaskState.REBOOTING_HARD, "compute_reboot_instance", {"type": "hard"}),
}


async def power(compute: Compute, server_id: str, kind: str, *, project_id: str | None, user_id: str, request_id: str) -> None:
    """Start, stop or reboot. Raises ServerNotFound, ServerConflict."""
    name, verb, task, event, params = _POWER[kind]
    async with compute.db.begin() as uow:
        row = await load_unlocked(uow, server_id, project_id=project_id)
        check(row, kind)
        if row.cluster is None:
            raise Conflict(f"Instance {server_id} was never built: delete it.", code="compute.server.conflict")
        if kind == "reboot_hard" and row.vm_state != VmState.ACTIVE:
            verb, params = "instance.startup", {}
        action_id = await begin_action(uow, row, action=name, event=event, user_id=user_id, request_id=request_id)
        token = f"action:{action_id}"
        await _set(uow, row, name, {"task_state": task, "job_token": token, "action_id": action_id})
        emit_job(uow, server_id=row.id, cluster=row.cluster, verb=verb, token=token, params=params)


async def delete(compute: Compute, server_id: str, *, project_id: str | None, user_id: str, request_id: str) -> None:
    """Destroy always wins: whatever is under way, the server goes. A second call is accepted and does nothing."""
    async with compute.db.begin() as uow:
        row = await load_unlocked(uow, server_id, project_id=project_id)
        if row.delete_requested:
            return
        action_id = await begin_action(
            uow, row, action="delete", event="compute_terminate_instance", user_id=user_id, request_id=request_id
        )
        is_building = row.vm_state == VmState.BUILDING and row.saga_id is not None
        await _set(uow, row, "delete", {"delete_requested": True, "task_state": TaskState.DELETING, "action_id": action_id})
        if is_building:  # the create saga starts the deletion at its end
            return
        fresh = await load(uow, server_id, project_id=None)
        await server_delete.start(uow, compute, fresh)


async def resize(
    compute: Compute, server_id: str, flavor_id: str, *, disk_config: str | None, project_id: str | None, user_id: str, request_id: str,
    is_admin: bool,
) -> None:  # fmt: skip
    """Begin a resize. Raises QuotaExceeded, ServerConflict, BadRequest."""
    async with compute.db.read() as uow:
        row = await load_unlocked(uow, server_id, project_id=project_id)
        flavor = await flavors.get_flavor(uow, flavor_id, project_id=row.project_id, is_admin=is_admin)
        volumes = (await projections.of_servers(uow, projections.server_volumes, [server_id])).get(server_id, [])
    if flavor is None or flavor.is_disabled:
        raise InvalidReference(f"Flavor {flavor_id[:100]} could not be found.")
    check(row, "resize")
    old, new = row.flavor, flavor_document(flavor)
    if new["id"] == old["id"]:
        raise BadRequest("When resizing, instances must change flavor!")
    root = next((v for v in volumes if v.get("boot_index") == 0), None)
    if row.image_id and new["disk"] < old["disk"] and new["disk"] != 0:
        raise BadRequest("Resize to a flavor with a smaller disk is not possible: the disk would lose data.")
    grow = new["disk"] if row.image_id and root and new["disk"] > old["disk"] and compute.settings.resize_disk else 0
    growth = {
        "compute.cores": max(0, new["vcpus"] - old["vcpus"]), "compute.ram_mib": max(0, new["ram"] - old["ram"]),
    }  # fmt: skip
    commission = await compute.quota.reserve((row.project_id, row.user_id), growth)
    try:
        async with compute.db.begin() as uow:
            row = await load_unlocked(uow, server_id, project_id=project_id)
            check(row, "resize")
            action_id = await begin_action(
                uow, row, action="resize", event="compute_prep_resize", user_id=user_id, request_id=request_id
            )
            data = {
                "server_id": row.id, "project_id": row.project_id, "user_id": row.user_id, "cluster": row.cluster, "action_id": action_id,
                "was_running": row.vm_state == VmState.ACTIVE, "old": old, "new": new, "commission_id": commission.id,
                "charged": {"vcpus": max(old["vcpus"], new["vcpus"]), "ram": max(old["ram"], new["ram"])}, "grow_root_gib": grow,
                "root_volume_id": root["id"] if root else None,
            }  # fmt: skip
            saga_id = await compute.sagas.start(uow, server_resize.NAME, data=data)
            values = {"task_state": TaskState.RESIZE_PREP, "saga_id": saga_id, "action_id": action_id}
            await _set(uow, row, "resize", values | ({"disk_config": disk_config} if disk_config else {}))
    except BaseException:
        async with compute.db.begin() as uow:
            compute.quota.reject(uow, commission)
        raise


async def confirm_resize(compute: Compute, server_id: str, *, project_id: str | None, user_id: str, request_id: str) -> None:
    """Keep the new flavor; the ledger gets back what a smaller one frees."""
    async with compute.db.begin() as uow:
        row = await load_unlocked(uow, server_id, project_id=project_id)
        check(row, "confirm_resize")
        action_id = await begin_action(
            uow, row, action="confirmResize", event="compute_confirm_resize", user_id=user_id, request_id=request_id
        )
        state = VmState.ACTIVE if row.power_state == PowerState.RUNNING else VmState.STOPPED
        flavor = row.flavor
        values = {"vm_state": state, "old_flavor": None, "vcpus": flavor["vcpus"], "ram_mib": flavor["ram"], "disk_gib": flavor["disk"]}
        await _set(uow, row, "confirmResize", values)
        freed = {"compute.cores": row.vcpus - flavor["vcpus"], "compute.ram_mib": row.ram_mib - flavor["ram"]}
        compute.quota.release(uow, project_id=row.project_id, user_id=row.user_id, provisions=freed)
        await actions.finish(uow, action_id)


async def revert_resize(compute: Compute, server_id: str, *, project_id: str | None, user_id: str, request_id: str) -> None:
    """Back to the old flavor."""
    async with compute.db.begin() as uow:
        row = await load_unlocked(uow, server_id, project_id=project_id)
        check(row, "revert_resize")
        action_id = await begin_action(
            uow, row, action="revertResize", event="compute_revert_resize", user_id=user_id, request_id=request_id
        )
        old, charged = row.old_flavor, {"vcpus": row.vcpus, "ram": row.ram_mib}
        data = {
            "server_id": row.id, "project_id": row.project_id, "user_id": row.user_id, "cluster": row.cluster, "action_id": action_id,
            "was_running": row.power_state == PowerState.RUNNING, "old": old, "new": row.flavor, "charged": charged, "grow_root_gib": 0,
            "root_volume_id": None, "commission_id": "",
            "release": {"compute.cores": charged["vcpus"] - old["vcpus"], "compute.ram_mib": charged["ram"] - old["ram"]},
        }  # fmt: skip
        saga_id = await compute.sagas.start(uow, server_resize.REVERT_NAME, data=data)
        await _set(uow, row, "revertResize", {"task_state": TaskState.RESIZE_REVERTING, "saga_id": saga_id, "action_id": action_id})


async def create_image(
    compute: Compute, server_id: str, *, name: str, metadata: dict[str, str], project_id: str | None, user_id: str, request_id: str
) -> str:
    """An image of the server's root disk; its id. A snapshot in the block store is a root record: no byte is copied."""
    async with compute.db.read() as uow:
        row = await load(uow, server_id, project_id=project_id)
        volumes = (await projections.of_servers(uow, projections.server_volumes, [server_id])).get(server_id, [])
    check(row, "create_image")
    root = next((v for v in volumes if v.get("boot_index") == 0), None)
    if root is None:
        raise Conflict(f"Instance {server_id} has no root disk to make an image of.", code="compute.server.no_root_disk")
    async with compute.db.begin() as uow:
        action_id = await begin_action(
            uow, row, action="createImage", event="compute_snapshot_instance", user_id=user_id, request_id=request_id
        )
    try:
        frozen = await compute.volume.freeze(root["id"], project_id=row.project_id, key=f"{action_id}:freeze")
        properties = {
            **metadata, "image_type": "snapshot", "instance_uuid": row.id, "user_id": row.user_id, "owner_id": row.project_id,
            "image_location": "snapshot", "image_state": "available", "instance_type_flavorid": str(row.flavor["id"]),
        }  # fmt: skip
        if row.image_id:
            properties["base_image_ref"] = row.image_id
        image_id = await compute.image.create_image(
            {
                "project_id": row.project_id, "user_id": user_id, "name": name, "disk_format": "raw", "container_format": "bare",
                "visibility": "private", "min_disk": int(root["size_gib"]), "min_ram": 0, "properties": properties, "root": frozen["root"],
                "size": frozen["size_bytes"],
            },
            key=f"{action_id}:image",
        )  # fmt: skip
    except Fault as fault:
        async with compute.db.begin() as uow:
            await actions.finish(uow, action_id, message=fault.message)
        raise
    async with compute.db.begin() as uow:
        await actions.finish(uow, action_id)
    return image_id


async def console_output(compute: Compute, server_id: str, *, project_id: str | None, length: int | None) -> str:
    """The serial console's output. Raises Conflict where the hypervisor has no serial console."""
    async with compute.db.read() as uow:
        row = await load(uow, server_id, project_id=project_id)
    if row.cluster is None or row.vm_state == VmState.BUILDING:
        raise Conflict(f"Instance {server_id} is not ready", code="compute.server.not_ready")
    try:
        return await compute.dispatcher.console_log(server_id, length=length)
    except NotFound as fault:
        raise Conflict(f"Unable to get console log of {server_id}: {fault.message}", code="compute.console.unavailable") from fault


async def reset_state(compute: Compute, server_id: str, *, state: str, user_id: str, request_id: str) -> None:
    """An administrator says what is true. A live saga goes on and may say otherwise."""
    async with compute.db.begin() as uow:
        row = await load(uow, server_id, project_id=None)
        action_id = await begin_action(
            uow, row, action="resetState", event="compute_reset_state", user_id=user_id, request_id=request_id
        )
        vm_state = VmState.ACTIVE if state == "active" else VmState.ERROR
        await _set(uow, row, "resetState", {"vm_state": vm_state, "task_state": None, "job_token": None})
        await actions.finish(uow, action_id)


async def refuse_by_state(compute: Compute, server_id: str, action: str, *, project_id: str | None) -> None:
    """For what undoes an action that this cloud has not: no server is ever in such a state. Raises ServerNotFound, ServerConflict."""
    async with compute.db.read() as uow:
        row = await load(uow, server_id, project_id=project_id)
    raise ServerConflict(row.id, action=action, vm_state=row.vm_state, task_state=None)
