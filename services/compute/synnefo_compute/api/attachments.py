"""Volumes and interfaces of a server, at 2.1."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import AfterValidator, Field, StringConstraints
from starlette.responses import Response

from synnefo_common.errors import BadRequest, NotFound
from synnefo_common.web import Ctx, answer, empty
from synnefo_common.web.paging import read_limit
from synnefo_compute.api.base import CLEAN_QUERY, StrictBody, Svc, project_filter
from synnefo_compute.api.schemas.servers import StrictUuid
from synnefo_compute.app import attachments

router = APIRouter(prefix="/v2.1/servers/{server_id}", tags=["server attachments"], dependencies=[CLEAN_QUERY])


class VolumeAttachment(StrictBody):
    """`volumeAttachment`."""

    volumeId: StrictUuid
    device: Annotated[str, StringConstraints(max_length=255, pattern=r"(^/dev/x{0,1}[a-z]{0,1}d{0,1})([a-z]+)[0-9]*$")] | None = None


class VolumeAttachmentBody(StrictBody):
    """POST os-volume_attachments."""

    volumeAttachment: VolumeAttachment


class FixedIp(StrictBody):
    """An item of `fixed_ips`."""

    ip_address: Annotated[str, AfterValidator(lambda text: str(ipaddress.ip_address(text)))]


class InterfaceAttachment(StrictBody):
    """`interfaceAttachment`."""

    net_id: StrictUuid | None = None
    port_id: StrictUuid | None = None
    fixed_ips: Annotated[list[FixedIp], Field(min_length=1, max_length=1)] | None = None


class InterfaceAttachmentBody(StrictBody):
    """POST os-interface."""

    interfaceAttachment: InterfaceAttachment | None = None


def _volume(server_id: str, volume: dict[str, Any]) -> dict[str, Any]:
    return {"id": volume["id"], "serverId": server_id, "volumeId": volume["id"], "device": volume.get("device_name")}


@router.get("/os-volume_attachments")
async def list_volume_attachments(server_id: str, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """The server's volumes."""
    ctx.require("os_compute_api:os-volumes-attachments:index")
    found = await attachments.list_volumes(svc, server_id, project_id=project_filter(ctx))
    limit = read_limit(request.query_params.get("limit"), svc.settings.max_page)
    offset = read_limit(request.query_params.get("offset") or "0", 2**31 - 1)
    return answer({"volumeAttachments": [_volume(server_id, v) for v in found[offset : offset + limit]]})


@router.post("/os-volume_attachments")
async def attach_volume(server_id: str, body: VolumeAttachmentBody, ctx: Ctx, svc: Svc) -> Response:
    """Attach a volume."""
    ctx.require("os_compute_api:os-volumes-attachments:create")
    wanted = body.volumeAttachment
    volume = await attachments.attach_volume(
        svc, server_id, wanted.volumeId, device_name=wanted.device, project_id=project_filter(ctx), user_id=ctx.user_id,
        request_id=ctx.request_id,
    )  # fmt: skip
    return answer({"volumeAttachment": _volume(server_id, volume)})


@router.get("/os-volume_attachments/{volume_id}")
async def show_volume_attachment(server_id: str, volume_id: str, ctx: Ctx, svc: Svc) -> Response:
    """One attachment."""
    ctx.require("os_compute_api:os-volumes-attachments:index")
    for volume in await attachments.list_volumes(svc, server_id, project_id=project_filter(ctx)):
        if volume["id"] == volume_id:
            return answer({"volumeAttachment": _volume(server_id, volume)})
    raise NotFound(f"Instance {server_id} is not attached to volume {volume_id[:100]}.")


@router.delete("/os-volume_attachments/{volume_id}", status_code=202)
async def detach_volume(server_id: str, volume_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Begin to detach a volume."""
    ctx.require("os_compute_api:os-volumes-attachments:delete")
    await attachments.detach_volume(
        svc, server_id, volume_id, project_id=project_filter(ctx), user_id=ctx.user_id, request_id=ctx.request_id
    )
    return empty(202)


def _interface(port: dict[str, Any]) -> dict[str, Any]:
    addresses = [{"subnet_id": a["subnet_id"], "ip_address": a["ip_address"]} for a in port.get("fixed_ips") or ()]
    return {
        "port_id": port["id"], "net_id": port["network_id"], "mac_addr": port["mac_address"], "port_state": port.get("status", "ACTIVE"),
        "fixed_ips": addresses,
    }  # fmt: skip


@router.get("/os-interface")
async def list_interfaces(server_id: str, ctx: Ctx, svc: Svc) -> Response:
    """The server's ports."""
    ctx.require("os_compute_api:os-attach-interfaces:list")
    found = await attachments.list_interfaces(svc, server_id, project_id=project_filter(ctx))
    return answer({"interfaceAttachments": [_interface(port) for port in found]})


@router.post("/os-interface")
async def attach_interface(server_id: str, ctx: Ctx, svc: Svc, body: InterfaceAttachmentBody) -> Response:
    """Attach a port: a given one, or a new one of a network."""
    ctx.require("os_compute_api:os-attach-interfaces:create")
    wanted = body.interfaceAttachment or InterfaceAttachment()
    if wanted.net_id and wanted.port_id:
        raise BadRequest("Must not input both network_id and port_id")
    if wanted.fixed_ips and not wanted.net_id:
        raise BadRequest("Must input network_id when request IP address")
    network: Any = "auto"  # the project's only network
    if wanted.port_id:
        network = {"port": wanted.port_id}
    elif wanted.net_id:
        network = {"uuid": wanted.net_id}
        if wanted.fixed_ips:
            network["fixed_ip"] = wanted.fixed_ips[0].ip_address
    port = await attachments.attach_interface(
        svc, server_id, network, project_id=project_filter(ctx), user_id=ctx.user_id, request_id=ctx.request_id
    )
    return answer({"interfaceAttachment": _interface(port)})


@router.get("/os-interface/{port_id}")
async def show_interface(server_id: str, port_id: str, ctx: Ctx, svc: Svc) -> Response:
    """One port."""
    ctx.require("os_compute_api:os-attach-interfaces:list")
    for port in await attachments.list_interfaces(svc, server_id, project_id=project_filter(ctx)):
        if port["id"] == port_id:
            return answer({"interfaceAttachment": _interface(port)})
    raise NotFound(f"Port {port_id[:100]} is not attached to instance {server_id}.")


@router.delete("/os-interface/{port_id}", status_code=202)
async def detach_interface(server_id: str, port_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Begin to detach a port."""
    ctx.require("os_compute_api:os-attach-interfaces:delete")
    await attachments.detach_interface(
        svc, server_id, port_id, project_id=project_filter(ctx), user_id=ctx.user_id, request_id=ctx.request_id
    )
    return empty(202)
