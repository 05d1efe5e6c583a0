"""Groups and membership."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row

from synnefo_common.db import upsert_ignore
from synnefo_identity.app.services import Services
from synnefo_identity.db import base, projects
from synnefo_identity.db.groups import group_members, groups, is_member, member_ids
from synnefo_identity.db.roles import assignments
from synnefo_identity.db.users import users
from synnefo_identity.domain.errors import Missing
from synnefo_identity.domain.filters import Query


async def find(svc: Services, group_id: str) -> Row[Any] | None:
    """The group."""
    async with svc.db.read() as uow:
        return await base.get(uow, groups, group_id)


async def find_many(svc: Services, query: Query) -> list[Row[Any]]:
    """A page of groups."""
    async with svc.db.read() as uow:
        return list(await uow.all(base.select_rows(groups, query)))


async def create(svc: Services, values: Mapping[str, Any]) -> Row[Any]:
    """A new group. Raises Missing (domain), Duplicate."""
    row = {**values, "id": svc.ids.hex(), "name_key": values["name"].lower()}
    with base.unique("group", f"Duplicate entry found with name {row['name']} at domain ID {row['domain_id']}"):
        async with svc.db.begin() as uow:
            if await projects.domain(uow, domain_id=row["domain_id"]) is None:
                raise Missing("domain", row["domain_id"])
            await uow.run(groups.insert().values(**row))
            created = await base.get(uow, groups, row["id"])
    assert created is not None
    return created


async def update(svc: Services, group: Row[Any], changes: Mapping[str, Any], *, extra: Mapping[str, Any]) -> Row[Any]:
    """Change a group. Raises Duplicate, Missing."""
    values = dict(changes)
    if "name" in values:
        values["name_key"] = values["name"].lower()
    with base.unique("group", f"Duplicate entry found with name {values.get('name')} at domain ID {group.domain_id}"):
        async with svc.db.begin() as uow:
            fresh = await base.get(uow, groups, group.id)
            if fresh is None:
                raise Missing("group", group.id)
            if extra:
                values["extra"] = {**fresh.extra, **extra}
            await base.update(uow, groups, group.id, values)
            row = await base.get(uow, groups, group.id)
    assert row is not None
    return row


async def delete(svc: Services, group_id: str) -> None:
    """Delete a group. Members' tokens end: roles may have come from here. Raises Missing."""
    async with svc.db.begin() as uow:
        if not await base.delete(uow, groups, groups.c.id == group_id):
            raise Missing("group", group_id)
        members = await member_ids(uow, group_id)
        await base.delete(uow, group_members, group_members.c.group_id == group_id)
        a = assignments.c
        had_roles = await base.delete(uow, assignments, (a.actor_type == "group") & (a.actor_id == group_id))
        if had_roles:
            await svc.revoke(uow, *({"user_id": user_id} for user_id in members))


async def members(svc: Services, group_id: str, query: Query) -> list[Row[Any]]:
    """The users in a group."""
    statement = base.select_rows(users, query).join(group_members, group_members.c.user_id == users.c.id)
    async with svc.db.read() as uow:
        return list(await uow.all(statement.where(group_members.c.group_id == group_id)))


async def has_member(svc: Services, *, group_id: str, user_id: str) -> bool:
    """True if the user is in the group."""
    async with svc.db.read() as uow:
        return await is_member(uow, group_id=group_id, user_id=user_id)


async def add_member(svc: Services, *, group_id: str, user_id: str) -> None:
    """Put a user into a group; nothing happens if he is there."""
    async with svc.db.begin() as uow:
        await uow.run(upsert_ignore(uow.dialect, group_members, {"group_id": group_id, "user_id": user_id}))


async def remove_member(svc: Services, *, group_id: str, user_id: str) -> None:
    """Take a user out of a group and end his tokens. Raises Missing."""
    m = group_members.c
    async with svc.db.begin() as uow:
        if not await base.delete(uow, group_members, (m.group_id == group_id) & (m.user_id == user_id)):
            raise Missing("user in group", user_id)
        await svc.revoke(uow, {"user_id": user_id})
