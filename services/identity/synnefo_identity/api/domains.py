"""Domains."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from synnefo_common.web import Ctx, answer, empty
from synnefo_identity.api.access import Svc, found, require, target_of
from synnefo_identity.api.listing import list_answer, read_query
from synnefo_identity.api.projects import common_changes
from synnefo_identity.api.schemas.projects import DomainCreateBody, DomainUpdateBody
from synnefo_identity.app import projects, shapes

router = APIRouter(prefix="/v3/domains", tags=["domains"])


@router.get("")
async def list_domains(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """List domains."""
    require(ctx, "list_domains", {"target.domain.id": ctx.domain_id} if ctx.domain_id else None)
    query = read_query(request, texts=("name", "description"), flags=("enabled",))
    if ctx.domain_id and not ctx.is_admin:
        query = query.narrowed(id=ctx.domain_id)
    return list_answer(svc, request, "domains", await projects.find_many(svc, query, is_domain=True), shapes.domain, query=query)


@router.post("", status_code=201)
async def create_domain(body: DomainCreateBody, ctx: Ctx, svc: Svc) -> Response:
    """Create a domain."""
    require(ctx, "create_domain")
    new = body.domain
    values = {
        "name": new.name.strip(),
        "domain_id": "",
        "parent_id": "",
        "is_domain": True,
        "enabled": new.enabled,
        "description": new.description or "",
        "tags": new.tags,
        "options": new.options or {},
        "extra": new.extras(),
    }
    if new.explicit_domain_id:
        values["id"] = new.explicit_domain_id.lower()
    return answer({"domain": shapes.domain(await projects.create(svc, values), svc.base_url)}, 201)


@router.get("/{domain_id}")
async def show_domain(domain_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Show a domain."""
    row = await projects.find_domain(svc, domain_id)
    require(ctx, "get_domain", target_of("domain", row))
    return answer({"domain": shapes.domain(found(row, "domain", domain_id), svc.base_url)})


@router.patch("/{domain_id}")
async def update_domain(domain_id: str, body: DomainUpdateBody, ctx: Ctx, svc: Svc) -> Response:
    """Change a domain."""
    row = await projects.find_domain(svc, domain_id)
    require(ctx, "update_domain", target_of("domain", row))
    row = found(row, "domain", domain_id)
    updated = await projects.update(svc, row, common_changes(body.domain, row), extra=body.domain.extras())
    return answer({"domain": shapes.domain(updated, svc.base_url)})


@router.delete("/{domain_id}", status_code=204)
async def delete_domain(domain_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Delete a disabled domain with all that is in it."""
    row = await projects.find_domain(svc, domain_id)
    require(ctx, "delete_domain", target_of("domain", row))
    await projects.delete_domain(svc, found(row, "domain", domain_id))
    return empty(204)
