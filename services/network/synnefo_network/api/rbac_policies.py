"""Routes of RBAC policies."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from synnefo_common.web import Ctx, answer, empty
from synnefo_network.api.base import ERRORS, PathId, Svc, created
from synnefo_network.api.listing import expected_revision, list_answer, read_query, select_fields, show_fields
from synnefo_network.api.schemas.base import bulk
from synnefo_network.api.schemas.rbac_policies import RbacPolicyCreateBody, RbacPolicyUpdateBody
from synnefo_network.app import rbac_policies
from synnefo_network.domain.listing import RBAC_POLICIES

router = APIRouter(prefix="/v2.0/rbac-policies", tags=["RBAC policies"], responses=ERRORS)


@router.get("")
async def list_rbac_policies(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """List the project's RBAC policies and those shared with it."""
    query = read_query(request, RBAC_POLICIES)
    return list_answer(request, RBAC_POLICIES, query, await rbac_policies.list_policies(svc, ctx, query))


@router.post("", status_code=201)
async def create_rbac_policies(body: RbacPolicyCreateBody, ctx: Ctx, svc: Svc) -> Response:
    """Create one, or several in one transaction: all of them or none."""
    items = await rbac_policies.create_policies(svc, ctx, bulk(body.rbac_policy, body.rbac_policies))
    return answer(created("rbac_policy", "rbac_policies", is_bulk=body.rbac_policy is None, items=items), 201)


@router.get("/{rbac_policy_id}")
async def show_rbac_policy(rbac_policy_id: PathId, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Show an RBAC policy."""
    return answer({"rbac_policy": select_fields(await rbac_policies.show_policy(svc, ctx, rbac_policy_id), show_fields(request))})


@router.put("/{rbac_policy_id}")
async def update_rbac_policy(rbac_policy_id: PathId, body: RbacPolicyUpdateBody, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Change an RBAC policy."""
    changed = await rbac_policies.update_policy(svc, ctx, rbac_policy_id, body.rbac_policy.given(), revision=expected_revision(request))
    return answer({"rbac_policy": changed})


@router.delete("/{rbac_policy_id}", status_code=204)
async def delete_rbac_policy(rbac_policy_id: PathId, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Delete an RBAC policy."""
    await rbac_policies.delete_policy(svc, ctx, rbac_policy_id, revision=expected_revision(request))
    return empty()
