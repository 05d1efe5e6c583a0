"""Agents: the chassis that the driver sees."""

from __future__ import annotations

from typing import Any

from synnefo_network.app.agents import record_agents

from .conftest import Cloud, error_type


async def _agents(cloud: Cloud, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await cloud.as_admin().get(f"/v2.0/agents{query}")).json()["agents"]
    return found


async def test_chassis_of_the_driver_are_agents_for_administrators(still: Cloud) -> None:
    assert await _agents(still) == []
    await record_agents(still.service.app.state.services)
    (agent,) = await _agents(still, "?alive=true")
    assert agent["binary"] == "synnefo-network" and agent["admin_state_up"] is True
    path = f"/v2.0/agents/{agent['id']}"
    described = await still.as_admin().put(path, json={"agent": {"description": "rack 1"}})
    assert described.json()["agent"]["description"] == "rack 1"
    await record_agents(still.service.app.state.services)  # what the driver tells does not undo it
    assert (await still.as_admin().get(path)).json()["agent"]["description"] == "rack 1"
    assert await _agents(still, "?host=elsewhere") == []
    member = still.as_member()
    assert (await member.get("/v2.0/agents")).json() == {"agents": []}
    assert (await member.get(path)).status_code == 404
    assert (await member.put(path, json={"agent": {"description": "mine"}})).status_code == 403
    refused = await still.as_admin().put(path, json={"agent": {"admin_state_up": False}})
    assert (refused.status_code, error_type(refused)) == (400, "BadRequest")


async def test_agent_that_is_not_seen_is_dead_and_can_be_forgotten(still: Cloud) -> None:
    await record_agents(still.service.app.state.services)
    (agent,) = await _agents(still)
    path = f"/v2.0/agents/{agent['id']}"
    kept = await still.as_admin().delete(path)
    assert (kept.status_code, error_type(kept)) == (409, "AgentInUse")
    still.clock.advance(76)
    (dead,) = await _agents(still, "?alive=false")
    assert dead["heartbeat_timestamp"] == agent["heartbeat_timestamp"]
    assert (await still.as_admin().delete(path)).status_code == 204
    gone = await still.as_admin().delete(path)
    assert (gone.status_code, error_type(gone)) == (404, "AgentNotFound")
