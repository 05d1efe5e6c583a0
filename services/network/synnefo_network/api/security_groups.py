"""Routes of security groups."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from synnefo_common.web import Ctx, answer, empty
from synnefo_network.api.base import ERRORS, PathId, Svc, created
from synnefo_network.api.listing import (
    expected_revision,
    list_answer,
    read_query,
    select_fields,
    show_fields,
)
from synnefo_network.api.schemas.base import bulk
from synnefo_network.api.schemas.security_groups import SecurityGroupCreateBody, SecurityGroupUpdateBody
from synnefo_network.app import security_groups
from synnefo_network.domain.listing import SECURITY_GROUPS

router = APIRouter(prefix="/v2.0", tags=["security groups"], responses=ERRORS)


@router.get("/security-groups")
async def list_security_groups(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """List the project's security groups; the first look makes the default group."""
    query = read_query(request, SECURITY_GROUPS)
    items = await security_groups.list_groups(svc, ctx, query)
    return list_answer(request, SECURITY_GROUPS, query, items)


@router.post("/security-groups", status_code=201)
async def create_security_groups(body: SecurityGroupCreateBody, ctx: Ctx, svc: Svc) -> Response:
    """Create one, or several in one transaction: all of them or none."""
    bodies = bulk(body.security_group, body.security_groups)
    items = await security_groups.create_groups(svc, ctx, bodies)
    return answer(created("security_group", "security_groups", is_bulk=body.security_group is None, items=items), 201)


@router.get("/security-groups/{security_group_id}")
async def show_security_group(security_group_id: PathId, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Show a security group."""
    shown = await security_groups.show_group(svc, ctx, security_group_id)
    return answer({"security_group": select_fields(shown, show_fields(request))})


@router.put("/security-groups/{security_group_id}")
async def update_security_group(security_group_id: PathId, body: SecurityGroupUpdateBody, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Change a security group."""
    changed = await security_groups.update_group(svc, ctx, security_group_id, body.security_group.given(), revision=expected_revision(request))
    return answer({"security_group": changed})


@router.delete("/security-groups/{security_group_id}", status_code=204)
async def delete_security_group(security_group_id: PathId, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Delete a security group."""
    await security_groups.delete_group(svc, ctx, security_group_id, revision=expected_revision(request))
    return empty()
