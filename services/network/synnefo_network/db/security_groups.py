"""Security groups and their rules: tables and queries."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    ForeignKey,
    Integer,
    Row,
    String,
    Table,
    UniqueConstraint,
    delete,
    false,
    or_,
    select,
    true,
    update,
)

from synnefo_common.db import UnitOfWork, upsert_ignore
from synnefo_common.db.sql import insert_for
from synnefo_network.db.base import metadata
from synnefo_network.db.columns import standard_columns
from synnefo_network.db.rbac_policies import get_shared, visible

security_groups = Table(
    "security_groups",
    metadata,
    *standard_columns(),
    Column("stateful", Boolean, nullable=False),
    Column("is_default", Boolean, nullable=False),
    Column("shared", Boolean, nullable=False, server_default=false()),
)
security_group_rules = Table(
    "security_group_rules",
    metadata,
    *standard_columns(named=False),
    Column("security_group_id", String(36), ForeignKey("security_groups.id", ondelete="CASCADE"), nullable=False),
    Column("direction", String(8), nullable=False),
    Column("ethertype", String(4), nullable=False),
    Column("protocol", String(40)),
    Column("port_range_min", Integer),
    Column("port_range_max", Integer),
    Column("remote_ip_prefix", String(64)),
    Column("remote_group_id", String(36), ForeignKey("security_groups.id", ondelete="CASCADE"), index=True),
    Column("remote_address_group_id", String(36), ForeignKey("address_groups.id", name="fk_security_group_rules_address_group"), index=True),
    Column("fingerprint", String(255), nullable=False),
    Column("is_charged", Boolean, nullable=False),  # counts in the project's quota (a default group's first rules do not)
    UniqueConstraint("security_group_id", "fingerprint", name="uq_security_group_rules_group_fingerprint"),
)


async def get_group(uow: UnitOfWork, group_id: str, *, project_id: str | None) -> Row[Any] | None:
    """A group that the project sees (None: any)."""
    return (await get_groups(uow, [group_id], project_id=project_id)).get(group_id)


async def get_groups(uow: UnitOfWork, ids: Collection[str], *, project_id: str | None) -> dict[str, Row[Any]]:
    """Those of the groups that the project sees, by id."""
    return await get_shared(uow, security_groups, "security_group", ids, project_id=project_id)


async def find_groups(uow: UnitOfWork, project_id: str, names_or_ids: Collection[str]) -> Sequence[Row[Any]]:
    """The project's groups with one of the names or ids."""
    g = security_groups
    named = or_(g.c.id.in_(names_or_ids), g.c.name.in_(names_or_ids))
    return await uow.all(select(g.c.id, g.c.name).where(g.c.project_id == project_id, named))


async def names_of(uow: UnitOfWork, ids: Collection[str]) -> dict[str, str]:
    g = security_groups
    return {row.id: row.name for row in await uow.all(select(g.c.id, g.c.name).where(g.c.id.in_(ids)))}


async def insert_group_once(uow: UnitOfWork, row: dict[str, Any]) -> bool:
    """Insert a group unless its id is there."""
    return await uow.run(upsert_ignore(uow.dialect, security_groups, row)) == 1


async def insert_rules(uow: UnitOfWork, rows: Sequence[dict[str, Any]]) -> set[str]:
    """Insert rules; the ids of those that no rule of the group equals."""
    if not rows:
        return set()
    r = security_group_rules
    statement = insert_for(uow.dialect, r).values(list(rows))
    statement = statement.on_conflict_do_nothing(index_elements=["security_group_id", "fingerprint"])
    return {row.id for row in await uow.all(statement.returning(r.c.id))}


async def find_rule(uow: UnitOfWork, group_id: str, fingerprint: str) -> str | None:
    r = security_group_rules
    found: str | None = await uow.scalar(select(r.c.id).where(r.c.security_group_id == group_id, r.c.fingerprint == fingerprint))
    return found


async def rules_of(uow: UnitOfWork, group_ids: Collection[str]) -> dict[str, list[Row[Any]]]:
    """Group id → its rules, oldest first."""
    found: dict[str, list[Row[Any]]] = {i: [] for i in group_ids}
    r = security_group_rules
    for row in await uow.all(select(r).where(r.c.security_group_id.in_(group_ids)).order_by(r.c.created_at, r.c.id)):
        found[row.security_group_id].append(row)
    return found


def visible_rules(project_id: str | None) -> ColumnElement[bool]:
    """Rules that a project sees: its own, and those that others made in its groups; None sees all."""
    if project_id is None:
        return true()
    g, r = security_groups, security_group_rules
    seen = select(g.c.id).where(visible(g, "security_group", project_id))
    return or_(r.c.project_id == project_id, r.c.security_group_id.in_(seen))


async def get_rule(uow: UnitOfWork, rule_id: str, *, project_id: str | None) -> Row[Any] | None:
    """A rule that the project sees (None: any)."""
    r = security_group_rules
    return await uow.one(select(r).where(r.c.id == rule_id, visible_rules(project_id)))


async def delete_rules(uow: UnitOfWork, *, rule_id: str | None = None, group_id: str | None = None) -> Sequence[Row[Any]]:
    """Delete one rule, or a group's rules and those that point at it; (project_id, is_charged) of each."""
    r = security_group_rules
    of_group = or_(r.c.security_group_id == group_id, r.c.remote_group_id == group_id)
    which = of_group if rule_id is None else r.c.id == rule_id
    return await uow.all(delete(r).where(which).returning(r.c.project_id, r.c.is_charged))


async def touch_group(uow: UnitOfWork, group_id: str) -> int:
    g = security_groups
    return await uow.run(update(g).where(g.c.id == group_id).values(revision=g.c.revision + 1, updated_at=uow.db.clock.now_us()))


async def delete_group(uow: UnitOfWork, group_id: str) -> int:
    return await uow.run(delete(security_groups).where(security_groups.c.id == group_id))
