"""Application credentials, and credentials kept for other uses (EC2 keys, TOTP seeds)."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from synnefo_common.clock import parse_iso
from synnefo_common.web import Context, Ctx, answer, empty
from synnefo_identity.api.access import Svc, found, require
from synnefo_identity.api.listing import list_answer, read_query
from synnefo_identity.api.schemas.credentials import (
    ApplicationCredentialBody,
    ApplicationCredentialCreate,
    CredentialCreateBody,
    CredentialUpdateBody,
)
from synnefo_identity.app import credentials, shapes, users
from synnefo_identity.app.services import Services
from synnefo_identity.domain.credential import Credential
from synnefo_identity.domain.errors import Invalid

router = APIRouter(prefix="/v3", tags=["credentials"])
_PATH = "/users/{user_id}/application_credentials"


async def _check_user(svc: Services, ctx: Context, rule: str, user_id: str) -> None:
    row = await users.find(svc, user_id)
    require(ctx, rule, {"target.user.id": user_id})
    found(row, "user", user_id)


@router.get(_PATH)
async def list_application_credentials(user_id: str, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """List a user's application credentials."""
    await _check_user(svc, ctx, "list_application_credentials", user_id)
    query = read_query(request)
    rows = await credentials.find_application_credentials(svc, user_id, query)
    roles = await credentials.role_list(svc, rows)
    return list_answer(
        svc,
        request,
        "application_credentials",
        rows,
        lambda row, base: shapes.application_credential(row, base, roles=roles[row.id]),
        query=query,
    )


@router.post(_PATH, status_code=201)
async def create_application_credential(user_id: str, body: ApplicationCredentialBody, ctx: Ctx, svc: Svc) -> Response:
    """Create one for the project of the token. The secret is shown now and never again."""
    await _check_user(svc, ctx, "create_application_credential", user_id)
    new = body.application_credential
    if new.access_rules:
        raise Invalid("Access rules are not supported: leave access_rules out.")
    if new.project_id is not None and new.project_id != ctx.project_id:
        raise Invalid("An application credential is for the project of the token.")
    secret = new.secret or svc.ids.token_urlsafe(64)
    values = {
        "name": new.name,
        "description": new.description,
        "unrestricted": bool(new.unrestricted),
        "expires_at": _read_expiry(new, svc),
    }
    wanted = [{k: v for k, v in (("id", r.id), ("name", r.name)) if v is not None} for r in new.roles] if new.roles else None
    row = await credentials.create_application_credential(svc, ctx.claims, values, secret=secret, wanted_roles=wanted)
    roles = await credentials.role_list(svc, [row])
    shown = shapes.application_credential(row, svc.base_url, roles=roles[row.id])
    return answer({"application_credential": shown | {"secret": secret}}, 201)


def _read_expiry(new: ApplicationCredentialCreate, svc: Services) -> int | None:
    if new.expires_at is None:
        return None
    try:
        moment = parse_iso(new.expires_at)
    except (ValueError, OverflowError):
        raise Invalid("expires_at must be an ISO 8601 time, such as 2030-01-01T00:00:00Z.") from None
    if moment <= svc.clock.now_us():
        raise Invalid("expires_at must be in the future.")
    return moment


@router.get(_PATH + "/{application_credential_id}")
async def show_application_credential(user_id: str, application_credential_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Show one."""
    await _check_user(svc, ctx, "get_application_credential", user_id)
    row = await credentials.find_application_credential(svc, user_id, application_credential_id)
    roles = await credentials.role_list(svc, [row])
    return answer({"application_credential": shapes.application_credential(row, svc.base_url, roles=roles[row.id])})


@router.delete(_PATH + "/{application_credential_id}", status_code=204)
async def delete_application_credential(user_id: str, application_credential_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Delete one and end its tokens."""
    await _check_user(svc, ctx, "delete_application_credential", user_id)
    await credentials.delete_application_credential(svc, ctx.claims, user_id, application_credential_id)
    return empty(204)


@router.get("/credentials")
async def list_credentials(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """List credentials: all for administrators, one's own for others; with an application credential, those of its project."""
    query = read_query(request, texts=(), equals=("user_id", "type"))
    wanted = query.equals.get("user_id", ctx.user_id)
    if not ctx.may("identity:list_credentials", {}):
        require(ctx, "list_credentials", {"target.credential.user_id": wanted})
        query = query.narrowed(user_id=ctx.user_id)
    if ctx.claims.credential_id is not None:
        query = query.narrowed(project_id=ctx.project_id)
    return list_answer(svc, request, "credentials", await credentials.find_credentials(svc, query), shapes.credential, query=query)


@router.post("/credentials", status_code=201)
async def create_credential(body: CredentialCreateBody, ctx: Ctx, svc: Svc) -> Response:
    """Create a credential."""
    new = body.credential
    user_id = new.user_id or ctx.user_id
    require(ctx, "create_credential", {"target.credential.user_id": user_id})
    values = {
        "user_id": user_id,
        "project_id": new.project_id,
        "type": new.type,
        "blob": new.blob,
        "extra": new.extras(),
    }
    return answer({"credential": shapes.credential(await credentials.create_credential(svc, ctx.claims, values), svc.base_url)}, 201)


async def _find(svc: Services, ctx: Context, rule: str, credential_id: str) -> Credential:
    row = await credentials.find_credential(svc, credential_id)
    require(ctx, rule, {"target.credential.user_id": row.user_id} if row else None)
    row = found(row, "credential", credential_id)
    await credentials.check_delegation(svc, ctx.claims, row.project_id, ec2=False)
    return row


@router.get("/credentials/{credential_id}")
async def show_credential(credential_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Show a credential."""
    return answer({"credential": shapes.credential(await _find(svc, ctx, "get_credential", credential_id), svc.base_url)})


@router.patch("/credentials/{credential_id}")
async def update_credential(credential_id: str, body: CredentialUpdateBody, ctx: Ctx, svc: Svc) -> Response:
    """Change a credential."""
    row = await _find(svc, ctx, "update_credential", credential_id)
    changes = body.credential.changes("blob", "type", "user_id", "project_id")
    if "user_id" in changes:
        require(ctx, "update_credential", {"target.credential.user_id": changes["user_id"]})
    return answer({"credential": shapes.credential(await credentials.update_credential(svc, ctx.claims, row, changes), svc.base_url)})


@router.delete("/credentials/{credential_id}", status_code=204)
async def delete_credential(credential_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Delete a credential."""
    await credentials.delete_credential(svc, await _find(svc, ctx, "delete_credential", credential_id))
    return empty(204)
