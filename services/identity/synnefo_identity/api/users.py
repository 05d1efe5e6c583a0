"""Users and their own lists."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from synnefo_common.web import Context, Ctx, answer, empty
from synnefo_identity.api.access import Svc, found, own_domain, require, target_of
from synnefo_identity.api.listing import list_answer, read_query
from synnefo_identity.api.schemas.users import PasswordChangeBody, UserCreateBody, UserUpdateBody
from synnefo_identity.app import shapes, users
from synnefo_identity.domain.errors import Invalid
from synnefo_identity.domain.filters import Query

router = APIRouter(prefix="/v3/users", tags=["users"])


def scoped_query(ctx: Context, query: Query) -> Query:
    """A token of a domain lists that domain."""
    return query.narrowed(domain_id=ctx.domain_id)


@router.get("")
async def list_users(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """List users."""
    require(ctx, "list_users", {"target.domain_id": ctx.domain_id} if ctx.domain_id else None)
    query = scoped_query(ctx, read_query(request, equals=("domain_id", "default_project_id"), flags=("enabled",)))
    return list_answer(svc, request, "users", await users.find_many(svc, query), shapes.user, query=query)


@router.post("", status_code=201)
async def create_user(body: UserCreateBody, ctx: Ctx, svc: Svc) -> Response:
    """Create a user."""
    new = body.user
    domain_id = new.domain_id or own_domain(ctx)
    require(ctx, "create_user", {"target.user.domain_id": domain_id})
    row = await users.create(
        svc,
        {
            "name": new.name.strip(),
            "domain_id": domain_id,
            "enabled": new.enabled,
            "default_project_id": new.default_project_id,
            "options": new.options or {},
            "extra": new.extras(),
        },
        password=new.password,
    )
    return answer({"user": shapes.user(row, svc.base_url)}, 201)


@router.get("/{user_id}")
async def show_user(user_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Show a user."""
    row = await users.find(svc, user_id)
    require(ctx, "get_user", target_of("user", row))
    return answer({"user": shapes.user(found(row, "user", user_id), svc.base_url)})


@router.patch("/{user_id}")
async def update_user(user_id: str, body: UserUpdateBody, ctx: Ctx, svc: Svc) -> Response:
    """Change a user."""
    row = await users.find(svc, user_id)
    require(ctx, "update_user", target_of("user", row))
    row = found(row, "user", user_id)
    new = body.user
    if new.domain_id is not None and new.domain_id != row.domain_id:
        raise Invalid("Cannot change Domain ID.")
    changes = new.changes("name", "enabled", "default_project_id")
    if "name" in changes:
        changes["name"] = changes["name"].strip()
    if new.options:
        changes["options"] = {k: v for k, v in {**row.options, **new.options}.items() if v is not None}
    updated = await users.update(svc, row, changes, extra=new.extras(), password=new.password)
    return answer({"user": shapes.user(updated, svc.base_url)})


@router.delete("/{user_id}", status_code=204)
async def delete_user(user_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Delete a user."""
    row = await users.find(svc, user_id)
    require(ctx, "delete_user", target_of("user", row))
    await users.delete(svc, found(row, "user", user_id).id)
    return empty(204)


@router.post("/{user_id}/password", status_code=204)
async def change_password(user_id: str, body: PasswordChangeBody, svc: Svc) -> Response:
    """Change one's own password. The old one is the proof: no token is needed."""
    await users.change_password(svc, user_id, original=body.user.original_password, new=body.user.password)
    return empty(204)


@router.get("/{user_id}/projects")
async def list_user_projects(user_id: str, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """List the projects on which a user has a role."""
    row = await users.find(svc, user_id)
    require(ctx, "list_user_projects", target_of("user", row))
    found(row, "user", user_id)
    return list_answer(svc, request, "projects", await users.projects_of(svc, user_id), shapes.project)


@router.get("/{user_id}/groups")
async def list_user_groups(user_id: str, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """List a user's groups."""
    row = await users.find(svc, user_id)
    require(ctx, "list_groups_for_user", target_of("user", row))
    found(row, "user", user_id)
    query = scoped_query(ctx, read_query(request))
    return list_answer(svc, request, "groups", await users.groups_of(svc, user_id, query), shapes.group, query=query)
