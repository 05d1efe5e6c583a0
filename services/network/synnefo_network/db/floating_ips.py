"""Floating IPs: table and queries. The address itself is held by a port of the external network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, ForeignKey, Row, String, Table, delete, select, true

from synnefo_common.db import UnitOfWork
from synnefo_network.db.base import metadata
from synnefo_network.db.columns import standard_columns

floating_ips = Table(
    "floating_ips",
    metadata,
    *standard_columns(named=False),
    Column("floating_network_id", String(36), ForeignKey("networks.id"), nullable=False, index=True),
    Column("floating_ip_address", String(64), nullable=False),
    Column("floating_port_id", String(36), ForeignKey("ports.id"), nullable=False, unique=True),
    Column("status", String(16), nullable=False),
)


async def get_floating_ip(uow: UnitOfWork, floating_ip_id: str, *, project_id: str | None) -> Row[Any] | None:
    f = floating_ips
    return await uow.one(select(f).where(f.c.id == floating_ip_id, f.c.project_id == project_id if project_id is not None else true()))


async def delete_floating_ip(uow: UnitOfWork, floating_ip_id: str) -> Row[Any] | None:
    """Delete it; (project_id, floating_port_id), or None if it was not there."""
    f = floating_ips
    return await uow.one(delete(f).where(f.c.id == floating_ip_id).returning(f.c.project_id, f.c.floating_port_id))


async def delete_floating_ips_of(uow: UnitOfWork, network_id: str) -> Sequence[Row[Any]]:
    """Delete all of an external network; (project_id, floating_port_id) of each."""
    f = floating_ips
    return await uow.all(delete(f).where(f.c.floating_network_id == network_id).returning(f.c.project_id, f.c.floating_port_id))
