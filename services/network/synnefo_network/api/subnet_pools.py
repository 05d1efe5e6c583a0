"""Routes of subnet pools."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from synnefo_common.web import Ctx, answer, empty
from synnefo_network.api.base import ERRORS, PathId, Svc, created
from synnefo_network.api.listing import expected_revision, list_answer, read_query, select_fields, show_fields
from synnefo_network.api.schemas.base import bulk
from synnefo_network.api.schemas.subnet_pools import PrefixesBody, SubnetPoolCreateBody, SubnetPoolUpdateBody
from synnefo_network.app import subnet_pools
from synnefo_network.domain.listing import SUBNET_POOLS

router = APIRouter(prefix="/v2.0/subnetpools", tags=["subnet pools"], responses=ERRORS)


@router.get("")
async def list_subnetpools(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """List the project's subnet pools and those shared with it."""
    query = read_query(request, SUBNET_POOLS)
    return list_answer(request, SUBNET_POOLS, query, await subnet_pools.list_pools(svc, ctx, query))


@router.post("", status_code=201)
async def create_subnetpools(body: SubnetPoolCreateBody, ctx: Ctx, svc: Svc) -> Response:
    """Create one, or several in one transaction: all of them or none."""
    items = await subnet_pools.create_pools(svc, ctx, bulk(body.subnetpool, body.subnetpools))
    return answer(created("subnetpool", "subnetpools", is_bulk=body.subnetpool is None, items=items), 201)


@router.get("/{subnetpool_id}")
async def show_subnetpool(subnetpool_id: PathId, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Show a subnet pool."""
    return answer({"subnetpool": select_fields(await subnet_pools.show_pool(svc, ctx, subnetpool_id), show_fields(request))})


@router.put("/{subnetpool_id}")
async def update_subnetpool(subnetpool_id: PathId, body: SubnetPoolUpdateBody, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Change a subnet pool."""
    changed = await subnet_pools.update_pool(svc, ctx, subnetpool_id, body.subnetpool.given(), revision=expected_revision(request))
    return answer({"subnetpool": changed})


@router.delete("/{subnetpool_id}", status_code=204)
async def delete_subnetpool(subnetpool_id: PathId, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Delete a subnet pool."""
    await subnet_pools.delete_pool(svc, ctx, subnetpool_id, revision=expected_revision(request))
    return empty()


@router.put("/{subnetpool_id}/add_prefixes")
async def add_prefixes(subnetpool_id: PathId, body: PrefixesBody, ctx: Ctx, svc: Svc) -> Response:
    """Add prefixes to those that are there."""
    return answer({"prefixes": await subnet_pools.add_prefixes(svc, ctx, subnetpool_id, body.prefixes)})


@router.put("/{subnetpool_id}/remove_prefixes")
async def remove_prefixes(subnetpool_id: PathId, body: PrefixesBody, ctx: Ctx, svc: Svc) -> Response:
    """Take prefixes away that no subnet has a part of."""
    return answer({"prefixes": await subnet_pools.remove_prefixes(svc, ctx, subnetpool_id, body.prefixes)})
