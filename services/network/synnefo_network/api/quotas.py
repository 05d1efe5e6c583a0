"""Routes of quotas."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from synnefo_common.errors import BadRequest
from synnefo_common.web import Context, Ctx, answer, empty
from synnefo_network.api.base import ERRORS, PathId, Svc
from synnefo_network.api.schemas.quotas import QuotaUpdateBody
from synnefo_network.app import quotas
from synnefo_network.domain.errors import PolicyNotAuthorized

router = APIRouter(prefix="/v2.0/quotas", tags=["quotas"], responses=ERRORS)


def _authorize(ctx: Context, rule: str, project_id: str) -> None:
    if len(project_id) > 64:
        raise BadRequest("A project id has at most 64 characters.")
    if not ctx.may(rule, {"project_id": project_id}):
        raise PolicyNotAuthorized(rule)


@router.get("")
async def list_quotas(ctx: Ctx, svc: Svc) -> Response:
    """The projects with quotas of their own."""
    _authorize(ctx, "list_quotas", "")
    return answer({"quotas": await quotas.list_quotas(svc)})


@router.get("/tenant")
@router.get("/project")
async def show_own_project(ctx: Ctx) -> Response:
    """The project that the token is for."""
    return answer({"tenant": {"tenant_id": ctx.project, "project_id": ctx.project}})


@router.get("/{project_id}")
async def show_quota(project_id: PathId, ctx: Ctx, svc: Svc) -> Response:
    """A project's limits."""
    _authorize(ctx, "get_quota", project_id)
    return answer({"quota": await quotas.show_quota(svc, project_id)})


@router.get("/{project_id}/default")
async def show_default_quota(project_id: PathId, ctx: Ctx, svc: Svc) -> Response:
    """The limits of projects that have none of their own."""
    _authorize(ctx, "get_quota", project_id)
    return answer({"quota": await quotas.show_defaults(svc)})


@router.get("/{project_id}/details")
@router.get("/{project_id}/details.json", include_in_schema=False)
async def show_quota_details(project_id: PathId, ctx: Ctx, svc: Svc) -> Response:
    """Limit, usage and reservations of each resource."""
    _authorize(ctx, "get_quota", project_id)
    return answer({"quota": await quotas.show_details(svc, project_id)})


@router.put("/{project_id}")
async def update_quota(project_id: PathId, body: QuotaUpdateBody, ctx: Ctx, svc: Svc) -> Response:
    """Set limits; -1 is unlimited."""
    _authorize(ctx, "update_quota", project_id)
    given = body.quota.given()
    limits = {name: given[name] for name in quotas.RESOURCES if name in given}
    check = bool(given.get("check_limit")) and not given.get("force")
    return answer({"quota": await quotas.update_quota(svc, project_id, limits, check_limit=check)})


@router.delete("/{project_id}", status_code=204)
async def delete_quota(project_id: PathId, ctx: Ctx, svc: Svc) -> Response:
    """Back to the defaults."""
    _authorize(ctx, "delete_quota", project_id)
    await quotas.reset_quota(svc, project_id)
    return empty()
