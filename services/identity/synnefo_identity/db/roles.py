"""Roles, implications and assignments. Tables and queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Index,
    Row,
    String,
    Table,
    Text,
    UniqueConstraint,
    and_,
    or_,
    select,
)

from synnefo_common.db import JSON, UnitOfWork
from synnefo_identity.db.base import metadata
from synnefo_identity.db.groups import group_members
from synnefo_identity.domain.roles import Role, RoleGraph

roles = Table(
    "roles",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("domain_id", String(64), nullable=False),  # ROOT: for all
    Column("name", String(255), nullable=False),
    Column("name_key", Text, nullable=False),
    Column("description", Text),
    Column("options", JSON, nullable=False),
    Column("extra", JSON, nullable=False),
    UniqueConstraint("domain_id", "name_key", name="uq_roles_domain_id_name_key"),
)

implied_roles = Table(
    "implied_roles",
    metadata,
    Column("prior_role_id", String(64), primary_key=True),
    Column("implied_role_id", String(64), primary_key=True),
)

# actor_type: user, group. target_type: project, domain, system (target_id `all`).
assignments = Table(
    "assignments",
    metadata,
    Column("actor_type", String(8), primary_key=True),
    Column("actor_id", String(64), primary_key=True),
    Column("target_type", String(8), primary_key=True),
    Column("target_id", String(64), primary_key=True),
    Column("role_id", String(64), primary_key=True),
    Column("inherited", Boolean, primary_key=True),
    Index("ix_assignments_target_id", "target_id"),
    Index("ix_assignments_role_id", "role_id"),
)

SYSTEM = "all"


async def graph(uow: UnitOfWork) -> RoleGraph:
    """All roles with their implications."""
    found = {row.id: Role(row.id, row.name, row.domain_id) for row in await uow.all(select(roles.c.id, roles.c.name, roles.c.domain_id))}
    implied: dict[str, list[str]] = defaultdict(list)
    for row in await uow.all(implied_roles.select().order_by(implied_roles.c.implied_role_id)):
        implied[row.prior_role_id].append(row.implied_role_id)
    return RoleGraph(found, {prior: tuple(ids) for prior, ids in implied.items()})


def _held_by(user_id: str) -> ColumnElement[bool]:
    groups = select(group_members.c.group_id).where(group_members.c.user_id == user_id)
    return or_(
        and_(assignments.c.actor_type == "user", assignments.c.actor_id == user_id),
        and_(assignments.c.actor_type == "group", assignments.c.actor_id.in_(groups)),
    )


async def role_ids_on(uow: UnitOfWork, user_id: str, *, target_type: str, target_id: str, heirs_of: Collection[str] = ()) -> list[str]:
    """Ids of roles that the user holds, himself or by group, on the target or inherited from `heirs_of`."""
    a = assignments.c
    direct = and_(a.target_type == target_type, a.target_id == target_id, a.inherited.is_(False))
    where = or_(direct, and_(a.target_id.in_(heirs_of), a.inherited.is_(True))) if heirs_of else direct
    rows = await uow.all(select(a.role_id).where(_held_by(user_id), where).distinct().order_by(a.role_id))
    return [row.role_id for row in rows]


async def held(uow: UnitOfWork, user_id: str) -> Sequence[Row[Any]]:
    """All assignments of the user and his groups."""
    return await uow.all(assignments.select().where(_held_by(user_id)))


def same(actor: tuple[str, str], target: tuple[str, str], role_id: str, *, inherited: bool) -> ColumnElement[bool]:
    """WHERE for one assignment."""
    a = assignments.c
    return and_(
        a.actor_type == actor[0],
        a.actor_id == actor[1],
        a.target_type == target[0],
        a.target_id == target[1],
        a.role_id == role_id,
        a.inherited.is_(inherited),
    )
