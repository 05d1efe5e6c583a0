"""Role assignments: give, take away, list, and the effective list."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Row, and_, false, or_, select

from synnefo_common.db import UnitOfWork, upsert_ignore
from synnefo_identity.app.services import Services
from synnefo_identity.db import base, groups, projects, roles
from synnefo_identity.db.roles import SYSTEM, assignments
from synnefo_identity.db.users import users
from synnefo_identity.domain.errors import Missing
from synnefo_identity.domain.roles import RoleGraph


@dataclass(frozen=True, slots=True)
class Grant:
    """An actor (user or group) with a role on a target (project, domain or system)."""

    actor: tuple[str, str]
    target: tuple[str, str]
    role_id: str
    inherited: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the list. The rest says where an effective one comes from."""

    grant: Grant
    via_group: str | None = None
    via_role: str | None = None
    via_target: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Filters of the list."""

    user_id: str | None = None
    group_id: str | None = None
    role_id: str | None = None
    target: tuple[str, str] | None = None
    inherited: bool | None = None
    effective: bool = False
    subtree: bool = False
    within_domain: str | None = None


async def give(svc: Services, grant: Grant) -> None:
    """Make the assignment; nothing happens if it is there."""
    row = {
        "actor_type": grant.actor[0],
        "actor_id": grant.actor[1],
        "target_type": grant.target[0],
        "target_id": grant.target[1],
        "role_id": grant.role_id,
        "inherited": grant.inherited,
    }
    async with svc.db.begin() as uow:
        await uow.run(upsert_ignore(uow.dialect, assignments, row))


async def exists(svc: Services, grant: Grant) -> bool:
    """True if the assignment is there."""
    async with svc.db.read() as uow:
        return await uow.one(assignments.select().where(_same(grant))) is not None


async def take_away(svc: Services, grant: Grant) -> None:
    """Remove the assignment and end the tokens that may carry it. Raises Missing."""
    async with svc.db.begin() as uow:
        if not await base.delete(uow, assignments, _same(grant)):
            raise Missing("role assignment", grant.role_id)
        kind, actor_id = grant.actor
        user_ids = [actor_id] if kind == "user" else await groups.member_ids(uow, actor_id)
        await svc.revoke(uow, *({"user_id": user_id, "role_id": grant.role_id} | _where(grant) for user_id in user_ids))


def _where(grant: Grant) -> dict[str, Any]:
    """The part of a revocation that says where: nothing for an inherited role, which is in tokens of many projects."""
    if grant.inherited:
        return {}
    kind, target_id = grant.target
    return {"system": True} if kind == "system" else {f"{kind}_id": target_id}


def _same(grant: Grant) -> Any:
    return roles.same(grant.actor, grant.target, grant.role_id, inherited=grant.inherited)


async def roles_of(svc: Services, actor: tuple[str, str], target: tuple[str, str], *, inherited: bool = False) -> list[Row[Any]]:
    """The roles given directly."""
    a = assignments.c
    where = and_(
        a.actor_type == actor[0],
        a.actor_id == actor[1],
        a.target_type == target[0],
        a.target_id == target[1],
        a.inherited.is_(inherited),
    )
    statement = select(roles.roles).join(assignments, a.role_id == roles.roles.c.id).where(where).order_by(roles.roles.c.id)
    async with svc.db.read() as uow:
        return list(await uow.all(statement))


async def find_lines(svc: Services, wanted: Wanted) -> list[Line]:
    """The list, effective or as stored, in a stable order."""
    async with svc.db.read() as uow:
        if wanted.effective:
            lines = await _effective(uow, wanted, await svc.role_graph.get())
        else:
            lines = [Line(_grant(row)) for row in await uow.all(_stored(wanted, await _targets(uow, wanted)))]
    return sorted(
        lines,
        key=lambda line: (
            line.grant.actor,
            line.grant.target,
            line.grant.role_id,
            line.grant.inherited,
            str(line.via_group),
        ),
    )


def _grant(row: Row[Any]) -> Grant:
    return Grant((row.actor_type, row.actor_id), (row.target_type, row.target_id), row.role_id, row.inherited)


async def _targets(uow: UnitOfWork, wanted: Wanted) -> list[tuple[str, str]] | None:
    """The targets asked for, with the subtree if wanted; None for all."""
    if wanted.target is None:
        return None
    targets = [wanted.target]
    if wanted.subtree and wanted.target[0] == "project":
        project = await base.get(uow, projects.projects, wanted.target[1])
        rows = await projects.of_domain(uow, project.domain_id) if project else []
        todo = [wanted.target[1]]
        while todo:
            parent = todo.pop()
            below = [row.id for row in rows if row.parent_id == parent]
            todo += below
            targets += [("project", row_id) for row_id in below]
    return targets


def _stored(wanted: Wanted, targets: list[tuple[str, str]] | None) -> Any:
    a = assignments.c
    statement = assignments.select()
    if wanted.user_id is not None:
        statement = statement.where(a.actor_type == "user", a.actor_id == wanted.user_id)
    if wanted.group_id is not None:
        statement = statement.where(a.actor_type == "group", a.actor_id == wanted.group_id)
    if wanted.role_id is not None:
        statement = statement.where(a.role_id == wanted.role_id)
    if wanted.inherited is not None:
        statement = statement.where(a.inherited.is_(wanted.inherited))
    if targets is not None:
        statement = statement.where(or_(false(), *(and_(a.target_type == k, a.target_id == i) for k, i in targets)))
    if wanted.within_domain is not None:
        own = select(projects.projects.c.id).where(projects.projects.c.domain_id == wanted.within_domain)
        statement = statement.where(a.target_type != "system", or_(a.target_id == wanted.within_domain, a.target_id.in_(own)))
    return statement


async def _effective(uow: UnitOfWork, wanted: Wanted, graph: RoleGraph) -> list[Line]:
    """Groups become their members, inherited assignments their heirs, roles what they imply; then the filters apply.

    As in tokens, a domain's own roles are not in it, only what they imply.
    """
    stored = [Line(_grant(row)) for row in await uow.all(_stored(replace(Wanted(), within_domain=wanted.within_domain), None))]
    targets = await _targets(uow, wanted)
    lines = await _heirs(uow, await _members(uow, stored), inherited=wanted.inherited)
    found: dict[Grant, Line] = {}
    for line in lines:
        for role_id, _ in graph.for_token([line.grant.role_id]):
            grant = replace(line.grant, role_id=role_id)
            via = None if role_id == line.grant.role_id else line.grant.role_id
            if _passes(grant, wanted, targets):
                found.setdefault(grant, replace(line, grant=grant, via_role=via))
    return list(found.values())


def _passes(grant: Grant, wanted: Wanted, targets: list[tuple[str, str]] | None) -> bool:
    return (
        (wanted.user_id is None or grant.actor == ("user", wanted.user_id))
        and (wanted.role_id is None or grant.role_id == wanted.role_id)
        and (targets is None or grant.target in targets)
    )


async def _members(uow: UnitOfWork, lines: list[Line]) -> list[Line]:
    by_group: dict[str, list[str]] = {}
    for row in await uow.all(groups.group_members.select()):
        by_group.setdefault(row.group_id, []).append(row.user_id)
    found = []
    for line in lines:
        kind, actor_id = line.grant.actor
        if kind == "user":
            found.append(line)
        else:
            for user_id in by_group.get(actor_id, ()):
                found.append(replace(line, grant=replace(line.grant, actor=("user", user_id)), via_group=actor_id))
    return found


async def _heirs(uow: UnitOfWork, lines: list[Line], *, inherited: bool | None) -> list[Line]:
    if not any(line.grant.inherited for line in lines):
        return lines if inherited is not True else []
    below: dict[str, list[str]] = {}
    rows = await uow.all(projects.projects.select().where(projects.projects.c.is_domain.is_(False)))
    parents = {row.id: row.parent_id for row in rows}
    for row in rows:
        above = row.parent_id
        while above:
            below.setdefault(above, []).append(row.id)
            above = parents.get(above, "")
    found = []
    for line in lines:
        if not line.grant.inherited:
            if inherited is not True:
                found.append(line)
            continue
        if inherited is not False:
            for project_id in below.get(line.grant.target[1], ()):
                grant = replace(line.grant, target=("project", project_id), inherited=False)
                found.append(replace(line, grant=grant, via_target=line.grant.target))
    return found


@dataclass(frozen=True, slots=True)
class Names:
    """(name, domain id) by kind and id, and names of domains."""

    by_kind: dict[str, dict[str, tuple[str, str]]]

    def of(self, kind: str, row_id: str) -> dict[str, Any]:
        """`{"id", "name", "domain": {"id", "name"}}`, without domain where there is none."""
        name, domain_id = self.by_kind.get(kind, {}).get(row_id, ("", ""))
        shown: dict[str, Any] = {"id": row_id, "name": name}
        if domain_id:
            shown["domain"] = {"id": domain_id, "name": self.by_kind["domain"].get(domain_id, ("", ""))[0]}
        return shown


async def names_for(svc: Services, lines: Iterable[Line]) -> Names:
    """The names that a list shows; five statements however long the list is."""
    lines = list(lines)
    p = projects.projects
    async with svc.db.read() as uow:
        wanted = {
            "user": (users, {line.grant.actor[1] for line in lines if line.grant.actor[0] == "user"}),
            "group": (groups.groups, {line.grant.actor[1] for line in lines if line.grant.actor[0] == "group"}),
            "project": (p, {line.grant.target[1] for line in lines if line.grant.target[0] == "project"}),
            "role": (roles.roles, {line.grant.role_id for line in lines}),
        }
        found: dict[str, dict[str, tuple[str, str]]] = {}
        for kind, (table, ids) in wanted.items():
            rows = await uow.all(select(table.c.id, table.c.name, table.c.domain_id).where(table.c.id.in_(sorted(ids)))) if ids else []
            found[kind] = {row.id: (row.name, row.domain_id) for row in rows}
        found["domain"] = {row.id: (row.name, "") for row in await uow.all(select(p.c.id, p.c.name).where(p.c.is_domain))}
    return Names(found)


__all__ = [
    "SYSTEM",
    "Grant",
    "Line",
    "Names",
    "Wanted",
    "exists",
    "find_lines",
    "give",
    "names_for",
    "roles_of",
    "take_away",
]
