"""Volumes and ports that come to a server or leave it: the saga's row first, then the owner of the volume or port is asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import Row

from synnefo_common.db import UnitOfWork
from synnefo_common.errors import BadRequest, Conflict, Fault, NotFound
from synnefo_compute.app.core import Compute
from synnefo_compute.app.sagas import interface_attach, volume_attach
from synnefo_compute.app.server_actions import begin_action, check, load, load_unlocked
from synnefo_compute.db import projections
from synnefo_compute.db.projections import server_ports, server_volumes
from synnefo_compute.domain.errors import InvalidReference
from synnefo_compute.domain.states import TaskState


async def _ready(uow: UnitOfWork, server_id: str, *, project_id: str | None, action: str) -> Row[Any]:
    row = await load_unlocked(uow, server_id, project_id=project_id)
    check(row, action)
    if row.task_state == TaskState.DELETING or row.cluster is None:
        raise Conflict(f"Cannot '{action}' instance {server_id}: it is being deleted or was never built.", code="compute.server.conflict")
    return row


async def _ask(compute: Compute, saga_id: str, call: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
    """Ask the owner in the request; tell the saga how it ended. A fault that leaves the outcome open lets the saga find out."""
    try:
        answer = await call()
    except Fault as fault:
        if fault.http_status < 500:
            async with compute.db.begin() as uow:
                error = {"message": fault.message, "code": fault.code, "kind": fault.kind, "status": fault.http_status}
                await compute.sagas.signal(uow, saga_id, "begin", {"error": error})
        raise
    return answer


async def attach_volume(
    compute: Compute, server_id: str, volume_id: str, *, device_name: str | None, project_id: str | None, user_id: str, request_id: str
) -> dict[str, Any]:
    """The attached volume. Raises NotFound, Conflict, BadRequest."""
    async with compute.db.begin() as uow:
        row = await _ready(uow, server_id, project_id=project_id, action="attach_volume")
        if await projections.get(uow, server_volumes, server_id, volume_id):
            raise BadRequest(f"Invalid volume: volume {volume_id} is already attached to instance {server_id}.")
        action_id = await begin_action(
            uow, row, action="attach_volume", event="compute_attach_volume", user_id=user_id, request_id=request_id
        )
        data = {
            "server_id": row.id, "project_id": row.project_id, "user_id": row.user_id, "cluster": row.cluster, "volume_id": volume_id,
            "device_name": device_name, "action_id": action_id,
        }  # fmt: skip
        saga_id = await compute.sagas.start(uow, volume_attach.ATTACH, data=data)
    body = {"project_id": row.project_id, "user_id": row.user_id, "device_name": device_name}
    key = volume_attach.reserve_key(saga_id)
    try:
        volume = await _ask(compute, saga_id, lambda: compute.volume.attach(server_id, volume_id, body, key=key))
    except Conflict as fault:
        raise BadRequest(f"Invalid volume: {fault.message}") from fault
    async with compute.db.begin() as uow:
        await compute.sagas.signal(uow, saga_id, "begin", {})
        await projections.put(uow, server_volumes, server_id, [volume], seq=0)
    return volume


async def detach_volume(
    compute: Compute, server_id: str, volume_id: str, *, project_id: str | None, user_id: str, request_id: str
) -> None:
    """Begin to detach. Raises NotFound, Conflict, BadRequest (the root disk stays)."""
    async with compute.db.begin() as uow:
        row = await load(uow, server_id, project_id=project_id)
        volume = await projections.get(uow, server_volumes, server_id, volume_id)
        if volume is None or not volume.get("visible", True):
            raise NotFound(f"Instance {server_id} is not attached to volume {volume_id[:100]}.", code="compute.attachment.not_found")
        row = await _ready(uow, server_id, project_id=project_id, action="detach_volume")
        if volume.get("boot_index") == 0:
            raise BadRequest("Cannot detach a root device volume", code="compute.attachment.root")
        action_id = await begin_action(
            uow, row, action="detach_volume", event="compute_detach_volume", user_id=user_id, request_id=request_id
        )
        data = {
            "server_id": row.id, "project_id": row.project_id, "user_id": row.user_id, "cluster": row.cluster, "volume_id": volume_id,
            "action_id": action_id,
        }  # fmt: skip
        await compute.sagas.start(uow, volume_attach.DETACH, data=data)


async def list_volumes(compute: Compute, server_id: str, *, project_id: str | None) -> list[dict[str, Any]]:
    """The attached volumes that the volume API shows too."""
    async with compute.db.read() as uow:
        await load(uow, server_id, project_id=project_id)
        found = await projections.of_servers(uow, server_volumes, [server_id])
    return [v for v in found.get(server_id, []) if v.get("visible", True)]


async def attach_interface(
    compute: Compute, server_id: str, network: dict[str, Any] | str, *, project_id: str | None, user_id: str, request_id: str
) -> dict[str, Any]:
    """The attached port; `network` may be `auto`. Raises NotFound, Conflict, BadRequest, QuotaExceeded."""
    async with compute.db.begin() as uow:
        row = await _ready(uow, server_id, project_id=project_id, action="attach_interface")
        action_id = await begin_action(
            uow, row, action="attach_interface", event="compute_attach_interface", user_id=user_id, request_id=request_id
        )
        data = {
            "server_id": row.id, "project_id": row.project_id, "user_id": row.user_id, "cluster": row.cluster, "network": network,
            "action_id": action_id,
        }  # fmt: skip
        saga_id = await compute.sagas.start(uow, interface_attach.ATTACH, data=data)
    key = interface_attach.reserve_key(saga_id)
    try:
        port = await _ask(compute, saga_id, lambda: compute.network.add_port(server_id, interface_attach.request_body(data), key=key))
    except NotFound as fault:
        raise InvalidReference(fault.message) from fault
    except Conflict as fault:
        if fault.kind == "NetworkAmbiguous":
            raise InvalidReference(fault.message) from fault
        raise
    async with compute.db.begin() as uow:
        await compute.sagas.signal(uow, saga_id, "begin", {})
        await projections.put(uow, server_ports, server_id, [port], seq=0)
    return port


async def detach_interface(
    compute: Compute, server_id: str, port_id: str, *, project_id: str | None, user_id: str, request_id: str
) -> None:
    """Begin to detach. Raises NotFound, Conflict."""
    async with compute.db.begin() as uow:
        row = await load(uow, server_id, project_id=project_id)
        if await projections.get(uow, server_ports, server_id, port_id) is None:
            raise NotFound(f"Port {port_id[:100]} is not attached to instance {server_id}.", code="compute.interface.not_found")
        row = await _ready(uow, server_id, project_id=project_id, action="detach_interface")
        action_id = await begin_action(
            uow, row, action="detach_interface", event="compute_detach_interface", user_id=user_id, request_id=request_id
        )
        data = {
            "server_id": row.id, "project_id": row.project_id, "user_id": row.user_id, "cluster": row.cluster, "port_id": port_id,
            "action_id": action_id,
        }  # fmt: skip
        await compute.sagas.start(uow, interface_attach.DETACH, data=data)


async def change_security_groups(compute: Compute, server_id: str, group: str, *, adds: bool, project_id: str | None) -> None:
    """A server's security groups are those of its ports: all are put into the group, or taken out. Raises NotFound, Conflict."""
    async with compute.db.read() as uow:
        row = await load(uow, server_id, project_id=project_id)
    ports = await compute.network.change_groups(server_id, group, project_id=row.project_id, adds=adds)
    async with compute.db.begin() as uow:
        await projections.refresh(uow, server_ports, ports)


async def list_interfaces(compute: Compute, server_id: str, *, project_id: str | None) -> list[dict[str, Any]]:
    """The server's ports."""
    async with compute.db.read() as uow:
        await load(uow, server_id, project_id=project_id)
        found = await projections.of_servers(uow, server_ports, [server_id])
    return found.get(server_id, [])
