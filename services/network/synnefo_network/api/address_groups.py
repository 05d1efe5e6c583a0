"""Routes of address groups."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from synnefo_common.web import Ctx, answer, empty
from synnefo_network.api.base import ERRORS, PathId, Svc, created
from synnefo_network.api.listing import expected_revision, list_answer, read_query, select_fields, show_fields
from synnefo_network.api.schemas.address_groups import AddressesBody, AddressGroupCreateBody, AddressGroupUpdateBody
from synnefo_network.api.schemas.base import bulk
from synnefo_network.app import address_groups
from synnefo_network.domain.listing import ADDRESS_GROUPS

router = APIRouter(prefix="/v2.0/address-groups", tags=["address groups"], responses=ERRORS)


@router.get("")
async def list_address_groups(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """List the project's address groups and those shared with it."""
    query = read_query(request, ADDRESS_GROUPS)
    return list_answer(request, ADDRESS_GROUPS, query, await address_groups.list_groups(svc, ctx, query))


@router.post("", status_code=201)
async def create_address_groups(body: AddressGroupCreateBody, ctx: Ctx, svc: Svc) -> Response:
    """Create one, or several in one transaction: all of them or none."""
    items = await address_groups.create_groups(svc, ctx, bulk(body.address_group, body.address_groups))
    return answer(created("address_group", "address_groups", is_bulk=body.address_group is None, items=items), 201)


@router.get("/{address_group_id}")
async def show_address_group(address_group_id: PathId, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Show an address group."""
    return answer({"address_group": select_fields(await address_groups.show_group(svc, ctx, address_group_id), show_fields(request))})


@router.put("/{address_group_id}")
async def update_address_group(address_group_id: PathId, body: AddressGroupUpdateBody, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Change an address group."""
    changed = await address_groups.update_group(svc, ctx, address_group_id, body.address_group.given(), revision=expected_revision(request))
    return answer({"address_group": changed})


@router.delete("/{address_group_id}", status_code=204)
async def delete_address_group(address_group_id: PathId, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Delete an address group."""
    await address_groups.delete_group(svc, ctx, address_group_id, revision=expected_revision(request))
    return empty()


@router.put("/{address_group_id}/add_addresses")
async def add_addresses(address_group_id: PathId, body: AddressesBody, ctx: Ctx, svc: Svc) -> Response:
    """Add addresses to those that are there."""
    return answer({"address_group": await address_groups.add_addresses(svc, ctx, address_group_id, body.addresses)})


@router.put("/{address_group_id}/remove_addresses")
async def remove_addresses(address_group_id: PathId, body: AddressesBody, ctx: Ctx, svc: Svc) -> Response:
    """Take addresses away."""
    return answer({"address_group": await address_groups.remove_addresses(svc, ctx, address_group_id, body.addresses)})
