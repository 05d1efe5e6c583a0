"""EC2 keys of users (OS-EC2), and tokens for requests that were signed with them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from synnefo_common.web import Context, Ctx, answer, empty
from synnefo_identity.api.access import Svc, require
from synnefo_identity.api.listing import list_answer
from synnefo_identity.api.schemas.credentials import Ec2Body, SignedBody
from synnefo_identity.app import credentials, ec2, shapes
from synnefo_identity.app.services import Services
from synnefo_identity.domain.credential import Credential
from synnefo_identity.domain.ec2 import check_message, check_request
from synnefo_identity.domain.errors import Missing

router = APIRouter(prefix="/v3", tags=["credentials"])
_PATH = "/users/{user_id}/credentials/OS-EC2"


@router.get(_PATH)
async def list_ec2_credentials(user_id: str, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """List a user's keys."""
    require(ctx, "ec2_list_credentials", {"target.credential.user_id": user_id, "target.user.id": user_id})
    await ec2.require_user(svc, user_id)
    rows = await ec2.find_many(svc, user_id)
    if ctx.claims.credential_id is not None:
        rows = [row for row in rows if row.project_id == ctx.project_id]
    return list_answer(svc, request, "credentials", rows, shapes.ec2_credential)


@router.post(_PATH, status_code=201)
async def create_ec2_credential(user_id: str, body: Ec2Body, ctx: Ctx, svc: Svc) -> Response:
    """Make keys for a project."""
    require(ctx, "ec2_create_credential", {"target.credential.user_id": user_id})
    made = await ec2.create(svc, ctx.claims, user_id, body.tenant_id)
    return answer({"credential": shapes.ec2_credential(made, svc.base_url)}, 201)


async def _find(svc: Services, ctx: Context, rule: str, user_id: str, access: str) -> Credential:
    target = {"target.credential.user_id": user_id}
    require(ctx, rule, target)
    await ec2.require_user(svc, user_id)
    found = await ec2.find(svc, access)
    if found.user_id != user_id:
        raise Missing("credential", access)
    await credentials.check_delegation(svc, ctx.claims, found.project_id, ec2=False)
    return found


@router.get(_PATH + "/{access_key}")
async def show_ec2_credential(user_id: str, access_key: str, ctx: Ctx, svc: Svc) -> Response:
    """Show keys by the access key."""
    found = await _find(svc, ctx, "ec2_get_credential", user_id, access_key)
    return answer({"credential": shapes.ec2_credential(found, svc.base_url)})


@router.delete(_PATH + "/{access_key}", status_code=204)
async def delete_ec2_credential(user_id: str, access_key: str, ctx: Ctx, svc: Svc) -> Response:
    """Delete keys: what is signed with them is void at once."""
    found = await _find(svc, ctx, "ec2_delete_credential", user_id, access_key)
    await credentials.delete_credential(svc, found)
    return empty(204)


@router.post("/ec2tokens")
async def create_ec2_token(body: SignedBody, ctx: Ctx, svc: Svc) -> Response:
    """A token for who signed a request that the caller received."""
    require(ctx, "ec2tokens_validate")
    issued = await ec2.issue(svc, ec2.read_request(_given(body)), check_request)
    return Response(issued.body, 200, {"X-Subject-Token": issued.token, "Vary": "X-Auth-Token"}, "application/json")


@router.post("/s3tokens")
async def create_s3_token(body: SignedBody, ctx: Ctx, svc: Svc) -> Response:
    """Who signed a string; the token itself stays here."""
    require(ctx, "s3tokens_validate")
    issued = await ec2.issue(svc, ec2.read_request(_given(body)), check_message)
    return Response(issued.body, 200, {"Vary": "X-Auth-Token"}, "application/json")


def _given(body: SignedBody) -> dict[str, Any]:
    return body.model_dump(exclude_none=True)
