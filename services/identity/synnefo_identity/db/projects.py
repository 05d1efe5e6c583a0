"""Projects and domains: a domain is a project that acts as one, as in Keystone. Tables and queries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Boolean, Column, Index, Row, String, Table, Text, UniqueConstraint, select

from synnefo_common.db import JSON, UnitOfWork
from synnefo_identity.db.base import ROOT, metadata

projects = Table(
    "projects",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("domain_id", String(64), nullable=False),  # ROOT for a domain
    Column("name", String(64), nullable=False),
    Column("name_key", Text, nullable=False),  # lower case: names are unique whatever their case
    Column("parent_id", String(64), nullable=False),  # ROOT for a domain
    Column("is_domain", Boolean, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("description", Text, nullable=False),
    Column("options", JSON, nullable=False),
    Column("tags", JSON, nullable=False),
    Column("extra", JSON, nullable=False),
    UniqueConstraint("domain_id", "name_key", name="uq_projects_domain_id_name_key"),
    Index("ix_projects_parent_id", "parent_id"),
)

_domains = projects.alias("domains")
_LOGIN = select(
    projects.c.id,
    projects.c.name,
    projects.c.domain_id,
    projects.c.parent_id,
    projects.c.enabled,
    projects.c.is_domain,
    _domains.c.name.label("domain_name"),
    _domains.c.enabled.label("domain_enabled"),
).select_from(projects.outerjoin(_domains, _domains.c.id == projects.c.domain_id))


async def by_name(uow: UnitOfWork, *, domain_id: str, name: str) -> Row[Any] | None:
    """The project (or, in ROOT, the domain) of that name, whatever its case."""
    return await uow.one(projects.select().where(projects.c.domain_id == domain_id, projects.c.name_key == name.lower()))


async def domain(uow: UnitOfWork, *, domain_id: str | None = None, name: str | None = None) -> Row[Any] | None:
    """A domain by id or name."""
    statement = projects.select().where(projects.c.is_domain)
    statement = (
        statement.where(projects.c.id == domain_id)
        if domain_id is not None
        else statement.where(projects.c.domain_id == ROOT, projects.c.name_key == (name or "").lower())
    )
    return await uow.one(statement)


async def for_scope(
    uow: UnitOfWork,
    *,
    project_id: str | None = None,
    name: str | None = None,
    domain_id: str | None = None,
    domain_name: str | None = None,
) -> Row[Any] | None:
    """A project with its domain's name and state, for a token's scope."""
    if project_id is not None:
        return await uow.one(_LOGIN.where(projects.c.id == project_id))
    statement = _LOGIN.where(projects.c.name_key == (name or "").lower())
    if domain_id is not None:
        return await uow.one(statement.where(projects.c.domain_id == domain_id))
    return await uow.one(statement.where(_domains.c.name_key == (domain_name or "").lower()))


async def ancestors(uow: UnitOfWork, row: Row[Any]) -> list[Row[Any]]:
    """The projects above, nearest first, without the domain. No statement for a project directly below its domain."""
    found: list[Row[Any]] = []
    parent_id = row.parent_id
    while parent_id not in (ROOT, row.domain_id):
        parent = await uow.one(projects.select().where(projects.c.id == parent_id))
        if parent is None:
            break
        found.append(parent)
        parent_id = parent.parent_id
    return found


async def of_domain(uow: UnitOfWork, domain_id: str) -> Sequence[Row[Any]]:
    """All projects of a domain."""
    return await uow.all(projects.select().where(projects.c.domain_id == domain_id))


async def children(uow: UnitOfWork, project_id: str) -> Sequence[Row[Any]]:
    """The projects directly below."""
    return await uow.all(projects.select().where(projects.c.parent_id == project_id))
