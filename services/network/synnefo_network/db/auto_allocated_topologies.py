"""Which network and router were made for a project that asked for a network and said no more: table and queries."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, ForeignKey, Row, String, Table, delete, select

from synnefo_common.db import UnitOfWork, upsert_ignore
from synnefo_network.db.base import metadata

auto_allocated_topologies = Table(
    "auto_allocated_topologies",
    metadata,
    Column("project_id", String(64), primary_key=True),
    Column("network_id", String(36), ForeignKey("networks.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("router_id", String(36), nullable=False),
)


async def get_topology(uow: UnitOfWork, project_id: str) -> Row[Any] | None:
    t = auto_allocated_topologies
    return await uow.one(select(t).where(t.c.project_id == project_id))


async def insert_topology(uow: UnitOfWork, row: dict[str, Any]) -> bool:
    """Unless the project has one."""
    return await uow.run(upsert_ignore(uow.dialect, auto_allocated_topologies, row)) == 1


async def delete_topology(uow: UnitOfWork, project_id: str) -> int:
    t = auto_allocated_topologies
    return await uow.run(delete(t).where(t.c.project_id == project_id))
