"""Routes of security group rules."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from synnefo_common.web import Ctx, answer, empty
from synnefo_network.api.base import ERRORS, PathId, Svc, created
from synnefo_network.api.listing import expected_revision, list_answer, read_query, select_fields, show_fields
from synnefo_network.api.schemas.base import bulk
from synnefo_network.api.schemas.security_groups import SecurityGroupRuleCreateBody
from synnefo_network.app import security_group_rules
from synnefo_network.domain.listing import SECURITY_GROUP_RULES

router = APIRouter(prefix="/v2.0", tags=["security groups"], responses=ERRORS)


@router.get("/security-group-rules")
async def list_security_group_rules(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """List the project's security group rules."""
    query = read_query(request, SECURITY_GROUP_RULES)
    items = await security_group_rules.list_rules(svc, ctx, query)
    return list_answer(request, SECURITY_GROUP_RULES, query, items)


@router.post("/security-group-rules", status_code=201)
async def create_security_group_rules(body: SecurityGroupRuleCreateBody, ctx: Ctx, svc: Svc) -> Response:
    """Create one, or several in one transaction: all of them or none."""
    bodies = bulk(body.security_group_rule, body.security_group_rules)
    items = await security_group_rules.create_rules(svc, ctx, bodies)
    return answer(
        created("security_group_rule", "security_group_rules", is_bulk=body.security_group_rule is None, items=items),
        201,
    )


@router.get("/security-group-rules/{security_group_rule_id}")
async def show_security_group_rule(security_group_rule_id: PathId, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Show a rule."""
    shown = await security_group_rules.show_rule(svc, ctx, security_group_rule_id)
    return answer({"security_group_rule": select_fields(shown, show_fields(request))})


@router.delete("/security-group-rules/{security_group_rule_id}", status_code=204)
async def delete_security_group_rule(security_group_rule_id: PathId, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Delete a rule."""
    await security_group_rules.delete_rule(svc, ctx, security_group_rule_id, revision=expected_revision(request))
    return empty()
