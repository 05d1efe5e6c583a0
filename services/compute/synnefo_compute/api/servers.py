"""Servers: create, list, show, update, delete, addresses."""

from __future__ import annotations

import base64
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from synnefo_common.errors import BadRequest, Forbidden, NotFound, QuotaExceeded
from synnefo_common.web import Context, Ctx, answer, empty, next_link, read_page
from synnefo_compute.api.base import CLEAN_QUERY, Svc, project_filter
from synnefo_compute.api.schemas.servers import CreateBody, ServerCreate, UpdateBody
from synnefo_compute.app import server_actions, server_list, server_update
from synnefo_compute.app.core import Compute
from synnefo_compute.app.quotas import CONSTANTS
from synnefo_compute.app.server_create import ServerRequest, create_servers
from synnefo_compute.app.views import links

router = APIRouter(prefix="/v2.1/servers", tags=["servers"], dependencies=[CLEAN_QUERY])
_DEFAULT_SORT = (("created_at", "desc"),)


async def _list(request: Request, ctx: Context, svc: Compute, *, details: bool) -> Response:
    ctx.require("os_compute_api:servers:detail" if details else "os_compute_api:servers:index")
    page = read_page(request, max_limit=svc.settings.max_page, sort_keys=server_list.SORT_KEYS, default_sort=_DEFAULT_SORT)
    query = dict(request.query_params)
    statuses = [text.upper() for text in request.query_params.getlist("status")]
    is_admin = ctx.may("os_compute_api:servers:index:get_all_tenants")
    if not is_admin and server_list.wants_all_projects(query):
        ctx.require("os_compute_api:servers:index:get_all_tenants")
    if not is_admin and statuses == ["DELETED"]:
        raise Forbidden("Only administrators may list deleted instances")
    found = await server_list.list_servers(svc, query, page, statuses=statuses, project_id=ctx.project_id, is_admin=is_admin, with_details=details)
    body: dict[str, Any]
    if details:
        extended = ctx.may("os_compute_api:os-extended-server-attributes")
        body = {
            "servers": [
                server_list.detail(svc, row, found.ports.get(row.id, []), found.volumes.get(row.id, []), is_admin=extended) for row in found.rows
            ]
        }
    else:
        body = {"servers": [server_list.summary(svc, row) for row in found.rows]}
    if found.more and page.limit:
        base = f"{svc.url}/servers{'/detail' if details else ''}"
        body["servers_links"] = [{"rel": "next", "href": next_link(request, found.rows[-1].id, base=base)}]
    return answer(body)


