"""Routes of the rules of QoS policies: the same five for each type of rule, and the list of the types."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from synnefo_common.web import Ctx, answer, empty
from synnefo_network.api.base import ERRORS, PathId, Svc
from synnefo_network.api.listing import select_fields, show_fields
from synnefo_network.api.schemas import qos_rules as bodies
from synnefo_network.app import qos_rules
from synnefo_network.app.services import authorize
from synnefo_network.domain.errors import NotFound
from synnefo_network.domain.qos import DSCP_MARKS, PARAMETERS

router = APIRouter(prefix="/v2.0/qos", tags=["QoS rules"], responses=ERRORS)
_NUMBERS = {"parameter_type": "range", "parameter_values": {"start": 0, "end": 2**31 - 1}}
_DIRECTIONS = {"parameter_name": "direction", "parameter_type": "choices", "parameter_values": ["ingress", "egress"]}


def _parameters(rule_type: str) -> list[dict[str, Any]]:
    marks = {"parameter_name": "dscp_mark", "parameter_type": "choices", "parameter_values": sorted(DSCP_MARKS)}
    special: dict[str, dict[str, Any]] = {"direction": _DIRECTIONS, "dscp_mark": marks}
    return [special.get(name, {"parameter_name": name, **_NUMBERS}) for name in PARAMETERS[rule_type]]


@router.get("/rule-types")
async def list_rule_types(request: Request, ctx: Ctx) -> Response:
    """The types of rules."""
    ctx.require("get_rule_type")
    return answer({"rule_types": [select_fields({"type": t}, show_fields(request)) for t in PARAMETERS]})


@router.get("/rule-types/{rule_type}")
async def show_rule_type(rule_type: PathId, request: Request, ctx: Ctx) -> Response:
    """A type of rules and what the driver does of it, for administrators."""
    authorize(ctx, "get_rule_type:drivers", {})
    if rule_type not in PARAMETERS:
        raise NotFound(f"Rule type {rule_type} could not be found.", kind="QosRuleTypeNotFound")
    drivers = [{"name": "ovn", "supported_parameters": _parameters(rule_type)}]
    return answer({"rule_type": select_fields({"type": rule_type, "drivers": drivers}, show_fields(request))})


def _add_routes(rule_type: str, create: type[BaseModel], update: type[BaseModel]) -> None:
    """The five routes of one type."""
    one = f"{rule_type}_rule"
    many = f"{one}s"
    words = one.replace("_", " ")

    async def list_rules(policy_id: PathId, request: Request, ctx: Ctx, svc: Svc) -> Response:
        fields = show_fields(request)
        return answer({many: [select_fields(r, fields) for r in await qos_rules.list_rules(svc, ctx, policy_id, rule_type)]})

    async def create_rule(policy_id: PathId, body: Any, ctx: Ctx, svc: Svc) -> Response:
        made = await qos_rules.create_rule(svc, ctx, policy_id, getattr(body, one).model_dump(), rule_type=rule_type)
        return answer({one: made}, 201)

    async def show_rule(policy_id: PathId, rule_id: PathId, request: Request, ctx: Ctx, svc: Svc) -> Response:
        shown = await qos_rules.show_rule(svc, ctx, policy_id, rule_id, rule_type=rule_type)
        return answer({one: select_fields(shown, show_fields(request))})

    async def update_rule(policy_id: PathId, rule_id: PathId, body: Any, ctx: Ctx, svc: Svc) -> Response:
        changed = await qos_rules.update_rule(svc, ctx, policy_id, rule_id, getattr(body, one).given(), rule_type=rule_type)
        return answer({one: changed})

    async def delete_rule(policy_id: PathId, rule_id: PathId, ctx: Ctx, svc: Svc) -> Response:
        await qos_rules.delete_rule(svc, ctx, policy_id, rule_id, rule_type=rule_type)
        return empty()

    create_rule.__annotations__["body"] = create
    update_rule.__annotations__["body"] = update
    path = f"/policies/{{policy_id}}/{many}"
    for method, endpoint, where, status, text in (
        ("GET", list_rules, path, 200, f"The {words}s of a policy."),
        ("POST", create_rule, path, 201, f"Add a {words}."),
        ("GET", show_rule, f"{path}/{{rule_id}}", 200, f"Show a {words}."),
        ("PUT", update_rule, f"{path}/{{rule_id}}", 200, f"Change a {words}."),
        ("DELETE", delete_rule, f"{path}/{{rule_id}}", 204, f"Take a {words} away."),
    ):
        name = endpoint.__name__.replace("rule", one)
        router.add_api_route(where, endpoint, methods=[method], status_code=status, name=name, description=text)


_add_routes("bandwidth_limit", bodies.BandwidthLimitCreateBody, bodies.BandwidthLimitUpdateBody)
_add_routes("dscp_marking", bodies.DscpMarkingCreateBody, bodies.DscpMarkingUpdateBody)
_add_routes("minimum_bandwidth", bodies.MinimumBandwidthCreateBody, bodies.MinimumBandwidthUpdateBody)
