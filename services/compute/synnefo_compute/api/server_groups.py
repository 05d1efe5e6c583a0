"""os-server-groups. Owner since 2.13, soft policies since 2.15, one `policy` with `rules` in place of `policies` since 2.64."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BeforeValidator, Field
from starlette.responses import Response

from synnefo_common.errors import BadRequest
from synnefo_common.web import Ctx, Version, answer, empty
from synnefo_common.web.paging import read_limit
from synnefo_compute.api.base import CLEAN_QUERY, Name, StrictBody, Svc, integer, project_filter
from synnefo_compute.app import server_groups
from synnefo_compute.app.server_groups import Found
from synnefo_compute.domain.allocator import AFFINITY, ANTI_AFFINITY, SOFT_AFFINITY, SOFT_ANTI_AFFINITY

router = APIRouter(prefix="/v2.1/os-server-groups", tags=["server groups"], dependencies=[CLEAN_QUERY])
_OWNED, _SOFT, _RULES = Version(2, 13), Version(2, 15), Version(2, 64)


class Rules(StrictBody):
    """`rules` of a policy."""

    max_server_per_host: Annotated[Annotated[int, Field(ge=1, le=2**31 - 1)] | None, BeforeValidator(integer)] = None


class ServerGroupCreate(StrictBody):
    """`server_group`: `policies` until 2.63, `policy` and `rules` from 2.64."""

    name: Name
    policies: Annotated[list[str], Field(min_length=1, max_length=1)] | None = None
    policy: str | None = None
    rules: Rules | None = None


class ServerGroupBody(StrictBody):
    """POST os-server-groups."""

    server_group: ServerGroupCreate


def _policy(wanted: ServerGroupCreate, version: Version) -> str:
    """The policy that a body of this version names. Raises BadRequest."""
    has_rules = version >= _RULES
    known, other = ("policy", "policies") if has_rules else ("policies", "policy")
    unknown = [key for key in (other, *(() if has_rules else ("rules",))) if key in wanted.model_fields_set]
    if unknown:
        raise BadRequest(f"Invalid input for field/attribute server_group. {unknown[0]} is not there at {version}.")
    policy = wanted.policy if has_rules else next(iter(wanted.policies or ()), None)
    allowed = (AFFINITY, ANTI_AFFINITY, *((SOFT_AFFINITY, SOFT_ANTI_AFFINITY) if version >= _SOFT else ()))
    if policy is None or policy not in allowed:
        raise BadRequest(f"Invalid input for field/attribute {known}. It must be one of {', '.join(allowed)} at {version}.")
    if policy != ANTI_AFFINITY and wanted.rules is not None and wanted.rules.max_server_per_host is not None:
        raise BadRequest("Only anti-affinity policy supports rules.")
    return policy


def _shown(found: Found, version: Version) -> dict[str, Any]:
    row = found.row
    group: dict[str, Any] = {"id": row.id, "name": row.name, "members": list(found.members)}
    if version >= _RULES:
        group |= {"policy": row.policy, "rules": {"max_server_per_host": row.max_server_per_host} if row.max_server_per_host else {}}
    else:
        group |= {"policies": [row.policy], "metadata": {}}
    return group | ({"project_id": row.project_id, "user_id": row.user_id} if version >= _OWNED else {})


def _version(ctx: Ctx) -> Version:
    return ctx.version or Version(2, 1)


@router.get("")
async def list_server_groups(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """A project's groups."""
    ctx.require("os_compute_api:os-server-groups:index")
    everywhere = "all_projects" in request.query_params and ctx.may("os_compute_api:os-server-groups:index:all_projects")
    most = svc.settings.max_page
    limit = read_limit(request.query_params.get("limit"), most) or most
    offset = read_limit(request.query_params.get("offset") or "0", 2**31 - 1)
    found = await server_groups.list_server_groups(svc, project_id=None if everywhere else ctx.project, limit=limit, offset=offset)
    return answer({"server_groups": [_shown(group, _version(ctx)) for group in found]})


@router.post("")
async def create_server_group(body: ServerGroupBody, ctx: Ctx, svc: Svc) -> Response:
    """Make a group."""
    ctx.require("os_compute_api:os-server-groups:create")
    wanted, version = body.server_group, _version(ctx)
    found = await server_groups.create_server_group(
        svc, wanted.name, _policy(wanted, version), max_server_per_host=wanted.rules.max_server_per_host if wanted.rules else None,
        project_id=ctx.project, user_id=ctx.user_id,
    )  # fmt: skip
    return answer({"server_group": _shown(found, version)})


@router.get("/{server_group_id}")
async def show_server_group(server_group_id: str, ctx: Ctx, svc: Svc) -> Response:
    """One group."""
    ctx.require("os_compute_api:os-server-groups:show")
    found = await server_groups.show_server_group(svc, server_group_id, project_id=project_filter(ctx))
    return answer({"server_group": _shown(found, _version(ctx))})


@router.delete("/{server_group_id}", status_code=204)
async def delete_server_group(server_group_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Remove a group; its servers stay."""
    ctx.require("os_compute_api:os-server-groups:delete")
    await server_groups.delete_server_group(svc, server_group_id, project_id=project_filter(ctx))
    return empty(204)
