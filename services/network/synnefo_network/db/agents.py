"""The parts of the data plane on other machines (chassis), as its driver last saw them: table and queries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Column, Row, String, Table, delete, select, update

from synnefo_common.db import JSON, UnitOfWork
from synnefo_common.db.sql import insert_for
from synnefo_network.db.base import metadata

agents = Table(
    "agents",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("agent_type", String(255), nullable=False),
    Column("binary", String(255), nullable=False),
    Column("host", String(255), nullable=False),
    Column("availability_zone", String(255), nullable=False),
    Column("configurations", JSON, nullable=False),
    Column("description", String(255), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("started_at", BigInteger, nullable=False),  # since when it has been seen without a break
    Column("heartbeat_at", BigInteger, nullable=False),
)


async def list_agents(uow: UnitOfWork) -> Sequence[Row[Any]]:
    return await uow.all(select(agents).order_by(agents.c.created_at, agents.c.id))


async def get_agent(uow: UnitOfWork, agent_id: str) -> Row[Any] | None:
    return await uow.one(select(agents).where(agents.c.id == agent_id))


async def put_agents(uow: UnitOfWork, rows: Sequence[dict[str, Any]]) -> None:
    """Insert, or bring up to date all that the driver tells."""
    statement = insert_for(uow.dialect, agents).values(list(rows))
    told = ("agent_type", "binary", "host", "availability_zone", "configurations", "started_at", "heartbeat_at")
    await uow.run(statement.on_conflict_do_update(index_elements=["id"], set_={name: statement.excluded[name] for name in told}))


async def describe_agent(uow: UnitOfWork, agent_id: str, description: str) -> int:
    return await uow.run(update(agents).where(agents.c.id == agent_id).values(description=description))


async def delete_agent(uow: UnitOfWork, agent_id: str, *, seen_before: int) -> int:
    """Forget an agent that was last seen before a time."""
    return await uow.run(delete(agents).where(agents.c.id == agent_id, agents.c.heartbeat_at < seen_before))
