"""Subnet pools: table and queries. What is allocated from a pool are the subnets that name it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Boolean, Column, ForeignKey, Integer, Row, String, Table, delete, false, select

from synnefo_common.db import JSON, UnitOfWork
from synnefo_network.db.base import metadata
from synnefo_network.db.columns import standard_columns
from synnefo_network.db.subnets import subnets

subnetpools = Table(
    "subnetpools",
    metadata,
    *standard_columns(),
    Column("ip_version", Integer, nullable=False),
    Column("prefixes", JSON, nullable=False),
    Column("min_prefixlen", Integer, nullable=False),
    Column("default_prefixlen", Integer, nullable=False),
    Column("max_prefixlen", Integer, nullable=False),
    Column("default_quota", Integer),
    Column("is_default", Boolean, nullable=False),
    Column("shared", Boolean, nullable=False),
    Column("address_scope_id", String(36), ForeignKey("address_scopes.id"), index=True),
    Column("is_charged", Boolean, nullable=False, server_default=false()),  # those of before pools counted in quotas do not
)


async def lock_pool(uow: UnitOfWork, pool_id: str) -> Row[Any] | None:
    """The pool, held until the transaction ends: subnets are allocated from it one after the other."""
    return await uow.one(select(subnetpools).where(subnetpools.c.id == pool_id).with_for_update())


async def allocations(uow: UnitOfWork, pool_id: str) -> Sequence[Row[Any]]:
    """The subnets from a pool, as (cidr, project_id)."""
    return await uow.all(select(subnets.c.cidr, subnets.c.project_id).where(subnets.c.subnetpool_id == pool_id))


async def default_pool(uow: UnitOfWork, ip_version: int) -> Row[Any] | None:
    p = subnetpools
    return await uow.one(select(p).where(p.c.is_default, p.c.ip_version == ip_version).order_by(p.c.created_at).limit(1))


async def pools_of_scope(uow: UnitOfWork, scope_id: str) -> Sequence[Row[Any]]:
    p = subnetpools
    return await uow.all(select(p.c.id, p.c.prefixes, p.c.ip_version).where(p.c.address_scope_id == scope_id))


async def scopes_of_networks(uow: UnitOfWork, network_ids: Collection[str]) -> dict[str, dict[int, str]]:
    """Network id → IP version → address scope of the pools that its subnets are from."""
    p, s = subnetpools, subnets
    statement = select(s.c.network_id, p.c.ip_version, p.c.address_scope_id).select_from(s.join(p, p.c.id == s.c.subnetpool_id))
    found: dict[str, dict[int, str]] = {}
    for row in await uow.all(statement.where(s.c.network_id.in_(network_ids), p.c.address_scope_id.is_not(None))):
        found.setdefault(row.network_id, {})[row.ip_version] = row.address_scope_id
    return found


async def delete_pool(uow: UnitOfWork, pool_id: str) -> int:
    return await uow.run(delete(subnetpools).where(subnetpools.c.id == pool_id))
