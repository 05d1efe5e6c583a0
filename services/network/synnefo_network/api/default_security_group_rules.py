"""Routes of the templates of security group rules."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from synnefo_common.web import Ctx, answer, empty
from synnefo_network.api.base import ERRORS, PathId, Svc, created
from synnefo_network.api.listing import expected_revision, list_answer, read_query, select_fields, show_fields
from synnefo_network.api.schemas.base import bulk
from synnefo_network.api.schemas.default_security_group_rules import DefaultSecurityGroupRuleCreateBody
from synnefo_network.app import default_security_group_rules as rules
from synnefo_network.domain.listing import DEFAULT_SECURITY_GROUP_RULES

router = APIRouter(prefix="/v2.0/default-security-group-rules", tags=["security groups"], responses=ERRORS)


@router.get("")
async def list_default_security_group_rules(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """The rules that new security groups start with."""
    ctx.require("get_default_security_group_rule")
    query = read_query(request, DEFAULT_SECURITY_GROUP_RULES)
    return list_answer(request, DEFAULT_SECURITY_GROUP_RULES, query, await rules.list_templates(svc, query))


@router.post("", status_code=201)
async def create_default_security_group_rules(body: DefaultSecurityGroupRuleCreateBody, ctx: Ctx, svc: Svc) -> Response:
    """Create one, or several in one transaction: all of them or none."""
    one = body.default_security_group_rule
    items = await rules.create_templates(svc, ctx, bulk(one, body.default_security_group_rules))
    return answer(created("default_security_group_rule", "default_security_group_rules", is_bulk=one is None, items=items), 201)


@router.get("/{default_security_group_rule_id}")
async def show_default_security_group_rule(default_security_group_rule_id: PathId, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Show a template."""
    ctx.require("get_default_security_group_rule")
    shown = await rules.show_template(svc, default_security_group_rule_id)
    return answer({"default_security_group_rule": select_fields(shown, show_fields(request))})


@router.delete("/{default_security_group_rule_id}", status_code=204)
async def delete_default_security_group_rule(default_security_group_rule_id: PathId, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Delete a template; groups that are there keep their rules."""
    await rules.delete_template(svc, ctx, default_security_group_rule_id, revision=expected_revision(request))
    return empty()
