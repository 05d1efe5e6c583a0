"""Roles and implications."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy import Row
from starlette.responses import Response

from synnefo_common.web import Ctx, answer, empty
from synnefo_identity.api.access import Svc, found, require, target_of
from synnefo_identity.api.listing import list_answer, read_query
from synnefo_identity.api.schemas.projects import RoleCreateBody, RoleUpdateBody
from synnefo_identity.app import roles, shapes
from synnefo_identity.app.services import Services
from synnefo_identity.domain.errors import Missing

router = APIRouter(prefix="/v3", tags=["roles"])


@router.get("/roles")
async def list_roles(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """List roles; those of a domain only if it is named."""
    query = read_query(request, equals=("domain_id",))
    require(ctx, "list_domain_roles" if "domain_id" in query.equals else "list_roles")
    if "domain_id" not in query.equals:
        query = query.narrowed(domain_id="")
    return list_answer(svc, request, "roles", await roles.find_many(svc, query), shapes.role, query=query)


@router.post("/roles", status_code=201)
async def create_role(body: RoleCreateBody, ctx: Ctx, svc: Svc) -> Response:
    """Create a role."""
    require(ctx, "create_role")
    new = body.role
    values = {
        "name": new.name.strip(),
        "domain_id": new.domain_id or "",
        "description": new.description,
        "options": new.options or {},
        "extra": new.extras(),
    }
    return answer({"role": shapes.role(await roles.create(svc, values), svc.base_url)}, 201)


@router.get("/roles/{role_id}")
async def show_role(role_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Show a role; to managers of a domain those that they may give."""
    row = await roles.find(svc, role_id)
    require(ctx, "get_domain_role" if row is not None and row.domain_id else "get_role", target_of("role", row))
    return answer({"role": shapes.role(found(row, "role", role_id), svc.base_url)})


@router.patch("/roles/{role_id}")
async def update_role(role_id: str, body: RoleUpdateBody, ctx: Ctx, svc: Svc) -> Response:
    """Change a role."""
    require(ctx, "update_role")
    row = found(await roles.find(svc, role_id), "role", role_id)
    changes = body.role.changes("name", "description")
    if "name" in changes:
        changes["name"] = changes["name"].strip()
    if body.role.options:
        changes["options"] = {k: v for k, v in {**row.options, **body.role.options}.items() if v is not None}
    return answer({"role": shapes.role(await roles.update(svc, role_id, changes, extra=body.role.extras()), svc.base_url)})


@router.delete("/roles/{role_id}", status_code=204)
async def delete_role(role_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Delete a role."""
    require(ctx, "delete_role")
    await roles.delete(svc, role_id)
    return empty(204)


def _inference(svc: Services, prior: Row[Any], implied: list[Row[Any]]) -> dict[str, Any]:
    base = svc.base_url
    return {"prior_role": shapes.role_short(prior, base), "implies": [shapes.role_short(row, base) for row in implied]}


@router.get("/roles/{prior_role_id}/implies")
async def list_implied(prior_role_id: str, ctx: Ctx, svc: Svc) -> Response:
    """List what a role implies."""
    require(ctx, "list_implied_roles")
    prior = found(await roles.find(svc, prior_role_id), "role", prior_role_id)
    pairs = await roles.implications(svc, prior_role_id)
    inference = _inference(svc, prior, pairs[0][1] if pairs else [])
    return answer({"role_inference": inference, "links": {"self": f"{svc.base_url}/roles/{prior_role_id}/implies"}})


async def _pair(svc: Services, prior_id: str, implied_id: str) -> tuple[Row[Any], Row[Any]]:
    prior = found(await roles.find(svc, prior_id), "role", prior_id)
    return prior, found(await roles.find(svc, implied_id), "role", implied_id)


def _pair_body(svc: Services, prior: Row[Any], implied: Row[Any]) -> dict[str, Any]:
    base = svc.base_url
    return {
        "role_inference": {"prior_role": shapes.role_short(prior, base), "implies": shapes.role_short(implied, base)},
        "links": {"self": f"{base}/roles/{prior.id}/implies/{implied.id}"},
    }


@router.put("/roles/{prior_role_id}/implies/{implied_role_id}", status_code=201)
async def create_implied(prior_role_id: str, implied_role_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Let a role imply another."""
    require(ctx, "create_implied_role")
    prior, implied = await _pair(svc, prior_role_id, implied_role_id)
    await roles.imply(svc, prior.id, implied.id)
    return answer(_pair_body(svc, prior, implied), 201)


async def _existing(svc: Services, prior_id: str, implied_id: str) -> tuple[Row[Any], Row[Any]]:
    pair = await _pair(svc, prior_id, implied_id)
    if not await roles.has_implication(svc, prior_id, implied_id):
        raise Missing("implied role", f"{prior_id} does not imply {implied_id}")
    return pair


@router.get("/roles/{prior_role_id}/implies/{implied_role_id}")
async def show_implied(prior_role_id: str, implied_role_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Show one implication."""
    require(ctx, "get_implied_role")
    return answer(_pair_body(svc, *await _existing(svc, prior_role_id, implied_role_id)))


@router.head("/roles/{prior_role_id}/implies/{implied_role_id}", status_code=204)
async def check_implied(prior_role_id: str, implied_role_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Whether a role implies another."""
    require(ctx, "get_implied_role")
    await _existing(svc, prior_role_id, implied_role_id)
    return empty(204)


@router.delete("/roles/{prior_role_id}/implies/{implied_role_id}", status_code=204)
async def delete_implied(prior_role_id: str, implied_role_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Take an implication away."""
    require(ctx, "delete_implied_role")
    await _pair(svc, prior_role_id, implied_role_id)
    await roles.stop_implying(svc, prior_role_id, implied_role_id)
    return empty(204)


@router.get("/role_inferences")
async def list_inferences(ctx: Ctx, svc: Svc) -> Response:
    """List all implications."""
    require(ctx, "list_role_inference_rules")
    found_pairs = await roles.implications(svc)
    inferences = [_inference(svc, prior, implied) for prior, implied in found_pairs]
    return answer({"role_inferences": inferences, "links": {"self": f"{svc.base_url}/role_inferences"}})
