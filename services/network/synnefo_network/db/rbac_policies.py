"""Which objects are shared with which projects: table and queries.

An object that is shared with all has `shared` set in its own row too, so that most queries need not look here.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Index,
    Row,
    Select,
    String,
    Table,
    UniqueConstraint,
    delete,
    false,
    or_,
    select,
    true,
)

from synnefo_common.db import UnitOfWork
from synnefo_common.db.sql import insert_for
from synnefo_network.db.base import metadata
from synnefo_network.db.columns import standard_columns

SHARED = "access_as_shared"
EXTERNAL = "access_as_external"  # of networks: for gateways and floating IPs
EVERYONE = "*"

rbac_policies = Table(
    "rbac_policies",
    metadata,
    *standard_columns(named=False),
    Column("object_type", String(32), nullable=False),
    Column("object_id", String(36), nullable=False),
    Column("action", String(32), nullable=False),
    Column("target_project", String(64), nullable=False),
    Column("is_charged", Boolean, nullable=False, server_default=false()),  # those that came with `shared` count in no quota
    UniqueConstraint("object_type", "object_id", "action", "target_project", name="uq_rbac_policies_object"),
    Index("ix_rbac_policies_target", "target_project", "object_type"),
)


def shared_with(table: Table, object_type: str, project_id: str | None) -> ColumnElement[bool]:
    """Whether a row of the table is shared with the project (None: with all)."""
    if project_id is None:
        return table.c.shared.is_(True)
    p = rbac_policies
    named = select(p.c.object_id).where(p.c.target_project == project_id, p.c.object_type == object_type, p.c.action == SHARED)
    return or_(table.c.shared, table.c.id.in_(named))


def given_to(object_type: str, project_id: str) -> Select[tuple[str]]:
    """Ids of the objects that a policy gives to the project, whatever for."""
    p = rbac_policies
    return select(p.c.object_id).where(p.c.target_project.in_((project_id, EVERYONE)), p.c.object_type == object_type)


def visible(table: Table, object_type: str, project_id: str | None) -> ColumnElement[bool]:
    """Rows that a project sees: its own and those shared with it; None sees all."""
    return true() if project_id is None else or_(table.c.project_id == project_id, shared_with(table, object_type, project_id))


def seen_columns(table: Table, object_type: str, project_id: str | None) -> list[Any]:
    """The table's columns; `shared` as the project sees it."""
    return [shared_with(table, object_type, project_id).label("shared") if c.name == "shared" else c for c in table.c]


async def get_shared(uow: UnitOfWork, table: Table, object_type: str, ids: Collection[str], *, project_id: str | None) -> dict[str, Row[Any]]:
    """Those of the rows that the project sees, by id."""
    statement = select(*seen_columns(table, object_type, project_id)).where(table.c.id.in_(ids), visible(table, object_type, project_id))
    return {row.id: row for row in await uow.all(statement)}


async def insert_policies(uow: UnitOfWork, rows: Sequence[dict[str, Any]]) -> int:
    """Insert policies; how many were not there yet."""
    return await uow.run(insert_for(uow.dialect, rbac_policies).values(list(rows)).on_conflict_do_nothing())


async def get_policy(uow: UnitOfWork, policy_id: str, *, project_id: str | None) -> Row[Any] | None:
    return await uow.one(select(rbac_policies).where(rbac_policies.c.id == policy_id, visible_policies(project_id)))


def visible_policies(project_id: str | None) -> ColumnElement[bool]:
    """Policies that a project sees: those that it made, not those that give it something."""
    return true() if project_id is None else rbac_policies.c.project_id == project_id


async def targets_of(uow: UnitOfWork, object_type: str, object_id: str, *, action: str = SHARED) -> set[str]:
    """With whom an object is shared."""
    p = rbac_policies
    named = select(p.c.target_project).where(p.c.object_type == object_type, p.c.object_id == object_id, p.c.action == action)
    return {row.target_project for row in await uow.all(named)}


async def delete_policies(
    uow: UnitOfWork,
    *,
    policy_id: str | None = None,
    object_type: str = "",
    object_id: str = "",
    target: str | None = None,
    action: str | None = None,
) -> Sequence[Row[Any]]:
    """Delete one policy, or those of an object (with one target, of one action); the owners of those that counted, a row each."""
    p = rbac_policies
    if policy_id is not None:
        gone = await uow.all(delete(p).where(p.c.id == policy_id).returning(p.c.project_id, p.c.is_charged))
        return [row for row in gone if row.is_charged]
    of_target = p.c.target_project == target if target is not None else true()
    of_action = p.c.action == action if action is not None else true()
    where = (p.c.object_type == object_type, p.c.object_id == object_id, of_target, of_action)
    return [row for row in await uow.all(delete(p).where(*where).returning(p.c.project_id, p.c.is_charged)) if row.is_charged]
