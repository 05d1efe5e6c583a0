"""Routes of floating IPs."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from synnefo_common.web import Ctx, answer, empty
from synnefo_network.api.base import ERRORS, PathId, Svc, created
from synnefo_network.api.listing import expected_revision, list_answer, read_query, select_fields, show_fields
from synnefo_network.api.schemas.base import bulk
from synnefo_network.api.schemas.floating_ips import FloatingIpCreateBody, FloatingIpUpdateBody
from synnefo_network.app import floating_ips
from synnefo_network.domain.listing import FLOATING_IPS

router = APIRouter(prefix="/v2.0", tags=["floating IPs"], responses=ERRORS)


@router.get("/floatingips")
async def list_floatingips(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """List the project's floating IPs."""
    query = read_query(request, FLOATING_IPS)
    items = await floating_ips.list_floating_ips(svc, ctx, query)
    return list_answer(request, FLOATING_IPS, query, items)


@router.post("/floatingips", status_code=201)
async def create_floatingips(body: FloatingIpCreateBody, ctx: Ctx, svc: Svc) -> Response:
    """Create one, or several in one transaction: all of them or none."""
    bodies = bulk(body.floatingip, body.floatingips)
    items = await floating_ips.create_floating_ips(svc, ctx, bodies)
    return answer(created("floatingip", "floatingips", is_bulk=body.floatingip is None, items=items), 201)


@router.get("/floatingips/{floatingip_id}")
async def show_floatingip(floatingip_id: PathId, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Show a floating IP."""
    shown = await floating_ips.show_floating_ip(svc, ctx, floatingip_id)
    return answer({"floatingip": select_fields(shown, show_fields(request))})


@router.put("/floatingips/{floatingip_id}")
async def update_floatingip(floatingip_id: PathId, body: FloatingIpUpdateBody, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Change a floating IP."""
    changed = await floating_ips.update_floating_ip(svc, ctx, floatingip_id, body.floatingip.given(), revision=expected_revision(request))
    return answer({"floatingip": changed})


@router.delete("/floatingips/{floatingip_id}", status_code=204)
async def delete_floatingip(floatingip_id: PathId, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Delete a floating IP."""
    await floating_ips.delete_floating_ip(svc, ctx, floatingip_id, revision=expected_revision(request))
    return empty()
