"""Tokens, and what a token's holder may scope to."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from synnefo_common.web import Ctx, answer, empty
from synnefo_identity.api.access import Svc, require
from synnefo_identity.api.listing import list_answer, read_flag
from synnefo_identity.api.schemas.auth import LoginBody
from synnefo_identity.app import shapes, tokens, users

router = APIRouter(prefix="/v3/auth", tags=["tokens"])
_JSON = "application/json"


def _wants_catalog(request: Request) -> bool:
    return "nocatalog" not in request.query_params


@router.post("/tokens", status_code=201)
async def create_token(body: LoginBody, request: Request, svc: Svc) -> Response:
    """Log in."""
    issued = await tokens.issue(svc, body.to_login(), with_catalog=_wants_catalog(request))
    return Response(issued.body, 201, {"X-Subject-Token": issued.token, "Vary": "X-Auth-Token"}, _JSON)


@router.get("/tokens")
async def show_token(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """What the token in X-Subject-Token says."""
    subject = request.headers.get("x-subject-token")
    allow_expired = "allow_expired" in request.query_params and read_flag(request.query_params["allow_expired"])
    claims = await tokens.read_subject(svc, subject, allow_expired=allow_expired)
    require(ctx, "validate_token", {"target.token.user_id": claims.user_id})
    body = await tokens.body_of(svc, subject or "", claims, with_catalog=_wants_catalog(request))
    return Response(body, 200, {"X-Subject-Token": subject or "", "Vary": "X-Auth-Token"}, _JSON)


@router.head("/tokens")
async def check_token(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Whether the token in X-Subject-Token is good."""
    subject = request.headers.get("x-subject-token")
    claims = await tokens.read_subject(svc, subject)
    require(ctx, "check_token", {"target.token.user_id": claims.user_id})
    return empty(200, {"X-Subject-Token": subject or "", "Vary": "X-Auth-Token"})


@router.delete("/tokens", status_code=204)
async def revoke_token(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Void the token in X-Subject-Token."""
    claims = await tokens.read_subject(svc, request.headers.get("x-subject-token"))
    require(ctx, "revoke_token", {"target.token.user_id": claims.user_id})
    await tokens.revoke_token(svc, claims)
    return empty(204)


@router.get("/catalog")
async def show_catalog(ctx: Ctx, svc: Svc) -> Response:
    """The catalogue for this token."""
    require(ctx, "get_auth_catalog")
    return answer({"catalog": await tokens.catalog_of(svc, ctx.claims), "links": {"self": f"{svc.base_url}/auth/catalog"}})


@router.get("/projects")
async def list_projects(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """The projects that a token may be scoped to."""
    require(ctx, "get_auth_projects")
    return list_answer(svc, request, "projects", await users.projects_of(svc, ctx.user_id, enabled=True), shapes.project)


@router.get("/domains")
async def list_domains(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """The domains that a token may be scoped to."""
    require(ctx, "get_auth_domains")
    return list_answer(svc, request, "domains", await users.domains_of(svc, ctx.user_id), shapes.domain)


@router.get("/system")
async def list_systems(ctx: Ctx, svc: Svc) -> Response:
    """Whether a token may be scoped to the system."""
    require(ctx, "get_auth_system")
    systems = [{"all": True}] if await users.is_in_system(svc, ctx.user_id) else []
    return answer({"system": systems, "links": {"self": f"{svc.base_url}/auth/system"}})
