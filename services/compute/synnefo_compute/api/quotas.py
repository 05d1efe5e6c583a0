"""os-quota-sets and limits at 2.1."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BeforeValidator, Field
from starlette.responses import Response

from synnefo_common.errors import BadRequest, NotFound
from synnefo_common.web import Ctx, answer, empty
from synnefo_compute.api.base import CLEAN_QUERY, StrictBody, Svc, boolean, integer
from synnefo_compute.app import quotas

router = APIRouter(prefix="/v2.1", tags=["quotas"], dependencies=[CLEAN_QUERY])


Limit = Annotated[Annotated[int, Field(ge=-1, le=2**31 - 1)] | None, BeforeValidator(lambda v: None if v is None else integer(v))]


class Limits(StrictBody):
    """`quota_class_set`. What Nova does not count any more (addresses, groups) is taken and ignored, as Nova takes it at 2.1."""

    instances: Limit = None
    cores: Limit = None
    ram: Limit = None
    key_pairs: Limit = None
    server_groups: Limit = None
    metadata_items: Limit = None
    injected_files: Limit = None
    injected_file_content_bytes: Limit = None
    injected_file_path_bytes: Limit = None
    server_group_members: Limit = None
    fixed_ips: Limit = None
    floating_ips: Limit = None
    security_groups: Limit = None
    security_group_rules: Limit = None


class QuotaSet(Limits):
    """`quota_set`."""

    force: Annotated[bool, BeforeValidator(boolean)] = False


class QuotaClassBody(StrictBody):
    """PUT os-quota-class-sets."""

    quota_class_set: Limits


class QuotaBody(StrictBody):
    """PUT os-quota-sets."""

    quota_set: QuotaSet


@router.get("/os-quota-sets/{project_id}")
async def show_quota_set(project_id: str, ctx: Ctx, svc: Svc) -> Response:
    """A project's limits."""
    ctx.require("os_compute_api:os-quota-sets:show", {"project_id": project_id})
    return answer({"quota_set": {"id": project_id, **await quotas.quota_set(svc, project_id)}})


@router.get("/os-quota-sets/{project_id}/detail")
async def show_quota_detail(project_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Limits with use."""
    ctx.require("os_compute_api:os-quota-sets:show", {"project_id": project_id})
    return answer({"quota_set": {"id": project_id, **await quotas.quota_detail(svc, project_id)}})


@router.get("/os-quota-sets/{project_id}/defaults")
async def show_quota_defaults(project_id: str, ctx: Ctx, svc: Svc) -> Response:
    """What a project has unless something else is set."""
    ctx.require("os_compute_api:os-quota-sets:show", {"project_id": project_id})
    return answer({"quota_set": {"id": project_id, **await quotas.defaults(svc)}})


def _in_ledger(wanted: dict[str, int]) -> dict[str, int]:
    return {quotas.LEDGER[name]: limit for name, limit in wanted.items() if name in quotas.LEDGER}


def _refuse_user(request: Request) -> None:
    if request.query_params.get("user_id"):
        raise BadRequest("Quotas of single users are not kept: leave out user_id to change the project's.")


@router.put("/os-quota-sets/{project_id}")
async def update_quota_set(project_id: str, request: Request, body: QuotaBody, ctx: Ctx, svc: Svc) -> Response:
    """Set limits."""
    ctx.require("os_compute_api:os-quota-sets:update")
    _refuse_user(request)
    wanted = {k: v for k, v in body.quota_set.model_dump(exclude={"force"}).items() if v is not None}
    if not body.quota_set.force:
        found = await quotas.holdings(svc, project_id)
        for name, limit in wanted.items():
            if name in found and limit >= 0 and limit < found[name].used + found[name].reserved:
                raise BadRequest(f"Quota limit {limit} for {name} must be greater than or equal to already used and reserved {found[name].used}.")
    if limits := _in_ledger(wanted):
        await svc.quota.set_limits(project_id, limits)
    return answer({"quota_set": await quotas.quota_set(svc, project_id)})


@router.delete("/os-quota-sets/{project_id}", status_code=202)
async def delete_quota_set(project_id: str, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Back to the defaults."""
    ctx.require("os_compute_api:os-quota-sets:update")
    _refuse_user(request)
    await svc.quota.reset_limits(project_id, prefix="compute.")
    return empty(202)


def _refuse_class(class_name: str) -> None:
    if class_name != "default":
        raise NotFound(f"Quota class {class_name[:60]} could not be found: there is only default.")


@router.get("/os-quota-class-sets/{class_name}")
async def show_quota_class_set(class_name: str, ctx: Ctx, svc: Svc) -> Response:
    """The defaults, as the one class."""
    ctx.require("os_compute_api:os-quota-class-sets:show")
    _refuse_class(class_name)
    return answer({"quota_class_set": {"id": class_name, **await quotas.defaults(svc)}})


@router.put("/os-quota-class-sets/{class_name}")
async def update_quota_class_set(class_name: str, body: QuotaClassBody, ctx: Ctx, svc: Svc) -> Response:
    """Change the defaults."""
    ctx.require("os_compute_api:os-quota-class-sets:update")
    _refuse_class(class_name)
    if limits := _in_ledger(body.quota_class_set.model_dump(exclude_none=True)):
        await svc.quota.set_default_limits(limits)
    return answer({"quota_class_set": await quotas.defaults(svc)})


@router.get("/limits")
async def show_limits(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """One's own limits with use."""
    ctx.require("os_compute_api:limits")
    project_id = ctx.project_id
    if other := request.query_params.get("tenant_id"):
        if other != ctx.project_id:
            ctx.require("os_compute_api:limits:other_project")
        project_id = other
    return answer({"limits": await quotas.limits(svc, project_id or ctx.project)})
