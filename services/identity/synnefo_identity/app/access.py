"""What a user may scope a token to, and with which roles."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row

from synnefo_common.db import UnitOfWork
from synnefo_identity.db import projects, roles
from synnefo_identity.db.base import ROOT


async def roles_on_project(uow: UnitOfWork, user_id: str, project: Any) -> list[str]:
    """Ids of the roles on a project: direct, by group, inherited from domain and projects above; not expanded."""
    if project.domain_id == ROOT:
        return await roles.role_ids_on(uow, user_id, target_type="project", target_id=project.id)
    above = [row.id for row in await projects.ancestors(uow, project)]
    return await roles.role_ids_on(uow, user_id, target_type="project", target_id=project.id, heirs_of=[project.domain_id, *above])


async def roles_on_domain(uow: UnitOfWork, user_id: str, domain_id: str) -> list[str]:
    """Ids of the roles on a domain."""
    return await roles.role_ids_on(uow, user_id, target_type="domain", target_id=domain_id)


async def roles_on_system(uow: UnitOfWork, user_id: str) -> list[str]:
    """Ids of the roles on the system."""
    return await roles.role_ids_on(uow, user_id, target_type="system", target_id=roles.SYSTEM)


async def projects_of(uow: UnitOfWork, user_id: str) -> list[Row[Any]]:
    """The projects on which the user has a role, in order of their ids."""
    held = await roles.held(uow, user_id)
    direct = {a.target_id for a in held if a.target_type == "project" and not a.inherited}
    heirs_of = {a.target_id for a in held if a.inherited}
    found: dict[str, Row[Any]] = {}
    if direct:
        for row in await uow.all(projects.projects.select().where(projects.projects.c.id.in_(sorted(direct)))):
            found[row.id] = row
    p = projects.projects.c
    seen: set[str] = set()
    while heirs_of:
        seen |= heirs_of
        below = (p.domain_id.in_(sorted(heirs_of))) | (p.parent_id.in_(sorted(heirs_of)))
        rows = await uow.all(projects.projects.select().where(below))
        found.update((row.id, row) for row in rows)
        heirs_of = {row.id for row in rows} - seen
    return [found[key] for key in sorted(found) if not found[key].is_domain]


async def domains_of(uow: UnitOfWork, user_id: str) -> list[Row[Any]]:
    """The domains on which the user has a role."""
    held = await roles.held(uow, user_id)
    ids = sorted({a.target_id for a in held if a.target_type == "domain" and not a.inherited})
    if not ids:
        return []
    p = projects.projects
    return list(await uow.all(p.select().where(p.c.id.in_(ids), p.c.is_domain).order_by(p.c.id)))


def enabled_only(rows: Iterable[Row[Any]]) -> list[Row[Any]]:
    """Those that are enabled."""
    return [row for row in rows if row.enabled]
