"""What the routes share: the services, and a context whose project is the one in the URL."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Body, Depends, Request

from synnefo_common.errors import BadRequest
from synnefo_common.web import Context, Ctx, services
from synnefo_common.web.links import outer_root
from synnefo_volume.app.services import Services

Svc = Annotated[Services, Depends(services)]
PREFIX = "/v3/{project_id}"
ActionBody = Annotated[dict[str, Any], Body()]  # one key, the name of the action


async def project_context(project_id: str, ctx: Ctx) -> Context:
    """The caller's context. Raises BadRequest if the URL names another project than the token."""
    if ctx.project_id is None or project_id != ctx.project_id:
        raise BadRequest("Malformed request url", code="volume.url.project")
    return ctx


ProjectCtx = Annotated[Context, Depends(project_context)]


def reach_of(ctx: Context) -> str | None:
    """The project whose rows the caller may see; None for an administrator."""
    return None if ctx.is_admin else ctx.project


def base_url(request: Request) -> str:
    """Scheme and host as the caller used them."""
    return outer_root(request)