@router.get("")
async def list_servers(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Ids and names."""
    return await _list(request, ctx, svc, details=False)


@router.get("/detail")
async def list_servers_detail(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Everything."""
    return await _list(request, ctx, svc, details=True)


def _networks(server: ServerCreate, default: str) -> Any:
    if not server.networks:
        return default
    wanted = []
    for item in server.networks:
        if item.port is None and item.uuid is None:
            raise BadRequest("Bad network format: missing 'uuid'")
        wanted.append({k: v for k, v in item.model_dump().items() if v is not None})
    ports = [w["port"] for w in wanted if "port" in w]
    if len(set(ports)) != len(ports):
        raise BadRequest("A port is named twice in networks.")
    return wanted


def _disks(server: ServerCreate) -> list[dict[str, Any]]:
    """Block devices other than the image's own root disk."""
    devices = [d for d in server.block_device_mapping_v2 if not d.no_device]
    boots = [d.boot_index for d in devices if isinstance(d.boot_index, int) and d.boot_index >= 0]
    if len(set(boots)) != len(boots):
        raise BadRequest("Block Device Mapping is Invalid: Boot sequence for the instance and image/block device mapping combination is not valid.")
    disks = []
    for device in devices:
        is_image_root = device.source_type == "image" and device.destination_type != "volume"
        if is_image_root and (server.imageRef is None or device.uuid != server.imageRef or device.boot_index != 0):
            raise BadRequest("Block Device Mapping is Invalid: a local disk can only come from the server's own image, at boot index 0.")
        if is_image_root:
            continue
        if device.boot_index == 0 and server.imageRef is not None:
            raise BadRequest("Block Device Mapping is Invalid: both the image and a block device are at boot index 0.")
        if device.source_type == "image" and not device.volume_size:
            raise BadRequest("Block Device Mapping is Invalid: images with destination_type 'volume' need to have a non-zero size specified")
        boot_index = device.boot_index if isinstance(device.boot_index, int) else None
        disks.append(
            {
                "boot_index": boot_index if boot_index is not None and boot_index >= 0 else None, "source": device.source_type,
                "uuid": device.uuid, "size_gib": int(device.volume_size or 0), "delete_on_termination": device.delete_on_termination,
                "device_name": device.device_name, "name": "",
            }
        )  # fmt: skip
    return sorted(disks, key=lambda d: (d["boot_index"] is None, d["boot_index"] or 0))


def _check_files(server: ServerCreate) -> None:
    """Nova's quotas of injected files. Raises QuotaExceeded."""
    sizes = {
        "injected_files": [len(server.personality)],
        "injected_file_path_bytes": [len(file.path.encode()) for file in server.personality],
        "injected_file_content_bytes": [len(base64.b64decode(file.contents)) for file in server.personality],
    }
    for resource, found in sizes.items():
        if found and max(found) > CONSTANTS[resource]:
            raise QuotaExceeded(resource=resource, limit=CONSTANTS[resource], used=0, requested=max(found))


@router.post("", status_code=202)
async def create_server(request: Request, body: CreateBody, ctx: Ctx, svc: Svc) -> Response:
    """Accept a server; it is built afterwards."""
    ctx.require("os_compute_api:servers:create")
    server = body.server
    if body.hints.get("group") or body.hints_old.get("group"):
        raise BadRequest("Server group in the scheduler hints could not be found: this cloud has no server groups.")
    zone, forced = server.availability_zone, None
    if zone and ":" in zone:
        ctx.require("os_compute_api:servers:create:forced_host")
        zone, _, forced = zone.partition(":")
        forced = forced.split(":")[0] or None
    disks = _disks(server)
    if server.imageRef is None and not any(d["boot_index"] == 0 for d in disks) and disks:
        raise BadRequest("Block Device Mapping is Invalid: You specified more local devices than the limit allows or no boot device.")
    if len(server.metadata) > svc.settings.metadata_items:
        raise QuotaExceeded(
            resource="metadata_items", limit=svc.settings.metadata_items, used=0, requested=len(server.metadata),
            message="Quota exceeded for metadata_items: too many metadata items.",
        )  # fmt: skip
    _check_files(server)
    wanted = ServerRequest(
        name=server.name, flavor_id=str(server.flavorRef), image_id=server.imageRef, networks=_networks(server, svc.settings.default_networks),
        security_groups=list(dict.fromkeys(g.name for g in server.security_groups)) or ["default"], key_name=server.key_name or None,
        metadata=server.metadata, user_data=server.user_data, config_drive=server.config_drive, disk_config=server.disk_config,
        zone=zone or None, forced=forced, access_ip_v4=server.accessIPv4, access_ip_v6=server.accessIPv6, disks=disks,
        files=[file.model_dump() for file in server.personality], admin_pass=server.adminPass or svc.ids.token_urlsafe(9),
        count=server.max_count or server.min_count or 1, least=server.min_count or 1,
    )  # fmt: skip
    rows = await create_servers(
        svc, wanted, project_id=ctx.project, user_id=ctx.user_id, request_id=ctx.request_id, is_admin=ctx.is_admin
    )
    if server.return_reservation_id:
        return answer({"reservation_id": rows[0]["reservation_id"]}, 202)
    first = rows[0]
    shown = {
        "id": first["id"], "links": links(svc.url, "servers", first["id"]), "OS-DCF:diskConfig": first["disk_config"],
        "security_groups": [{"name": name} for name in wanted.security_groups], "adminPass": wanted.admin_pass,
    }  # fmt: skip
    return answer({"server": shown}, 202, {"Location": f"{svc.url}/servers/{first['id']}"})


@router.get("/{server_id}")
async def show_server(server_id: str, ctx: Ctx, svc: Svc) -> Response:
    """One server."""
    ctx.require("os_compute_api:servers:show")
    extended = ctx.may("os_compute_api:os-extended-server-attributes")
    return answer({"server": await server_list.show_server(svc, server_id, project_id=project_filter(ctx), is_admin=extended)})


@router.put("/{server_id}")
async def update_server(server_id: str, body: UpdateBody, ctx: Ctx, svc: Svc) -> Response:
    """Name and access addresses."""
    ctx.require("os_compute_api:servers:update")
    changes = body.server.model_dump(exclude_unset=True, exclude_none=True)
    await server_update.update_server(svc, server_id, changes, project_id=project_filter(ctx))
    extended = ctx.may("os_compute_api:os-extended-server-attributes")
    shown = await server_list.show_server(svc, server_id, project_id=project_filter(ctx), is_admin=extended)
    return answer({"server": server_list.without_extensions(shown)})


@router.delete("/{server_id}", status_code=204)
async def delete_server(server_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Destroy always wins."""
    ctx.require("os_compute_api:servers:delete")
    await server_actions.delete(svc, server_id, project_id=project_filter(ctx), user_id=ctx.user_id, request_id=ctx.request_id)
    return empty(204)


@router.get("/{server_id}/ips")
async def list_addresses(server_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Addresses by network."""
    ctx.require("os_compute_api:ips:index")
    return answer({"addresses": await server_list.show_addresses(svc, server_id, project_id=project_filter(ctx))})


@router.get("/{server_id}/ips/{network}")
async def show_network_addresses(server_id: str, network: str, ctx: Ctx, svc: Svc) -> Response:
    """Addresses in one network."""
    ctx.require("os_compute_api:ips:index")
    found = await server_list.show_addresses(svc, server_id, project_id=project_filter(ctx))
    if network not in found:
        raise NotFound("Network not found")
    return answer({network: found[network]})

