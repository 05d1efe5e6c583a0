"""Routes of address scopes."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from synnefo_common.web import Ctx, answer, empty
from synnefo_network.api.base import ERRORS, PathId, Svc, created
from synnefo_network.api.listing import expected_revision, list_answer, read_query, select_fields, show_fields
from synnefo_network.api.schemas.address_scopes import AddressScopeCreateBody, AddressScopeUpdateBody
from synnefo_network.api.schemas.base import bulk
from synnefo_network.app import address_scopes
from synnefo_network.domain.listing import ADDRESS_SCOPES

router = APIRouter(prefix="/v2.0/address-scopes", tags=["address scopes"], responses=ERRORS)


@router.get("")
async def list_address_scopes(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """List the project's address scopes and those shared with it."""
    query = read_query(request, ADDRESS_SCOPES)
    return list_answer(request, ADDRESS_SCOPES, query, await address_scopes.list_scopes(svc, ctx, query))


@router.post("", status_code=201)
async def create_address_scopes(body: AddressScopeCreateBody, ctx: Ctx, svc: Svc) -> Response:
    """Create one, or several in one transaction: all of them or none."""
    items = await address_scopes.create_scopes(svc, ctx, bulk(body.address_scope, body.address_scopes))
    return answer(created("address_scope", "address_scopes", is_bulk=body.address_scope is None, items=items), 201)


@router.get("/{address_scope_id}")
async def show_address_scope(address_scope_id: PathId, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Show an address scope."""
    return answer({"address_scope": select_fields(await address_scopes.show_scope(svc, ctx, address_scope_id), show_fields(request))})


@router.put("/{address_scope_id}")
async def update_address_scope(address_scope_id: PathId, body: AddressScopeUpdateBody, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Change an address scope."""
    changed = await address_scopes.update_scope(svc, ctx, address_scope_id, body.address_scope.given(), revision=expected_revision(request))
    return answer({"address_scope": changed})


@router.delete("/{address_scope_id}", status_code=204)
async def delete_address_scope(address_scope_id: PathId, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Delete an address scope."""
    await address_scopes.delete_scope(svc, ctx, address_scope_id, revision=expected_revision(request))
    return empty()
