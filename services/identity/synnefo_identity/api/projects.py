"""Projects, their tags, and domains."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy import Row
from starlette.responses import Response

from synnefo_common.errors import BadRequest
from synnefo_common.web import Context, Ctx, answer, empty
from synnefo_identity.api.access import Svc, found, own_domain, require, target_of
from synnefo_identity.api.listing import list_answer, read_flag, read_query
from synnefo_identity.api.schemas.projects import (
    ProjectCreate,
    ProjectCreateBody,
    ProjectUpdateBody,
    TagsBody,
    check_tags,
)
from synnefo_identity.api.users import scoped_query
from synnefo_identity.app import projects, shapes
from synnefo_identity.app.services import Services
from synnefo_identity.domain.errors import Invalid, Missing

router = APIRouter(prefix="/v3/projects", tags=["projects"])


def _tagged(request: Request) -> Any:
    """The four tag filters as one predicate."""
    sets = {key: set(request.query_params[key].split(",")) for key in ("tags", "tags-any", "not-tags", "not-tags-any") if key in request.query_params}

    def passes(row: Row[Any]) -> bool:
        tags = set(row.tags)
        return (
            ("tags" not in sets or sets["tags"] <= tags)
            and ("tags-any" not in sets or bool(sets["tags-any"] & tags))
            and ("not-tags" not in sets or not sets["not-tags"] <= tags)
            and ("not-tags-any" not in sets or not sets["not-tags-any"] & tags)
        )

    return passes if sets else None


@router.get("")
async def list_projects(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """List projects."""
    require(ctx, "list_projects", {"target.domain_id": ctx.domain_id} if ctx.domain_id else None)
    is_domain = "is_domain" in request.query_params and read_flag(request.query_params["is_domain"])
    query = read_query(request, texts=("name", "description"), equals=("domain_id", "parent_id"), flags=("enabled",))
    if not is_domain:
        query = scoped_query(ctx, query)
    rows = await projects.find_many(svc, query, is_domain=is_domain)
    passes = _tagged(request)
    return list_answer(svc, request, "projects", [r for r in rows if passes(r)] if passes else rows, shapes.project, query=query)


@router.post("", status_code=201)
async def create_project(body: ProjectCreateBody, ctx: Ctx, svc: Svc) -> Response:
    """Create a project."""
    new = body.project
    domain_id = await _domain_for(svc, ctx, new)
    require(ctx, "create_domain" if new.is_domain else "create_project", {"target.project.domain_id": domain_id})
    if new.is_domain and (new.domain_id or new.parent_id):
        raise Invalid("A project that acts as a domain has neither domain nor parent.")
    values = {
        "name": new.name.strip(),
        "domain_id": "" if new.is_domain else domain_id,
        "parent_id": "" if new.is_domain else new.parent_id,
        "is_domain": new.is_domain,
        "enabled": new.enabled,
        "description": new.description or "",
        "tags": new.tags,
        "options": new.options or {},
        "extra": new.extras(),
    }
    return answer({"project": shapes.project(await projects.create(svc, values), svc.base_url)}, 201)


async def _domain_for(svc: Services, ctx: Context, new: ProjectCreate) -> str:
    if new.domain_id is None and new.parent_id is not None:
        parent = await projects.find(svc, new.parent_id)
        if parent is not None:
            return str(parent.domain_id or parent.id)
    return new.domain_id or own_domain(ctx)


@router.get("/{project_id}")
async def show_project(project_id: str, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Show a project; with `parents_as_list`, `subtree_as_ids` and the like, its place in the tree."""
    row = await projects.find(svc, project_id)
    require(ctx, "get_project", target_of("project", row))
    row = found(row, "project", project_id)
    shown = shapes.project(row, svc.base_url)
    asked = request.query_params
    for both in (("parents_as_list", "parents_as_ids"), ("subtree_as_list", "subtree_as_ids")):
        if all(key in asked for key in both):
            raise BadRequest(f"Cannot use {both[0]} and {both[1]} query params at the same time.")
    up = "parents_as_list" in asked or "parents_as_ids" in asked
    down = "subtree_as_list" in asked or "subtree_as_ids" in asked
    if up or down:
        above, below = await projects.branch(svc, row, up=up, down=down)
        if "parents_as_list" in asked:
            shown["parents"] = [{"project": shapes.project(r, svc.base_url)} for r in above]
        if "parents_as_ids" in asked:
            shown["parents"] = _chain([r.id for r in above] + ([row.domain_id] if row.domain_id else []))
        if "subtree_as_list" in asked:
            shown["subtree"] = [{"project": shapes.project(r, svc.base_url)} for r in below]
        if "subtree_as_ids" in asked:
            shown["subtree"] = _tree(row.id, below)
    return answer({"project": shown})


