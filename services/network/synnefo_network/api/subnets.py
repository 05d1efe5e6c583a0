"""Routes of subnets."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from synnefo_common.web import Ctx, answer, empty
from synnefo_network.api.base import ERRORS, PathId, Svc, created
from synnefo_network.api.listing import (
    expected_revision,
    list_answer,
    read_filter_bool,
    read_query,
    select_fields,
    show_fields,
)
from synnefo_network.api.schemas.base import bulk
from synnefo_network.api.schemas.subnets import SubnetCreateBody, SubnetUpdateBody
from synnefo_network.app import subnets
from synnefo_network.domain.listing import SUBNETS

router = APIRouter(prefix="/v2.0", tags=["subnets"], responses=ERRORS)


@router.get("/subnets")
async def list_subnets(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """List the project's subnets and those of networks that it sees."""
    query = read_query(request, SUBNETS)
    asked = request.query_params
    shared, external = ([read_filter_bool(key, v) for v in asked.getlist(key)] for key in ("shared", "router:external"))
    items = await subnets.list_subnets(svc, ctx, query, shared=shared, external=external)
    return list_answer(request, SUBNETS, query, items)


@router.post("/subnets", status_code=201)
async def create_subnets(body: SubnetCreateBody, ctx: Ctx, svc: Svc) -> Response:
    """Create one, or several in one transaction: all of them or none."""
    bodies = bulk(body.subnet, body.subnets)
    items = await subnets.create_subnets(svc, ctx, bodies)
    return answer(created("subnet", "subnets", is_bulk=body.subnet is None, items=items), 201)


@router.get("/subnets/{subnet_id}")
async def show_subnet(subnet_id: PathId, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Show a subnet."""
    shown = await subnets.show_subnet(svc, ctx, subnet_id)
    return answer({"subnet": select_fields(shown, show_fields(request))})


@router.put("/subnets/{subnet_id}")
async def update_subnet(subnet_id: PathId, body: SubnetUpdateBody, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Change a subnet."""
    changed = await subnets.update_subnet(svc, ctx, subnet_id, body.subnet.given(), revision=expected_revision(request))
    return answer({"subnet": changed})


@router.delete("/subnets/{subnet_id}", status_code=204)
async def delete_subnet(subnet_id: PathId, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Delete a subnet."""
    await subnets.delete_subnet(svc, ctx, subnet_id, revision=expected_revision(request))
    return empty()
