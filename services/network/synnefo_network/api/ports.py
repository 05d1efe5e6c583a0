"""Routes of ports."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from synnefo_common.web import Ctx, answer, empty
from synnefo_network.api.base import ERRORS, PathId, Svc, created
from synnefo_network.api.listing import (
    expected_revision,
    list_answer,
    read_fixed_ips,
    read_query,
    select_fields,
    show_fields,
)
from synnefo_network.api.schemas.base import bulk
from synnefo_network.api.schemas.ports import PortCreateBody, PortUpdateBody
from synnefo_network.app import port_update, ports
from synnefo_network.domain.listing import PORTS

router = APIRouter(prefix="/v2.0", tags=["ports"], responses=ERRORS)


@router.get("/ports")
async def list_ports(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """List the project's ports and all on its networks."""
    query = read_query(request, PORTS)
    fixed_ips = read_fixed_ips(request.query_params.getlist("fixed_ips"))
    items = await ports.list_ports(svc, ctx, query, fixed_ips=fixed_ips, groups=request.query_params.getlist("security_groups"))
    return list_answer(request, PORTS, query, items)


@router.post("/ports", status_code=201)
async def create_ports(body: PortCreateBody, ctx: Ctx, svc: Svc) -> Response:
    """Create one, or several in one transaction: all of them or none."""
    bodies = bulk(body.port, body.ports)
    items = await ports.create_ports(svc, ctx, bodies)
    return answer(created("port", "ports", is_bulk=body.port is None, items=items), 201)


@router.get("/ports/{port_id}")
async def show_port(port_id: PathId, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Show a port."""
    shown = await ports.show_port(svc, ctx, port_id)
    return answer({"port": select_fields(shown, show_fields(request))})


@router.put("/ports/{port_id}")
async def update_port(port_id: PathId, body: PortUpdateBody, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Change a port."""
    changed = await port_update.update_port(svc, ctx, port_id, body.port.given(), revision=expected_revision(request))
    return answer({"port": changed})


@router.delete("/ports/{port_id}", status_code=204)
async def delete_port(port_id: PathId, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Delete a port."""
    await ports.delete_port(svc, ctx, port_id, revision=expected_revision(request))
    return empty()
