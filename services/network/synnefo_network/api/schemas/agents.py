"""Bodies of agents."""

from __future__ import annotations

from synnefo_network.api.schemas.base import Body, Bool, Text255, Wrapper


class AgentUpdate(Body):
    admin_state_up: Bool = True
    description: Text255 | None = None


class AgentUpdateBody(Wrapper):
    agent: AgentUpdate
