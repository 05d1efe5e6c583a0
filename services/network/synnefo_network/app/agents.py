"""The chassis of the data plane as Neutron shows them: agents. What is known of them comes from the driver."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.exc import DBAPIError

from synnefo_common.clock import MICROS, iso
from synnefo_common.errors import Unavailable
from synnefo_common.log import get_logger
from synnefo_common.web import Context
from synnefo_network.app.services import Services, authorize
from synnefo_network.db import agents as db
from synnefo_network.domain.errors import AgentInUse, AgentNotFound, BadResource

log = get_logger(__name__)


def _dead_before(svc: Services) -> int:
    return svc.clock.now_us() - int(svc.settings.agent_down_time_s * MICROS)


def _view(row: Any, svc: Services) -> dict[str, Any]:
    return {
        "id": row.id,
        "agent_type": row.agent_type,
        "binary": row.binary,
        "host": row.host,
        "topic": "",
        "availability_zone": row.availability_zone,
        "admin_state_up": True,
        "alive": row.heartbeat_at >= _dead_before(svc),
        "configurations": row.configurations,
        "description": row.description,
        "created_at": _time(row.created_at),
        "started_at": _time(row.started_at),
        "heartbeat_timestamp": _time(row.heartbeat_at),
    }


def _time(micros: int) -> str:
    """As Neutron writes the times of agents, which are not those of other resources."""
    return str(iso(micros)).replace("T", " ").rstrip("Z")


async def list_agents(svc: Services, ctx: Context, filters: Mapping[str, Sequence[str | bool]]) -> list[dict[str, Any]]:
    """All that match; none for a caller who may not see them."""
    if not ctx.may("get_agent"):
        return []
    async with svc.db.read() as uow:
        shown = [_view(row, svc) for row in await db.list_agents(uow)]
    return [agent for agent in shown if all(agent[name] in wanted for name, wanted in filters.items())]


async def show_agent(svc: Services, ctx: Context, agent_id: str) -> dict[str, Any]:
    """Raises AgentNotFound."""
    authorize(ctx, "get_agent", {}, hidden=AgentNotFound(agent_id))
    async with svc.db.read() as uow:
        row = await db.get_agent(uow, agent_id)
    if row is None:
        raise AgentNotFound(agent_id)
    return _view(row, svc)


async def update_agent(svc: Services, ctx: Context, agent_id: str, given: dict[str, Any]) -> dict[str, Any]:
    """Only the description is ours to change. Raises AgentNotFound, BadResource."""
    authorize(ctx, "update_agent", {})
    if given.get("admin_state_up") is False:
        raise BadResource("agent", "a chassis cannot be disabled here: stop its ovn-controller, or drain its Ganeti node.")
    async with svc.db.begin() as uow:
        if "description" in given:
            await db.describe_agent(uow, agent_id, given["description"] or "")
        row = await db.get_agent(uow, agent_id)
    if row is None:
        raise AgentNotFound(agent_id)
    return _view(row, svc)


async def delete_agent(svc: Services, ctx: Context, agent_id: str) -> None:
    """Forget one that is gone. Raises AgentNotFound, AgentInUse while it is alive."""
    authorize(ctx, "delete_agent", {})
    async with svc.db.begin() as uow:
        if await db.delete_agent(uow, agent_id, seen_before=_dead_before(svc)):
            return
        if await db.get_agent(uow, agent_id) is None:
            raise AgentNotFound(agent_id)
    raise AgentInUse(f"Agent {agent_id} is alive.")


async def record_agents(svc: Services) -> None:
    """Write down what the driver sees now."""
    agents = await svc.driver.agents()
    async with svc.db.begin() as uow:
        known = {row.id: row for row in await db.list_agents(uow)}
        now, dead = svc.clock.now_us(), _dead_before(svc)
        rows = [
            {
                "id": c.id,
                "agent_type": c.agent_type,
                "binary": c.binary,
                "host": c.host,
                "availability_zone": c.availability_zone,
                "configurations": dict(c.configurations),
                "description": "",
                "created_at": now,
                "started_at": known[c.id].started_at if c.id in known and known[c.id].heartbeat_at >= dead else now,
                "heartbeat_at": now,
            }
            for c in agents
        ]
        if rows:
            await db.put_agents(uow, rows)


async def follow_agents(svc: Services) -> None:
    """Record by period until cancelled. Workers that do so at the same time write the same."""
    while True:
        try:
            await record_agents(svc)
        except (DBAPIError, OSError, Unavailable) as error:
            log.warning("agents_not_recorded", error=repr(error))
        await svc.clock.sleep(svc.settings.agent_down_time_s / 5)
