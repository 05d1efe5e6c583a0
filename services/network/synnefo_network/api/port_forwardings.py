"""Routes of port forwardings."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from synnefo_common.web import Ctx, answer, empty
from synnefo_network.api.base import ERRORS, PathId, Svc
from synnefo_network.api.listing import list_answer, read_query, select_fields, show_fields
from synnefo_network.api.schemas.port_forwardings import PortForwardingCreateBody, PortForwardingUpdateBody
from synnefo_network.app import port_forwardings
from synnefo_network.domain.listing import PORT_FORWARDINGS

router = APIRouter(prefix="/v2.0/floatingips/{floatingip_id}/port_forwardings", tags=["port forwardings"], responses=ERRORS)


@router.get("")
async def list_port_forwardings(floatingip_id: PathId, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """List what a floating IP forwards."""
    query = read_query(request, PORT_FORWARDINGS)
    items = await port_forwardings.list_forwardings(svc, ctx, floatingip_id, query)
    return list_answer(request, PORT_FORWARDINGS, query, items)


@router.post("", status_code=201)
async def create_port_forwarding(floatingip_id: PathId, body: PortForwardingCreateBody, ctx: Ctx, svc: Svc) -> Response:
    """Forward a port of a floating IP."""
    made = await port_forwardings.create_forwarding(svc, ctx, floatingip_id, body.port_forwarding.given())
    return answer({"port_forwarding": made}, 201)


@router.get("/{port_forwarding_id}")
async def show_port_forwarding(floatingip_id: PathId, port_forwarding_id: PathId, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Show a port forwarding."""
    shown = await port_forwardings.show_forwarding(svc, ctx, floatingip_id, port_forwarding_id)
    return answer({"port_forwarding": select_fields(shown, show_fields(request))})


@router.put("/{port_forwarding_id}")
async def update_port_forwarding(floatingip_id: PathId, port_forwarding_id: PathId, body: PortForwardingUpdateBody, ctx: Ctx, svc: Svc) -> Response:
    """Change a port forwarding."""
    changed = await port_forwardings.update_forwarding(svc, ctx, floatingip_id, port_forwarding_id, body.port_forwarding.given())
    return answer({"port_forwarding": changed})


@router.delete("/{port_forwarding_id}", status_code=204)
async def delete_port_forwarding(floatingip_id: PathId, port_forwarding_id: PathId, ctx: Ctx, svc: Svc) -> Response:
    """Forward it no more."""
    await port_forwardings.delete_forwarding(svc, ctx, floatingip_id, port_forwarding_id)
    return empty()
