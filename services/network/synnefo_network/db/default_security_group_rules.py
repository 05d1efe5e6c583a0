"""The templates of rules that new security groups start with: table and queries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Boolean, Column, Connection, ForeignKey, Integer, Row, String, Table, delete, event, insert, or_, select

from synnefo_common.db import UnitOfWork
from synnefo_common.db.sql import insert_for
from synnefo_network.db.base import metadata
from synnefo_network.db.columns import standard_columns
from synnefo_network.domain.security_group import first_templates

default_security_group_rules = Table(
    "default_security_group_rules",
    metadata,
    *standard_columns(named=False),
    Column("direction", String(8), nullable=False),
    Column("ethertype", String(4), nullable=False),
    Column("protocol", String(40)),
    Column("port_range_min", Integer),
    Column("port_range_max", Integer),
    Column("remote_ip_prefix", String(64)),
    Column("remote_is_parent", Boolean, nullable=False),  # the remote group is the group that the rule comes into
    Column("remote_group_id", String(36), ForeignKey("security_groups.id", ondelete="CASCADE"), index=True),
    Column("remote_address_group_id", String(36), ForeignKey("address_groups.id", ondelete="CASCADE"), index=True),
    Column("used_in_default_sg", Boolean, nullable=False),
    Column("used_in_non_default_sg", Boolean, nullable=False),
    # The fingerprint, where the template is used: no two mean the same in one kind of group.
    Column("default_key", String(255), unique=True),
    Column("non_default_key", String(255), unique=True),
)


def _seed(table: Table, connection: Connection, **_: Any) -> None:
    connection.execute(insert(table), first_templates())


event.listen(default_security_group_rules, "after_create", _seed)  # as its migration does


async def templates_for(uow: UnitOfWork, *, is_default: bool) -> Sequence[Row[Any]]:
    """The templates of a project's default group, or of all its others; oldest first."""
    t = default_security_group_rules
    used = t.c.used_in_default_sg if is_default else t.c.used_in_non_default_sg
    return await uow.all(select(t).where(used).order_by(t.c.created_at, t.c.id))


async def get_template(uow: UnitOfWork, rule_id: str) -> Row[Any] | None:
    t = default_security_group_rules
    return await uow.one(select(t).where(t.c.id == rule_id))


async def insert_templates(uow: UnitOfWork, rows: Sequence[dict[str, Any]]) -> Sequence[Row[Any]]:
    """Insert templates; those that mean what none did before."""
    t = default_security_group_rules
    return await uow.all(insert_for(uow.dialect, t).values(list(rows)).on_conflict_do_nothing().returning(t))


async def find_template(uow: UnitOfWork, fingerprint: str) -> str | None:
    """The id of a template with the fingerprint."""
    t = default_security_group_rules
    found: str | None = await uow.scalar(select(t.c.id).where(or_(t.c.default_key == fingerprint, t.c.non_default_key == fingerprint)))
    return found


async def delete_template(uow: UnitOfWork, rule_id: str) -> int:
    t = default_security_group_rules
    return await uow.run(delete(t).where(t.c.id == rule_id))
