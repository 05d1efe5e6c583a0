"""Instance actions: what was done to a server, by whom, with which request id, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Column, Index, Row, String, Table, Text, insert, select, update

from synnefo_common.db import UnitOfWork
from synnefo_compute.db.base import metadata
from synnefo_compute.db.servers import servers

actions = Table(
    "actions",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("server_id", String(36), nullable=False),
    Column("action", String(64), nullable=False),
    Column("request_id", String(80), nullable=False),
    Column("user_id", String(64), nullable=False),
    Column("project_id", String(64), nullable=False),
    Column("event", String(64), nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    Column("message", Text),  # None, or why it failed
    Index("ix_actions_server_id_started_at", "server_id", "started_at"),
    Index("ix_actions_request_id", "request_id"),
)


async def start(uow: UnitOfWork, rows: Sequence[dict[str, Any]]) -> None:
    """Record that actions began."""
    await uow.run(insert(actions), list(rows))


async def finish(uow: UnitOfWork, action_id: str | None, *, message: str | None = None) -> None:
    """Record the end; the first end counts."""
    if action_id is not None:
        await uow.run(
            update(actions)
            .where(actions.c.id == action_id, actions.c.finished_at.is_(None))
            .values(finished_at=uow.db.clock.now_us(), message=message)
        )


async def servers_without(uow: UnitOfWork) -> list[str]:
    """Live servers that nothing says anybody asked for."""
    has_one = select(actions.c.id).where(actions.c.server_id == servers.c.id).exists()
    return [row.id for row in await uow.all(select(servers.c.id).where(servers.c.deleted_at.is_(None), ~has_one).order_by(servers.c.id))]


async def open_of_idle_servers(uow: UnitOfWork, *, before_us: int) -> list[dict[str, str]]:
    """Actions that began before then and have no end, on servers to which nothing is being done."""
    idle = [servers.c.deleted_at.is_(None), servers.c.task_state.is_(None), servers.c.vm_state != "building"]
    query = (
        select(actions.c.id, actions.c.server_id, actions.c.action).join(servers, servers.c.id == actions.c.server_id)
        .where(actions.c.finished_at.is_(None), actions.c.started_at < before_us, *idle).order_by(actions.c.started_at)
    )  # fmt: skip
    return [{"id": row.id, "server_id": row.server_id, "action": row.action} for row in await uow.all(query)]


async def list_actions(uow: UnitOfWork, server_id: str) -> Sequence[Row[Any]]:
    """Newest first."""
    return await uow.all(select(actions).where(actions.c.server_id == server_id).order_by(actions.c.started_at.desc(), actions.c.id))


async def get_action(uow: UnitOfWork, server_id: str, request_id: str) -> Row[Any] | None:
    return await uow.one(select(actions).where(actions.c.server_id == server_id, actions.c.request_id == request_id).limit(1))
