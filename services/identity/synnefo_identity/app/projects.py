"""Projects and domains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row

from synnefo_common.contracts.envelope import Event
from synnefo_common.db import UnitOfWork
from synnefo_identity.app import users as users_app
from synnefo_identity.app.immutable import refuse_immutable
from synnefo_identity.app.services import Services
from synnefo_identity.db import base, projects
from synnefo_identity.db.base import ROOT
from synnefo_identity.db.credentials import application_credentials, credentials
from synnefo_identity.db.groups import group_members, groups
from synnefo_identity.db.quota import limits
from synnefo_identity.db.roles import assignments, roles
from synnefo_identity.db.users import users
from synnefo_identity.domain.errors import Invalid, Missing, Refused
from synnefo_identity.domain.filters import Query

_table = projects.projects
DEFAULT_DOMAIN = "default"
MAX_DEPTH = 5


async def find(svc: Services, project_id: str) -> Row[Any] | None:
    """The project, or the domain seen as one."""
    async with svc.db.read() as uow:
        return await base.get(uow, _table, project_id)


async def find_domain(svc: Services, domain_id: str) -> Row[Any] | None:
    """The domain."""
    async with svc.db.read() as uow:
        return await projects.domain(uow, domain_id=domain_id)


async def find_many(svc: Services, query: Query, *, is_domain: bool = False) -> list[Row[Any]]:
    """A page of projects, or of domains."""
    async with svc.db.read() as uow:
        return list(await uow.all(base.select_rows(_table, query).where(_table.c.is_domain.is_(is_domain))))


async def create(svc: Services, values: Mapping[str, Any]) -> Row[Any]:
    """A new project, or domain if `is_domain`. Raises Missing (domain, parent), Duplicate, Invalid."""
    row = {"id": svc.ids.hex(), **values, "name_key": values["name"].lower()}
    kind = "domain" if row["is_domain"] else "project"
    detail = (
        "Duplicate ID"
        if await _taken(svc, row["id"])
        else (f"it is not permitted to have two {kind}s with the same name in the same domain: {row['name']}")
    )
    with base.unique(kind, detail):
        async with svc.db.begin() as uow:
            if not row["is_domain"]:
                await _place(uow, row)
            await uow.run(_table.insert().values(**row))
            created = await base.get(uow, _table, row["id"])
            svc.changed(uow)
    assert created is not None
    return created


async def _taken(svc: Services, project_id: str) -> bool:
    return await find(svc, project_id) is not None


async def _place(uow: UnitOfWork, row: dict[str, Any]) -> None:
    """Find domain and parent of a new project: each follows from the other."""
    domain_id, parent_id = row["domain_id"], row["parent_id"]
    if parent_id:
        parent = await base.get(uow, _table, parent_id)
        if parent is None:
            raise Missing("project", parent_id)
        parent_domain = parent.domain_id or parent.id
        if domain_id and domain_id != parent_domain:
            raise Invalid("The project's domain is not that of its parent.")
        if not parent.enabled and row["enabled"]:
            raise Refused(f"Cannot create project, the parent ({parent_id}) is disabled.")
        if len(await projects.ancestors(uow, parent)) + 1 >= MAX_DEPTH and not parent.is_domain:
            raise Refused("Max hierarchy depth reached for this branch.")
        row["domain_id"] = parent_domain
    else:
        row["domain_id"] = row["parent_id"] = domain_id or DEFAULT_DOMAIN
    if await projects.domain(uow, domain_id=row["domain_id"]) is None:
        raise Missing("domain", row["domain_id"])


async def update(svc: Services, project: Row[Any], changes: Mapping[str, Any], *, extra: Mapping[str, Any]) -> Row[Any]:
    """Change a project or domain. Disabling voids its tokens. Raises Duplicate, Missing, Refused."""
    values = dict(changes)
    if "name" in values:
        values["name_key"] = values["name"].lower()
    kind = "domain" if project.is_domain else "project"
    with base.unique(kind, f"it is not permitted to have two {kind}s with the same name in the same domain: {values.get('name')}"):
        async with svc.db.begin() as uow:
            fresh = await base.get(uow, _table, project.id)
            if fresh is None:
                raise Missing(kind, project.id)
            refuse_immutable(kind, fresh, changes)
            if "enabled" in values and not project.is_domain:
                await _check_branch(uow, fresh, enable=values["enabled"])
            if extra:
                values["extra"] = {**fresh.extra, **extra}
            await base.update(uow, _table, project.id, values)
            row = await base.get(uow, _table, project.id)
            svc.changed(uow)
            if values.get("enabled") is False:
                await svc.revoke(uow, {"domain_id" if project.is_domain else "project_id": project.id})
    assert row is not None
    return row


async def _check_branch(uow: UnitOfWork, project: Row[Any], *, enable: bool) -> None:
    if enable:
        if any(not parent.enabled for parent in await projects.ancestors(uow, project)):
            raise Refused(f"Cannot enable project {project.id} since it has disabled parents.")
    elif any(child.enabled for child in await projects.children(uow, project.id)):
        raise Refused(f"Cannot disable project {project.id} since its subtree contains enabled projects.")


async def delete(svc: Services, project: Row[Any]) -> None:
    """Delete a project; what it owned elsewhere learns it from the event. Raises Missing, Refused."""
    refuse_immutable("project", project)
    async with svc.db.begin() as uow:
        if await projects.children(uow, project.id):
            raise Refused(f"Cannot delete the project {project.id}: it has children. Delete them first.")
        if not await base.delete(uow, _table, _table.c.id == project.id):
            raise Missing("project", project.id)
        await _forget_project(uow, project)
        await svc.revoke(uow, {"project_id": project.id})


async def _forget_project(uow: UnitOfWork, project: Row[Any]) -> None:
    a = assignments.c
    await base.delete(uow, assignments, (a.target_type == "project") & (a.target_id == project.id))
    await base.delete(uow, application_credentials, application_credentials.c.project_id == project.id)
    await base.delete(uow, credentials, credentials.c.project_id == project.id)
    await base.delete(uow, limits, limits.c.project_id == project.id)
    await uow.run(users.update().where(users.c.default_project_id == project.id).values(default_project_id=None))
    uow.emit(
        Event(
            "identity.project.deleted",
            aggregate="project",
            aggregate_id=project.id,
            data={"project_id": project.id, "name": project.name},
        )
    )


async def delete_domain(svc: Services, domain: Row[Any]) -> None:
    """Delete a disabled domain with everything in it. Raises Refused while it is enabled, Missing."""
    async with svc.db.begin() as uow:
        fresh = await projects.domain(uow, domain_id=domain.id)
        if fresh is None:
            raise Missing("domain", domain.id)
        refuse_immutable("domain", fresh)
        if fresh.enabled:
            raise Refused("Cannot delete a domain that is enabled, please disable it first.")
        for project in await projects.of_domain(uow, domain.id):
            await _forget_project(uow, project)
        await base.delete(uow, _table, (_table.c.id == domain.id) | (_table.c.domain_id == domain.id))
        user_ids = await users_app.of_domain(uow, domain.id)
        if user_ids:
            await users_app.forget(uow, user_ids)
            await base.delete(uow, users, users.c.domain_id == domain.id)
        group_ids = [g.id for g in await uow.all(groups.select().where(groups.c.domain_id == domain.id))]
        a = assignments.c
        if group_ids:
            await base.delete(uow, group_members, group_members.c.group_id.in_(group_ids))
            await base.delete(uow, assignments, (a.actor_type == "group") & a.actor_id.in_(group_ids))
            await base.delete(uow, groups, groups.c.domain_id == domain.id)
        await base.delete(uow, assignments, (a.target_type == "domain") & (a.target_id == domain.id))
        await base.delete(uow, roles, roles.c.domain_id == domain.id)
        await base.delete(uow, limits, limits.c.project_id == domain.id)
        await svc.revoke(uow, {"domain_id": domain.id}, *({"user_id": user_id} for user_id in user_ids))


async def branch(svc: Services, project: Row[Any], *, up: bool, down: bool) -> tuple[list[Row[Any]], list[Row[Any]]]:
    """(projects above, projects below), each only if asked for."""
    above: list[Row[Any]] = []
    below: list[Row[Any]] = []
    async with svc.db.read() as uow:
        if up:
            above = await projects.ancestors(uow, project)
        if down and project.domain_id != ROOT:
            by_parent: dict[str, list[Row[Any]]] = {}
            for row in await projects.of_domain(uow, project.domain_id):
                by_parent.setdefault(row.parent_id, []).append(row)
            todo = [project.id]
            while todo:
                rows = by_parent.get(todo.pop(0), [])
                below += rows
                todo += [row.id for row in rows]
    return above, below


async def set_tags(svc: Services, project: Row[Any], tags: list[str]) -> None:
    """Replace the tags."""
    async with svc.db.begin() as uow:
        if not await base.update(uow, _table, project.id, {"tags": tags}):
            raise Missing("project", project.id)
