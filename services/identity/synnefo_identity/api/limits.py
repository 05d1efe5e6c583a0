"""Unified limits: the quota ledger's limits in Keystone's form."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy import Row
from starlette.responses import Response

from synnefo_common.web import Context, Ctx, answer, empty
from synnefo_identity.api.access import Svc, found, require
from synnefo_identity.api.listing import list_answer, read_query
from synnefo_identity.api.schemas.limits import LimitBody, LimitsBody, RegisteredLimitBody, RegisteredLimitsBody
from synnefo_identity.app import limits, projects, shapes
from synnefo_identity.app.services import Services

router = APIRouter(prefix="/v3", tags=["limits"])
_FILTERS = ("service_id", "region_id", "resource_name")


@router.get("/limits/model")
async def show_model(ctx: Ctx, svc: Svc) -> Response:
    """How limits are enforced: each project's stands alone."""
    require(ctx, "get_limit_model")
    model = {
        "name": "flat",
        "description": "Limit enforcement and validation does not take project hierarchy into consideration.",
    }
    return answer({"model": model, "links": {"self": f"{svc.base_url}/limits/model"}})


def _may_see_all(ctx: Context) -> bool:
    return ctx.is_admin or (ctx.is_system and "reader" in ctx.roles)


@router.get("/limits")
async def list_limits(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """List limits: all for administrators, one's own project's or domain's for others."""
    require(ctx, "list_limits")
    query = read_query(request, texts=(), equals=_FILTERS)
    project_id = request.query_params.get("project_id")
    domain_id = request.query_params.get("domain_id")
    if not _may_see_all(ctx):
        mine = (ctx.project_id, ctx.domain_id)
        foreign = (project_id not in (None, mine[0])) or (domain_id not in (None, mine[1]))
        if foreign or mine == (None, None):
            return list_answer(svc, request, "limits", [], shapes.limit, query=query)
        project_id, domain_id = mine
    rows = await limits.find_many(svc, query, project_id=project_id, domain_id=domain_id)
    return list_answer(svc, request, "limits", rows, shapes.limit, query=query)


@router.post("/limits", status_code=201)
async def create_limits(body: LimitsBody, ctx: Ctx, svc: Svc) -> Response:
    """Set limits of projects or domains, all or none."""
    require(ctx, "create_limits")
    rows = await limits.create(svc, [new.model_dump() for new in body.limits])
    return answer({"limits": [shapes.limit(row, svc.base_url) for row in rows]}, 201)


async def _target(svc: Services, row: Row[Any] | None) -> dict[str, Any]:
    if row is None:
        return {}
    if row.is_domain:
        return {"target.limit.domain_id": row.project_id}
    project = await projects.find(svc, row.project_id)
    return {
        "target.limit.project_id": row.project_id,
        "target.limit.project.domain_id": project.domain_id if project else "",
    }


@router.get("/limits/{limit_id}")
async def show_limit(limit_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Show a limit."""
    row = await limits.find(svc, limit_id)
    require(ctx, "get_limit", await _target(svc, row))
    return answer({"limit": shapes.limit(found(row, "limit for", limit_id), svc.base_url)})


@router.patch("/limits/{limit_id}")
async def update_limit(limit_id: str, body: LimitBody, ctx: Ctx, svc: Svc) -> Response:
    """Change a limit."""
    require(ctx, "update_limit")
    row = await limits.update(svc, limit_id, body.limit.changes("resource_limit", "description"))
    return answer({"limit": shapes.limit(row, svc.base_url)})


@router.delete("/limits/{limit_id}", status_code=204)
async def delete_limit(limit_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Go back to the default."""
    require(ctx, "delete_limit")
    await limits.delete(svc, limit_id)
    return empty(204)


@router.get("/registered_limits")
async def list_registered_limits(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """List default limits."""
    require(ctx, "list_registered_limits")
    query = read_query(request, texts=(), equals=_FILTERS)
    return list_answer(
        svc,
        request,
        "registered_limits",
        await limits.find_many_registered(svc, query),
        shapes.registered_limit,
        query=query,
    )


@router.post("/registered_limits", status_code=201)
async def create_registered_limits(body: RegisteredLimitsBody, ctx: Ctx, svc: Svc) -> Response:
    """Set default limits of new resources, all or none."""
    require(ctx, "create_registered_limits")
    rows = await limits.create_registered(svc, [new.model_dump() for new in body.registered_limits])
    return answer({"registered_limits": [shapes.registered_limit(row, svc.base_url) for row in rows]}, 201)


@router.get("/registered_limits/{registered_limit_id}")
async def show_registered_limit(registered_limit_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Show a default limit."""
    require(ctx, "get_registered_limit")
    row = await limits.find_registered(svc, registered_limit_id)
    return answer({"registered_limit": shapes.registered_limit(row, svc.base_url)})


@router.patch("/registered_limits/{registered_limit_id}")
async def update_registered_limit(registered_limit_id: str, body: RegisteredLimitBody, ctx: Ctx, svc: Svc) -> Response:
    """Change a default limit."""
    require(ctx, "update_registered_limit")
    changes = body.registered_limit.changes("service_id", "region_id", "resource_name", "default_limit", "description")
    row = await limits.update_registered(svc, registered_limit_id, changes)
    return answer({"registered_limit": shapes.registered_limit(row, svc.base_url)})


@router.delete("/registered_limits/{registered_limit_id}", status_code=204)
async def delete_registered_limit(registered_limit_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Delete a default limit that no project overrides."""
    require(ctx, "delete_registered_limit")
    await limits.delete_registered(svc, registered_limit_id)
    return empty(204)
