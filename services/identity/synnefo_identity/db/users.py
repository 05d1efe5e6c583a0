"""Users. Table and queries."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Index, Row, String, Table, Text, UniqueConstraint, select

from synnefo_common.db import JSON, UnitOfWork
from synnefo_identity.db.base import metadata
from synnefo_identity.db.projects import projects

users = Table(
    "users",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("domain_id", String(64), nullable=False),
    Column("name", String(255), nullable=False),
    Column("name_key", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("password_hash", Text),
    Column("default_project_id", String(64)),
    Column("options", JSON, nullable=False),
    Column("extra", JSON, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("domain_id", "name_key", name="uq_users_domain_id_name_key"),
    Index("ix_users_default_project_id", "default_project_id"),
)

_domains = projects.alias("user_domains")
_LOGIN = select(
    users.c.id,
    users.c.name,
    users.c.domain_id,
    users.c.enabled,
    users.c.password_hash,
    users.c.default_project_id,
    _domains.c.name.label("domain_name"),
    _domains.c.enabled.label("domain_enabled"),
).select_from(users.join(_domains, _domains.c.id == users.c.domain_id))


async def for_login(
    uow: UnitOfWork,
    *,
    user_id: str | None = None,
    name: str | None = None,
    domain_id: str | None = None,
    domain_name: str | None = None,
) -> Row[Any] | None:
    """A user with its domain's name and state, by id or by name and domain."""
    if user_id is not None:
        return await uow.one(_LOGIN.where(users.c.id == user_id))
    statement = _LOGIN.where(users.c.name_key == (name or "").lower())
    if domain_id is not None:
        return await uow.one(statement.where(users.c.domain_id == domain_id))
    return await uow.one(statement.where(_domains.c.name_key == (domain_name or "").lower()))


async def by_name(uow: UnitOfWork, *, domain_id: str, name: str) -> Row[Any] | None:
    """The user of that name."""
    return await uow.one(users.select().where(users.c.domain_id == domain_id, users.c.name_key == name.lower()))
