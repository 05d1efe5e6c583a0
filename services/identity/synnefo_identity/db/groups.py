"""Groups and their members. Tables and queries."""

from __future__ import annotations

from sqlalchemy import Column, Index, String, Table, Text, UniqueConstraint, select

from synnefo_common.db import JSON, UnitOfWork
from synnefo_identity.db.base import metadata

groups = Table(
    "groups",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("domain_id", String(64), nullable=False),
    Column("name", String(64), nullable=False),
    Column("name_key", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("extra", JSON, nullable=False),
    UniqueConstraint("domain_id", "name_key", name="uq_groups_domain_id_name_key"),
)

group_members = Table(
    "group_members",
    metadata,
    Column("group_id", String(64), primary_key=True),
    Column("user_id", String(64), primary_key=True),
    Index("ix_group_members_user_id", "user_id"),
)


async def member_ids(uow: UnitOfWork, group_id: str) -> list[str]:
    """Ids of the users in a group."""
    rows = await uow.all(select(group_members.c.user_id).where(group_members.c.group_id == group_id))
    return [row.user_id for row in rows]


async def is_member(uow: UnitOfWork, *, group_id: str, user_id: str) -> bool:
    """True if the user is in the group."""
    statement = select(group_members.c.user_id).where(group_members.c.group_id == group_id, group_members.c.user_id == user_id)
    return await uow.one(statement) is not None
