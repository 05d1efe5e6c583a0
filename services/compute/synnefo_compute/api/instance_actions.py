"""os-instance-actions: what was done to a server."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from synnefo_common.errors import NotFound
from synnefo_common.web import Ctx, answer
from synnefo_compute.api.base import Svc, project_filter
from synnefo_compute.app import instance_actions
from synnefo_compute.app.views import action_detail, action_summary

router = APIRouter(prefix="/v2.1/servers/{server_id}/os-instance-actions", tags=["instance actions"])


@router.get("")
async def list_instance_actions(server_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Newest first."""
    ctx.require("os_compute_api:os-instance-actions:list")
    rows = await instance_actions.list_actions(svc, server_id, project_id=project_filter(ctx))
    return answer({"instanceActions": [action_summary(row) for row in rows]})


@router.get("/{request_id}")
async def show_instance_action(server_id: str, request_id: str, ctx: Ctx, svc: Svc) -> Response:
    """One action with its event."""
    ctx.require("os_compute_api:os-instance-actions:events")
    row = await instance_actions.get_action(svc, server_id, request_id, project_id=project_filter(ctx))
    if row is None:
        raise NotFound(f"Action for request_id {request_id[:80]} on instance {server_id} not found")
    return answer({"instanceAction": action_detail(row, with_traceback=ctx.is_admin)})
