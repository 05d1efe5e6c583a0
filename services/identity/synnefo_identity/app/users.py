"""Users: create, find, list, change, delete; passwords."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row

from synnefo_common.db import UnitOfWork
from synnefo_identity.app import access
from synnefo_identity.app.services import Services
from synnefo_identity.db import base, groups, projects
from synnefo_identity.db.credentials import application_credentials, credentials
from synnefo_identity.db.groups import group_members
from synnefo_identity.db.roles import assignments
from synnefo_identity.db.users import for_login, users
from synnefo_identity.domain.errors import Invalid, LoginFailed, Missing
from synnefo_identity.domain.filters import Query


async def find(svc: Services, user_id: str) -> Row[Any] | None:
    """The user."""
    async with svc.db.read() as uow:
        return await base.get(uow, users, user_id)


async def find_many(svc: Services, query: Query) -> list[Row[Any]]:
    """A page of users."""
    async with svc.db.read() as uow:
        return list(await uow.all(base.select_rows(users, query)))


async def _check_references(uow: UnitOfWork, *, domain_id: str, default_project_id: str | None) -> None:
    if await projects.domain(uow, domain_id=domain_id) is None:
        raise Missing("domain", domain_id)
    if default_project_id is not None:
        project = await base.get(uow, projects.projects, default_project_id)
        if project is not None and project.is_domain:
            raise Invalid(f"User's default project ID cannot be a domain ID: {default_project_id}")


async def create(svc: Services, values: Mapping[str, Any], *, password: str | None) -> Row[Any]:
    """A new user. Raises Missing (domain), Duplicate."""
    hashed = await svc.passwords.hash(password) if password is not None else None
    row = {
        **values,
        "id": svc.ids.hex(),
        "name_key": values["name"].lower(),
        "password_hash": hashed,
        "created_at": svc.clock.now_us(),
    }
    detail = f"Duplicate entry found with name {row['name']} at domain ID {row['domain_id']}"
    with base.unique("user", detail):
        async with svc.db.begin() as uow:
            await _check_references(uow, domain_id=row["domain_id"], default_project_id=row["default_project_id"])
            await uow.run(users.insert().values(**row))
            created = await base.get(uow, users, row["id"])
    assert created is not None
    return created


async def update(svc: Services, user: Row[Any], changes: Mapping[str, Any], *, extra: Mapping[str, Any], password: str | None) -> Row[Any]:
    """Change a user. A new password or `enabled: false` voids the user's tokens. Raises Duplicate, Missing."""
    values = dict(changes)
    if "name" in values:
        values["name_key"] = values["name"].lower()
    if password is not None:
        values["password_hash"] = await svc.passwords.hash(password)
    detail = f"Duplicate entry found with name {values.get('name')} at domain ID {user.domain_id}"
    with base.unique("user", detail):
        async with svc.db.begin() as uow:
            await _check_references(uow, domain_id=user.domain_id, default_project_id=values.get("default_project_id"))
            if extra:
                fresh = await base.get(uow, users, user.id)
                values["extra"] = {**(fresh.extra if fresh else {}), **extra}
            if not await base.update(uow, users, user.id, values):
                raise Missing("user", user.id)
            row = await base.get(uow, users, user.id)
            svc.changed(uow)
            if password is not None or values.get("enabled") is False:
                await svc.revoke(uow, {"user_id": user.id})
    if row is None:
        raise Missing("user", user.id)
    return row


async def change_password(svc: Services, user_id: str, *, original: str, new: str) -> None:
    """The user's own change, proved by the old password. Voids the tokens. Raises LoginFailed."""
    async with svc.db.read() as uow:
        user = await for_login(uow, user_id=user_id)
    if not await svc.passwords.matches(user.password_hash if user else None, original):
        raise LoginFailed
    assert user is not None
    if not user.enabled or not user.domain_enabled:
        raise LoginFailed
    hashed = await svc.passwords.hash(new)
    async with svc.db.begin() as uow:
        unchanged = (users.c.id == user_id) & (users.c.password_hash == user.password_hash)
        if not await uow.run(users.update().where(unchanged).values(password_hash=hashed)):
            raise LoginFailed  # somebody else changed it meanwhile
        await svc.revoke(uow, {"user_id": user_id})


async def delete(svc: Services, user_id: str) -> None:
    """Delete a user with all that hangs on him. Raises Missing."""
    async with svc.db.begin() as uow:
        if not await base.delete(uow, users, users.c.id == user_id):
            raise Missing("user", user_id)
        await forget(uow, [user_id])
        await svc.revoke(uow, {"user_id": user_id})


async def forget(uow: UnitOfWork, user_ids: list[str]) -> None:
    """Delete memberships, assignments and credentials of users that are gone."""
    a = assignments.c
    await base.delete(uow, group_members, group_members.c.user_id.in_(user_ids))
    await base.delete(uow, assignments, (a.actor_type == "user") & a.actor_id.in_(user_ids))
    await base.delete(uow, application_credentials, application_credentials.c.user_id.in_(user_ids))
    await base.delete(uow, credentials, credentials.c.user_id.in_(user_ids))


async def projects_of(svc: Services, user_id: str, *, enabled: bool = False) -> list[Row[Any]]:
    """The projects a user has a role on; if `enabled`, those he can scope to."""
    async with svc.db.read() as uow:
        rows = await access.projects_of(uow, user_id)
        if not enabled:
            return rows
        domain_ids = sorted({row.domain_id for row in rows})
        p = projects.projects
        live = {d.id for d in await uow.all(p.select().where(p.c.id.in_(domain_ids), p.c.enabled))} if rows else set()
    return [row for row in access.enabled_only(rows) if row.domain_id in live]


async def domains_of(svc: Services, user_id: str) -> list[Row[Any]]:
    """The enabled domains a user has a role on."""
    async with svc.db.read() as uow:
        return access.enabled_only(await access.domains_of(uow, user_id))


async def is_in_system(svc: Services, user_id: str) -> bool:
    """True if the user has a role on the system."""
    async with svc.db.read() as uow:
        return bool(await access.roles_on_system(uow, user_id))


async def groups_of(svc: Services, user_id: str, query: Query) -> list[Row[Any]]:
    """The groups a user is in."""
    statement = base.select_rows(groups.groups, query).join(group_members, group_members.c.group_id == groups.groups.c.id)
    async with svc.db.read() as uow:
        return list(await uow.all(statement.where(group_members.c.user_id == user_id)))


async def of_domain(uow: UnitOfWork, domain_id: str) -> list[str]:
    """Ids of a domain's users."""
    return [row.id for row in await uow.all(users.select().with_only_columns(users.c.id).where(users.c.domain_id == domain_id))]
