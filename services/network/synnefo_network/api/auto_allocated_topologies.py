"""Routes of auto-allocated topologies."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from synnefo_common.errors import BadRequest
from synnefo_common.web import Context, Ctx, answer, empty
from synnefo_network.api.base import ERRORS, PathId, Svc
from synnefo_network.app import auto_allocated_topologies as topologies

router = APIRouter(prefix="/v2.0/auto-allocated-topology", tags=["auto-allocated topology"], responses=ERRORS)


def _project(ctx: Context, project_id: str) -> str:
    """Clients that know no project say None."""
    if len(project_id) > 64:
        raise BadRequest("A project id has at most 64 characters.")
    return ctx.project if project_id in ("None", "null") else project_id


@router.get("/{project_id}")
async def show_auto_allocated_topology(project_id: PathId, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """The network that the project got without saying how, made now if it has none; `fields=dry-run` asks whether it could be made."""
    fields = [f for f in request.query_params.getlist("fields") if f]
    owner = _project(ctx, project_id)
    if "dry-run" in fields:
        return answer({"auto_allocated_topology": await topologies.check_requirements(svc, ctx, owner)})
    if fields:
        raise BadRequest("Bad auto_allocate request: Unrecognized field.")
    return answer({"auto_allocated_topology": await topologies.get_topology(svc, ctx, owner)})


@router.delete("/{project_id}", status_code=204)
async def delete_auto_allocated_topology(project_id: PathId, ctx: Ctx, svc: Svc) -> Response:
    """Delete the network and its router."""
    await topologies.delete_topology(svc, ctx, _project(ctx, project_id))
    return empty()
