"""Metadata of a server."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from synnefo_common.errors import BadRequest, NotFound
from synnefo_common.web import Ctx, answer, empty
from synnefo_compute.api.base import Svc, project_filter
from synnefo_compute.api.schemas.servers import MetadataBody, MetaItemBody
from synnefo_compute.app import server_update

router = APIRouter(prefix="/v2.1/servers/{server_id}/metadata", tags=["server metadata"])


@router.get("")
async def list_metadata(server_id: str, ctx: Ctx, svc: Svc) -> Response:
    """All items."""
    ctx.require("os_compute_api:server-metadata:index")
    return answer({"metadata": await server_update.read_metadata(svc, server_id, project_id=project_filter(ctx))})


@router.post("")
async def add_metadata(server_id: str, body: MetadataBody, ctx: Ctx, svc: Svc) -> Response:
    """Add or replace the given items."""
    ctx.require("os_compute_api:server-metadata:update")
    found = await server_update.change_metadata(svc, server_id, lambda m: m | body.metadata, project_id=project_filter(ctx))
    return answer({"metadata": found})


@router.put("")
async def replace_metadata(server_id: str, body: MetadataBody, ctx: Ctx, svc: Svc) -> Response:
    """Replace all items."""
    ctx.require("os_compute_api:server-metadata:update")
    found = await server_update.change_metadata(svc, server_id, lambda _m: dict(body.metadata), project_id=project_filter(ctx))
    return answer({"metadata": found})


@router.get("/{key}")
async def show_metadata_item(server_id: str, key: str, ctx: Ctx, svc: Svc) -> Response:
    """One item."""
    ctx.require("os_compute_api:server-metadata:index")
    found = await server_update.read_metadata(svc, server_id, project_id=project_filter(ctx))
    if key not in found:
        raise NotFound("Metadata item was not found")
    return answer({"meta": {key: found[key]}})


@router.put("/{key}")
async def set_metadata_item(server_id: str, key: str, body: MetaItemBody, ctx: Ctx, svc: Svc) -> Response:
    """Set one item."""
    ctx.require("os_compute_api:server-metadata:update")
    if key not in body.meta:
        raise BadRequest("Request body and URI mismatch")
    await server_update.change_metadata(svc, server_id, lambda m: m | body.meta, project_id=project_filter(ctx))
    return answer({"meta": body.meta})


@router.delete("/{key}", status_code=204)
async def delete_metadata_item(server_id: str, key: str, ctx: Ctx, svc: Svc) -> Response:
    """Remove one item."""
    ctx.require("os_compute_api:server-metadata:update")
    await server_update.change_metadata(svc, server_id, server_update.without(key), project_id=project_filter(ctx))
    return empty(204)