def _chain(ids: list[str]) -> dict[str, Any] | None:
    nested: dict[str, Any] | None = None
    for row_id in reversed(ids):
        nested = {row_id: nested}
    return nested


def _tree(row_id: str, rows: list[Row[Any]]) -> dict[str, Any] | None:
    return {row.id: _tree(row.id, rows) for row in rows if row.parent_id == row_id} or None


@router.patch("/{project_id}")
async def update_project(project_id: str, body: ProjectUpdateBody, ctx: Ctx, svc: Svc) -> Response:
    """Change a project."""
    row = await projects.find(svc, project_id)
    require(ctx, "update_project", target_of("project", row))
    row = found(row, "project", project_id)
    new = body.project
    if new.domain_id is not None and new.domain_id != row.domain_id:
        raise Invalid("Cannot change Domain ID.")
    if "parent_id" in new.model_fields_set and (new.parent_id or "") != row.parent_id:
        raise Invalid("Update of `parent_id` is not allowed.")
    if "is_domain" in new.model_fields_set and new.is_domain != row.is_domain:
        raise Invalid("Update of `is_domain` is not allowed.")
    changes = common_changes(new, row)
    return answer({"project": shapes.project(await projects.update(svc, row, changes, extra=new.extras()), svc.base_url)})


def common_changes(new: Any, row: Row[Any]) -> dict[str, Any]:
    """What projects, domains and roles have in common in a PATCH."""
    changes: dict[str, Any] = new.changes("name", "enabled", "tags")
    if "name" in changes:
        changes["name"] = changes["name"].strip()
    if "description" in new.model_fields_set:
        changes["description"] = new.description or ""
    if new.options:
        changes["options"] = {k: v for k, v in {**row.options, **new.options}.items() if v is not None}
    return changes


@router.delete("/{project_id}", status_code=204)
async def delete_project(project_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Delete a project."""
    row = await projects.find(svc, project_id)
    require(ctx, "delete_project", target_of("project", row))
    row = found(row, "project", project_id)
    if row.is_domain:
        await projects.delete_domain(svc, row)
    else:
        await projects.delete(svc, row)
    return empty(204)


async def _for_tags(svc: Services, ctx: Context, rule: str, project_id: str) -> Row[Any]:
    row = await projects.find(svc, project_id)
    require(ctx, rule, target_of("project", row))
    return found(row, "project", project_id)


@router.get("/{project_id}/tags")
async def list_tags(project_id: str, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """List a project's tags."""
    row = await _for_tags(svc, ctx, "list_project_tags", project_id)
    return answer({"tags": row.tags, "links": {"next": None, "self": f"{svc.base_url}{request.url.path[3:]}", "previous": None}})


@router.put("/{project_id}/tags")
async def replace_tags(project_id: str, body: TagsBody, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Replace all tags."""
    row = await _for_tags(svc, ctx, "update_project_tags", project_id)
    await projects.set_tags(svc, row, body.tags)
    return answer({"tags": body.tags, "links": {"next": None, "self": f"{svc.base_url}{request.url.path[3:]}", "previous": None}})


@router.delete("/{project_id}/tags", status_code=204)
async def delete_tags(project_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Take all tags away."""
    row = await _for_tags(svc, ctx, "update_project_tags", project_id)
    await projects.set_tags(svc, row, [])
    return empty(204)


@router.head("/{project_id}/tags/{tag}", status_code=204)
@router.get("/{project_id}/tags/{tag}", status_code=204)
async def check_tag(project_id: str, tag: str, ctx: Ctx, svc: Svc) -> Response:
    """Whether a project has a tag."""
    row = await _for_tags(svc, ctx, "list_project_tags", project_id)
    if tag not in row.tags:
        raise Missing("project tag", tag)
    return empty(204)


@router.put("/{project_id}/tags/{tag}", status_code=201)
async def add_tag(project_id: str, tag: str, ctx: Ctx, svc: Svc) -> Response:
    """Add one tag."""
    row = await _for_tags(svc, ctx, "update_project_tags", project_id)
    if not 0 < len(tag) <= 255 or "," in tag:
        raise Invalid("A tag has 1 to 255 characters and no comma or slash.")
    if tag not in row.tags:
        tags = check_tags([*row.tags, tag])
        if len(tags) > 80:
            raise Invalid("A project has at most 80 tags.")
        await projects.set_tags(svc, row, tags)
    return empty(201)


@router.delete("/{project_id}/tags/{tag}", status_code=204)
async def delete_tag(project_id: str, tag: str, ctx: Ctx, svc: Svc) -> Response:
    """Take one tag away."""
    row = await _for_tags(svc, ctx, "update_project_tags", project_id)
    if tag not in row.tags:
        raise Missing("project tag", tag)
    await projects.set_tags(svc, row, [t for t in row.tags if t != tag])
    return empty(204)
