"""Routes of agents: the chassis of the data plane."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from synnefo_common.errors import BadRequest
from synnefo_common.web import Ctx, answer, empty
from synnefo_network.api.base import ERRORS, PathId, Svc
from synnefo_network.api.listing import read_filter_bool, select_fields, show_fields
from synnefo_network.api.schemas.agents import AgentUpdateBody
from synnefo_network.app import agents

router = APIRouter(prefix="/v2.0/agents", tags=["agents"], responses=ERRORS)
_FILTERS = ("id", "agent_type", "binary", "host", "topic", "availability_zone", "description", "admin_state_up", "alive")
_OTHERS = ("fields", "sort_key", "sort_dir", "limit", "marker", "page_reverse")


@router.get("")
async def list_agents(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """The chassis that the data plane has, alive or not; all in one page."""
    filters: dict[str, list[str | bool]] = {}
    for name in dict.fromkeys(request.query_params.keys()):
        values = request.query_params.getlist(name)
        if name in ("admin_state_up", "alive"):
            filters[name] = [read_filter_bool(name, v) for v in values]
        elif name in _FILTERS:
            filters[name] = list(values)
        elif name not in _OTHERS:
            raise BadRequest(f"['{name}'] is invalid attribute for filtering")
    found = await agents.list_agents(svc, ctx, filters)
    return answer({"agents": [select_fields(agent, show_fields(request)) for agent in found]})


@router.get("/{agent_id}")
async def show_agent(agent_id: PathId, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Show one."""
    return answer({"agent": select_fields(await agents.show_agent(svc, ctx, agent_id), show_fields(request))})


@router.put("/{agent_id}")
async def update_agent(agent_id: PathId, body: AgentUpdateBody, ctx: Ctx, svc: Svc) -> Response:
    """Describe one."""
    return answer({"agent": await agents.update_agent(svc, ctx, agent_id, body.agent.given())})


@router.delete("/{agent_id}", status_code=204)
async def delete_agent(agent_id: PathId, ctx: Ctx, svc: Svc) -> Response:
    """Forget one that is gone."""
    await agents.delete_agent(svc, ctx, agent_id)
    return empty()
