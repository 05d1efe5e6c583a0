"""Groups and their members."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from synnefo_common.web import Context, Ctx, answer, empty
from synnefo_identity.api.access import Svc, found, own_domain, require, target_of
from synnefo_identity.api.listing import list_answer, read_query
from synnefo_identity.api.schemas.users import GroupCreateBody, GroupUpdateBody
from synnefo_identity.api.users import scoped_query
from synnefo_identity.app import groups, shapes, users
from synnefo_identity.app.services import Services
from synnefo_identity.domain.errors import Invalid, Missing

router = APIRouter(prefix="/v3/groups", tags=["groups"])


@router.get("")
async def list_groups(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """List groups."""
    require(ctx, "list_groups", {"target.domain_id": ctx.domain_id} if ctx.domain_id else None)
    query = scoped_query(ctx, read_query(request, equals=("domain_id",)))
    return list_answer(svc, request, "groups", await groups.find_many(svc, query), shapes.group, query=query)


@router.post("", status_code=201)
async def create_group(body: GroupCreateBody, ctx: Ctx, svc: Svc) -> Response:
    """Create a group."""
    new = body.group
    domain_id = new.domain_id or own_domain(ctx)
    require(ctx, "create_group", {"target.group.domain_id": domain_id})
    values = {
        "name": new.name.strip(),
        "domain_id": domain_id,
        "description": new.description or "",
        "extra": new.extras(),
    }
    return answer({"group": shapes.group(await groups.create(svc, values), svc.base_url)}, 201)


@router.get("/{group_id}")
async def show_group(group_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Show a group."""
    row = await groups.find(svc, group_id)
    require(ctx, "get_group", target_of("group", row))
    return answer({"group": shapes.group(found(row, "group", group_id), svc.base_url)})


@router.patch("/{group_id}")
async def update_group(group_id: str, body: GroupUpdateBody, ctx: Ctx, svc: Svc) -> Response:
    """Change a group."""
    row = await groups.find(svc, group_id)
    require(ctx, "update_group", target_of("group", row))
    row = found(row, "group", group_id)
    new = body.group
    if new.domain_id is not None and new.domain_id != row.domain_id:
        raise Invalid("Cannot change Domain ID.")
    changes = new.changes("name", "description")
    if "name" in changes:
        changes["name"] = changes["name"].strip()
    if "description" in changes:
        changes["description"] = changes["description"] or ""
    updated = await groups.update(svc, row, changes, extra=new.extras())
    return answer({"group": shapes.group(updated, svc.base_url)})


@router.delete("/{group_id}", status_code=204)
async def delete_group(group_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Delete a group."""
    row = await groups.find(svc, group_id)
    require(ctx, "delete_group", target_of("group", row))
    await groups.delete(svc, found(row, "group", group_id).id)
    return empty(204)


@router.get("/{group_id}/users")
async def list_members(group_id: str, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """List the users in a group."""
    row = await groups.find(svc, group_id)
    require(ctx, "list_users_in_group", target_of("group", row))
    found(row, "group", group_id)
    query = scoped_query(ctx, read_query(request, flags=("enabled",)))
    return list_answer(svc, request, "users", await groups.members(svc, group_id, query), shapes.user, query=query)


async def _pair(svc: Services, ctx: Context, rule: str, group_id: str, user_id: str) -> None:
    """Both exist and the policy holds. Raises NotAllowed, Missing."""
    group, user = await groups.find(svc, group_id), await users.find(svc, user_id)
    require(ctx, rule, target_of("group", group) | target_of("user", user))
    found(group, "group", group_id)
    found(user, "user", user_id)


@router.put("/{group_id}/users/{user_id}", status_code=204)
async def add_member(group_id: str, user_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Put a user into a group."""
    await _pair(svc, ctx, "add_user_to_group", group_id, user_id)
    await groups.add_member(svc, group_id=group_id, user_id=user_id)
    return empty(204)


@router.head("/{group_id}/users/{user_id}", status_code=204)
@router.get("/{group_id}/users/{user_id}", status_code=204)
async def check_member(group_id: str, user_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Whether a user is in a group."""
    await _pair(svc, ctx, "check_user_in_group", group_id, user_id)
    if not await groups.has_member(svc, group_id=group_id, user_id=user_id):
        raise Missing("user in group", f"{user_id} in {group_id}")
    return empty(204)


@router.delete("/{group_id}/users/{user_id}", status_code=204)
async def remove_member(group_id: str, user_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Take a user out of a group."""
    await _pair(svc, ctx, "remove_user_from_group", group_id, user_id)
    await groups.remove_member(svc, group_id=group_id, user_id=user_id)
    return empty(204)
