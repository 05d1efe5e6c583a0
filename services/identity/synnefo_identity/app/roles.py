"""Roles and what they imply."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row

from synnefo_common.db import upsert_ignore
from synnefo_identity.app.immutable import refuse_immutable
from synnefo_identity.app.services import Services
from synnefo_identity.db import base, projects, roles
from synnefo_identity.db.base import ROOT
from synnefo_identity.domain.errors import Invalid, Missing, Refused
from synnefo_identity.domain.filters import Query

_table = roles.roles
_implied = roles.implied_roles


async def find(svc: Services, role_id: str) -> Row[Any] | None:
    """The role."""
    async with svc.db.read() as uow:
        return await base.get(uow, _table, role_id)


async def find_many(svc: Services, query: Query) -> list[Row[Any]]:
    """A page of roles."""
    async with svc.db.read() as uow:
        return list(await uow.all(base.select_rows(_table, query)))


async def create(svc: Services, values: Mapping[str, Any]) -> Row[Any]:
    """A new role. Raises Duplicate, Missing (domain)."""
    row = {**values, "id": svc.ids.hex(), "name_key": values["name"].lower()}
    with base.unique("role", f"Duplicate entry found with name {row['name']}"):
        async with svc.db.begin() as uow:
            if row["domain_id"] != ROOT and await projects.domain(uow, domain_id=row["domain_id"]) is None:
                raise Missing("domain", row["domain_id"])
            await uow.run(_table.insert().values(**row))
            created = await base.get(uow, _table, row["id"])
            svc.changed(uow)
    assert created is not None
    return created


async def update(svc: Services, role_id: str, changes: Mapping[str, Any], *, extra: Mapping[str, Any]) -> Row[Any]:
    """Change a role. A new name ends the tokens that carry the old one. Raises Duplicate, Missing."""
    values = dict(changes)
    if "name" in values:
        values["name_key"] = values["name"].lower()
    with base.unique("role", f"Duplicate entry found with name {values.get('name')}"):
        async with svc.db.begin() as uow:
            fresh = await base.get(uow, _table, role_id)
            if fresh is None:
                raise Missing("role", role_id)
            refuse_immutable("role", fresh, changes)
            if extra:
                values["extra"] = {**fresh.extra, **extra}
            await base.update(uow, _table, role_id, values)
            row = await base.get(uow, _table, role_id)
            svc.changed(uow)
            if values.get("name", fresh.name) != fresh.name:
                await svc.revoke(uow, {"role_id": role_id})
    assert row is not None
    return row


async def delete(svc: Services, role_id: str) -> None:
    """Delete a role with its assignments; tokens that carry it end. Raises Missing."""
    async with svc.db.begin() as uow:
        row = await base.get(uow, _table, role_id)
        if row is None:
            raise Missing("role", role_id)
        refuse_immutable("role", row)
        await base.delete(uow, _table, _table.c.id == role_id)
        await base.delete(uow, _implied, (_implied.c.prior_role_id == role_id) | (_implied.c.implied_role_id == role_id))
        await base.delete(uow, roles.assignments, roles.assignments.c.role_id == role_id)
        svc.changed(uow)
        await svc.revoke(uow, {"role_id": role_id})


async def implications(svc: Services, prior_id: str | None = None) -> list[tuple[Row[Any], list[Row[Any]]]]:
    """Each prior role with the roles that it implies directly."""
    async with svc.db.read() as uow:
        rows = {row.id: row for row in await uow.all(_table.select())}
        statement = _implied.select().order_by(_implied.c.prior_role_id, _implied.c.implied_role_id)
        if prior_id is not None:
            statement = statement.where(_implied.c.prior_role_id == prior_id)
        found: dict[str, list[Row[Any]]] = defaultdict(list)
        for pair in await uow.all(statement):
            if pair.prior_role_id in rows and pair.implied_role_id in rows:
                found[pair.prior_role_id].append(rows[pair.implied_role_id])
    return [(rows[prior], implied) for prior, implied in found.items()]


async def has_implication(svc: Services, prior_id: str, implied_id: str) -> bool:
    """True if one role implies the other directly."""
    pair = (_implied.c.prior_role_id == prior_id) & (_implied.c.implied_role_id == implied_id)
    async with svc.db.read() as uow:
        return await uow.one(_implied.select().where(pair)) is not None


async def imply(svc: Services, prior_id: str, implied_id: str) -> None:
    """Let a role imply another. Raises Refused (`admin` as implied; a domain's role by one for all), Invalid (circle)."""
    async with svc.db.begin() as uow:
        graph = await roles.graph(uow)
        if graph.roles[implied_id].name == "admin":
            raise Refused(f"{implied_id} cannot be an implied role.")
        if graph.roles[implied_id].domain_id and not graph.roles[prior_id].domain_id:
            raise Refused("A role for all domains cannot imply a role of one domain.")
        if graph.would_loop(prior_id, implied_id):
            raise Invalid("Implied roles must not form a circle.")
        await uow.run(upsert_ignore(uow.dialect, _implied, {"prior_role_id": prior_id, "implied_role_id": implied_id}))
        svc.changed(uow)


async def stop_implying(svc: Services, prior_id: str, implied_id: str) -> None:
    """Take an implication away; tokens that carry the prior role end. Raises Missing."""
    pair = (_implied.c.prior_role_id == prior_id) & (_implied.c.implied_role_id == implied_id)
    async with svc.db.begin() as uow:
        if not await base.delete(uow, _implied, pair):
            raise Missing("implied role", implied_id)
        svc.changed(uow)
        await svc.revoke(uow, {"role_id": prior_id})
