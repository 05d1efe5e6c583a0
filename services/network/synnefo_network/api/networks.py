"""Routes of networks."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from synnefo_common.web import Ctx, answer, empty
from synnefo_network.api.base import ERRORS, PathId, Svc, created
from synnefo_network.api.listing import expected_revision, list_answer, read_query, select_fields, show_fields
from synnefo_network.api.schemas.base import bulk
from synnefo_network.api.schemas.networks import NetworkCreateBody, NetworkUpdateBody
from synnefo_network.app import networks
from synnefo_network.domain.listing import NETWORKS

router = APIRouter(prefix="/v2.0", tags=["networks"], responses=ERRORS)


@router.get("/networks")
async def list_networks(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """List the project's networks, shared and external ones."""
    query = read_query(request, NETWORKS)
    items = await networks.list_networks(svc, ctx, query)
    return list_answer(request, NETWORKS, query, items)


@router.post("/networks", status_code=201)
async def create_networks(body: NetworkCreateBody, ctx: Ctx, svc: Svc) -> Response:
    """Create one, or several in one transaction: all of them or none."""
    bodies = bulk(body.network, body.networks)
    items = await networks.create_networks(svc, ctx, bodies)
    return answer(created("network", "networks", is_bulk=body.network is None, items=items), 201)


@router.get("/networks/{network_id}")
async def show_network(network_id: PathId, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Show a network."""
    shown = await networks.show_network(svc, ctx, network_id)
    return answer({"network": select_fields(shown, show_fields(request))})


@router.put("/networks/{network_id}")
async def update_network(network_id: PathId, body: NetworkUpdateBody, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Change a network."""
    changed = await networks.update_network(svc, ctx, network_id, body.network.given(), revision=expected_revision(request))
    return answer({"network": changed})


@router.delete("/networks/{network_id}", status_code=204)
async def delete_network(network_id: PathId, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Delete a network."""
    await networks.delete_network(svc, ctx, network_id, revision=expected_revision(request))
    return empty()
