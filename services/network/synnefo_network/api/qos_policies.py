"""Routes of QoS policies."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from synnefo_common.web import Ctx, answer, empty
from synnefo_network.api.base import ERRORS, PathId, Svc, created
from synnefo_network.api.listing import expected_revision, list_answer, read_query, select_fields, show_fields
from synnefo_network.api.schemas.base import bulk
from synnefo_network.api.schemas.qos_policies import QosPolicyCreateBody, QosPolicyUpdateBody
from synnefo_network.app import qos_policies
from synnefo_network.domain.listing import QOS_POLICIES

router = APIRouter(prefix="/v2.0/qos/policies", tags=["QoS policies"], responses=ERRORS)


@router.get("")
async def list_policies(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """List the project's QoS policies and those shared with it."""
    query = read_query(request, QOS_POLICIES)
    return list_answer(request, QOS_POLICIES, query, await qos_policies.list_policies(svc, ctx, query))


@router.post("", status_code=201)
async def create_policies(body: QosPolicyCreateBody, ctx: Ctx, svc: Svc) -> Response:
    """Create one, or several in one transaction: all of them or none."""
    items = await qos_policies.create_policies(svc, ctx, bulk(body.policy, body.policies))
    return answer(created("policy", "policies", is_bulk=body.policy is None, items=items), 201)


@router.get("/{policy_id}")
async def show_policy(policy_id: PathId, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Show a QoS policy with its rules."""
    return answer({"policy": select_fields(await qos_policies.show_policy(svc, ctx, policy_id), show_fields(request))})


@router.put("/{policy_id}")
async def update_policy(policy_id: PathId, body: QosPolicyUpdateBody, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Change a QoS policy with its rules."""
    changed = await qos_policies.update_policy(svc, ctx, policy_id, body.policy.given(), revision=expected_revision(request))
    return answer({"policy": changed})


@router.delete("/{policy_id}", status_code=204)
async def delete_policy(policy_id: PathId, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Delete a QoS policy with its rules."""
    await qos_policies.delete_policy(svc, ctx, policy_id, revision=expected_revision(request))
    return empty()
