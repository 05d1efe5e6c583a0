"""QoS policies and their rules: tables and queries."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Boolean, Column, ForeignKey, Integer, Row, String, Table, delete, select

from synnefo_common.db import UnitOfWork
from synnefo_network.db.base import metadata
from synnefo_network.db.columns import standard_columns

qos_policies = Table(
    "qos_policies",
    metadata,
    *standard_columns(),
    Column("shared", Boolean, nullable=False),
    Column("is_default", Boolean, nullable=False),
)
qos_rules = Table(
    "qos_rules",
    metadata,
    *standard_columns(named=False),
    Column("policy_id", String(36), ForeignKey("qos_policies.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("type", String(32), nullable=False),
    Column("direction", String(8)),
    Column("max_kbps", Integer),
    Column("max_burst_kbps", Integer),
    Column("dscp_mark", Integer),
    Column("min_kbps", Integer),
)


async def rules_of(uow: UnitOfWork, policy_ids: Collection[str]) -> dict[str, list[Row[Any]]]:
    """Policy id → its rules, oldest first."""
    found: dict[str, list[Row[Any]]] = {i: [] for i in policy_ids}
    r = qos_rules
    for row in await uow.all(select(r).where(r.c.policy_id.in_(policy_ids)).order_by(r.c.created_at, r.c.id)):
        found[row.policy_id].append(row)
    return found


async def default_policy(uow: UnitOfWork, project_id: str) -> str | None:
    """The id of the policy that new networks of the project get."""
    p = qos_policies
    found: str | None = await uow.scalar(select(p.c.id).where(p.c.project_id == project_id, p.c.is_default).limit(1))
    return found


async def delete_policy(uow: UnitOfWork, policy_id: str) -> int:
    return await uow.run(delete(qos_policies).where(qos_policies.c.id == policy_id))


async def delete_rule(uow: UnitOfWork, rule_id: str) -> int:
    return await uow.run(delete(qos_rules).where(qos_rules.c.id == rule_id))
