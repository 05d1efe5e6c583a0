"""Role assignments: on projects, domains and the system, for users and groups, inherited or not; and their list."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy import Row
from starlette.responses import Response

from synnefo_common.web import Context, Ctx, answer, empty
from synnefo_identity.api.access import Svc, found, require, target_of
from synnefo_identity.api.listing import list_answer, read_flag
from synnefo_identity.app import assignments, groups, projects, roles, shapes, users
from synnefo_identity.app.assignments import SYSTEM, Grant, Line, Names, Wanted
from synnefo_identity.app.services import Services
from synnefo_identity.domain.errors import Invalid, Missing

router = APIRouter(prefix="/v3", tags=["role assignments"])


async def _actor(svc: Services, kind: str, actor_id: str) -> Row[Any] | None:
    if kind == "user":
        return await users.find(svc, actor_id)
    return await groups.find(svc, actor_id)


async def _check(
    svc: Services,
    ctx: Context,
    rule: str,
    *,
    place: tuple[str, str],
    actor: tuple[str, str],
    role_id: str | None = None,
    must_exist: bool = True,
) -> None:
    """Policy first, on what exists; then 404 for what does not."""
    row = await _actor(svc, *actor)
    target = target_of(actor[0], row)
    where = None
    if place[0] != "system":
        where = await (projects.find if place[0] == "project" else projects.find_domain)(svc, place[1])
        target |= target_of(place[0], where)
    role = await roles.find(svc, role_id) if role_id is not None else None
    target |= target_of("role", role)
    require(ctx, rule, target)
    if must_exist:
        found(row, *actor)
    if place[0] != "system":
        found(where, *place)
    if role_id is not None:
        found(role, "role", role_id)


def _add_routes(place: str, actor: str, *, inherited: bool) -> None:
    system = place == "system"
    start = "/system" if system else f"/{'OS-INHERIT/' if inherited else ''}{place}s/{{place_id}}"
    end = "/inherited_to_projects" if inherited else ""
    many = f"{start}/{actor}s/{{actor_id}}/roles{end}"
    one = f"{start}/{actor}s/{{actor_id}}/roles/{{role_id}}{end}"
    prefix = "system_grant" if system else "grant"
    about = f"{actor} on {'the system' if system else place}{', inherited' if inherited else ''}"

    def grant(request: Request, role_id: str) -> Grant:
        params = request.path_params
        return Grant((actor, params["actor_id"]), (place, params.get("place_id", SYSTEM)), role_id, inherited)

    async def list_grants(request: Request, ctx: Ctx, svc: Svc) -> Response:
        wanted = grant(request, "")
        await _check(svc, ctx, f"list_{prefix}s", place=wanted.target, actor=wanted.actor)
        rows = await assignments.roles_of(svc, wanted.actor, wanted.target, inherited=inherited)
        return list_answer(svc, request, "roles", rows, shapes.role)

    async def create_grant(request: Request, role_id: str, ctx: Ctx, svc: Svc) -> Response:
        wanted = grant(request, role_id)
        await _check(svc, ctx, f"create_{prefix}", place=wanted.target, actor=wanted.actor, role_id=role_id)
        await assignments.give(svc, wanted)
        return empty(204)

    async def check_grant(request: Request, role_id: str, ctx: Ctx, svc: Svc) -> Response:
        wanted = grant(request, role_id)
        await _check(svc, ctx, f"check_{prefix}", place=wanted.target, actor=wanted.actor, role_id=role_id)
        if not await assignments.exists(svc, wanted):
            raise Missing("role assignment with role", f"{role_id} for {actor} {wanted.actor[1]} on {place} {wanted.target[1]}")
        return empty(204)

    async def revoke_grant(request: Request, role_id: str, ctx: Ctx, svc: Svc) -> Response:
        wanted = grant(request, role_id)
        await _check(svc, ctx, f"revoke_{prefix}", place=wanted.target, actor=wanted.actor, role_id=role_id, must_exist=False)
        await assignments.take_away(svc, wanted)
        return empty(204)

    router.get(many, summary=f"List roles of a {about}", openapi_extra=_parameters(many))(list_grants)
    router.put(one, status_code=204, summary=f"Give a role: {about}", openapi_extra=_parameters(one))(create_grant)
    router.head(one, status_code=204, summary=f"Check a role: {about}", openapi_extra=_parameters(one))(check_grant)
    router.get(one, status_code=204, summary=f"Check a role: {about}", openapi_extra=_parameters(one))(check_grant)
    router.delete(one, status_code=204, summary=f"Take a role away: {about}", openapi_extra=_parameters(one))(revoke_grant)


def _parameters(path: str) -> dict[str, Any]:
    names = [name for name in ("place_id", "actor_id") if f"{{{name}}}" in path]
    return {"parameters": [{"name": n, "in": "path", "required": True, "schema": {"type": "string"}} for n in names]}


for _place, _inherited in (
    ("project", False),
    ("domain", False),
    ("system", False),
    ("project", True),
    ("domain", True),
):
    for _who in ("user", "group"):
        _add_routes(_place, _who, inherited=_inherited)


@router.get("/role_assignments")
async def list_role_assignments(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """List assignments by user, group, role and scope; `effective` resolves groups, inheritance and implication."""
    require(ctx, "list_role_assignments", {"target.domain_id": ctx.domain_id} if ctx.domain_id else None)
    wanted = _read_wanted(request, within_domain=None if ctx.is_admin or not ctx.domain_id else ctx.domain_id)
    lines = await assignments.find_lines(svc, wanted)
    with_names = "include_names" in request.query_params and read_flag(request.query_params["include_names"])
    names = await assignments.names_for(svc, lines) if with_names else None
    shown = [_show(svc, line, names) for line in lines]
    here = f"{svc.base_url}/role_assignments" + (f"?{request.url.query}" if request.url.query else "")
    return answer({"role_assignments": shown, "links": {"next": None, "self": here, "previous": None}})


def _read_wanted(request: Request, *, within_domain: str | None) -> Wanted:
    asked = request.query_params

    def flag(name: str) -> bool:
        return name in asked and read_flag(asked[name])

    places = [(kind, asked[key]) for kind, key in (("project", "scope.project.id"), ("domain", "scope.domain.id")) if asked.get(key)]
    if asked.get("scope.system"):
        places.append(("system", SYSTEM))
    if len(places) > 1:
        raise Invalid("Specify a domain, a project or the system, not more than one.")
    if asked.get("user.id") and asked.get("group.id"):
        raise Invalid("Specify a user or group, not both.")
    if flag("effective") and asked.get("group.id"):
        raise Invalid("Combining effective and group filter will always result in an empty list.")
    if flag("include_subtree") and not asked.get("scope.project.id"):
        raise Invalid("scope.project.id must be specified if include_subtree is also specified.")
    inherited = None
    if "scope.OS-INHERIT:inherited_to" in asked:
        if asked["scope.OS-INHERIT:inherited_to"] != "projects":
            raise Invalid("The only value of scope.OS-INHERIT:inherited_to is projects.")
        inherited = True
    return Wanted(
        user_id=asked.get("user.id") or None,
        group_id=asked.get("group.id") or None,
        role_id=asked.get("role.id") or None,
        target=places[0] if places else None,
        inherited=inherited,
        effective=flag("effective"),
        subtree=flag("include_subtree"),
        within_domain=within_domain,
    )


def _show(svc: Services, line: Line, names: Names | None) -> dict[str, Any]:
    grant = line.grant

    def item(kind: str, row_id: str) -> dict[str, Any]:
        return names.of(kind, row_id) if names is not None else {"id": row_id}

    kind, target_id = grant.target
    scope: dict[str, Any] = {"system": {"all": True}} if kind == "system" else {kind: item(kind, target_id)}
    if grant.inherited or line.via_target is not None:
        scope["OS-INHERIT:inherited_to"] = "projects"
    actor_kind, actor_id = grant.actor
    base = svc.base_url
    given_to = ("group", line.via_group) if line.via_group else grant.actor
    given_on = line.via_target or grant.target
    place = "system" if given_on[0] == "system" else f"{given_on[0]}s/{given_on[1]}"
    is_inherited = grant.inherited or line.via_target is not None
    start = f"{base}/OS-INHERIT/{place}" if is_inherited else f"{base}/{place}"
    end = "/inherited_to_projects" if is_inherited else ""
    links = {"assignment": f"{start}/{given_to[0]}s/{given_to[1]}/roles/{line.via_role or grant.role_id}{end}"}
    if line.via_group:
        links["membership"] = f"{base}/groups/{line.via_group}/users/{actor_id}"
    if line.via_role:
        links["prior_role"] = f"{base}/prior_role/{line.via_role}/implies/{grant.role_id}"
    return {"role": item("role", grant.role_id), actor_kind: item(actor_kind, actor_id), "scope": scope, "links": links}
