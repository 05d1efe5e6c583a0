"""The password that a server's guest has chosen, encrypted with the server's key: os-server-password."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from synnefo_common.web import Ctx, answer, empty
from synnefo_compute.api.base import CLEAN_QUERY, Svc, project_filter
from synnefo_compute.app import guests

router = APIRouter(prefix="/v2.1/servers/{server_id}/os-server-password", tags=["servers"], dependencies=[CLEAN_QUERY])


@router.get("")
async def show_server_password(server_id: str, ctx: Ctx, svc: Svc) -> Response:
    """In base64; empty while the guest has told none."""
    ctx.require("os_compute_api:os-server-password:show")
    return answer({"password": await guests.show_password(svc, server_id, project_id=project_filter(ctx))})


@router.delete("", status_code=204)
async def clear_server_password(server_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Forget it here. In the guest it stays."""
    ctx.require("os_compute_api:os-server-password:clear")
    await guests.clear_password(svc, server_id, project_id=project_filter(ctx))
    return empty(204)
