"""Keystone's unified limits as a face of the quota ledger. The model is flat: a project's limit stands alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, Select, select

from synnefo_common.db import UnitOfWork
from synnefo_identity.app.services import Services
from synnefo_identity.db import base, projects
from synnefo_identity.db.catalog import regions, services
from synnefo_identity.db.quota import limits, registered_limits
from synnefo_identity.domain.errors import Invalid, Missing, Refused
from synnefo_identity.domain.filters import Query
from synnefo_identity.domain.quota import resource_of

_r = registered_limits.c
_JOINED = select(limits, _r.service_id, _r.region_id, _r.resource_name).join(registered_limits, _r.resource == limits.c.resource)


async def find_registered(svc: Services, limit_id: str) -> Row[Any]:
    """A default limit. Raises Missing."""
    async with svc.db.read() as uow:
        row = await base.get(uow, registered_limits, limit_id)
    if row is None:
        raise Missing("registered limit for", limit_id)
    return row


async def find_many_registered(svc: Services, query: Query) -> list[Row[Any]]:
    """A page of default limits."""
    async with svc.db.read() as uow:
        return list(await uow.all(base.select_rows(registered_limits, query)))


async def create_registered(svc: Services, wanted: Sequence[Mapping[str, Any]]) -> list[Row[Any]]:
    """New default limits, all or none. Raises Duplicate, Invalid for a reference to nothing."""
    rows = []
    with base.unique("registered_limit", "Duplicate entry"):
        async with svc.db.begin() as uow:
            for values in wanted:
                resource = await _resource(uow, svc, values)
                rows.append({**values, "id": svc.ids.hex(), "resource": resource})
            for row in rows:
                await uow.run(registered_limits.insert().values(**row))
            ids = [row["id"] for row in rows]
            found = {row.id: row for row in await uow.all(registered_limits.select().where(_r.id.in_(ids)))}
    return [found[row_id] for row_id in ids]


async def _resource(uow: UnitOfWork, svc: Services, values: Mapping[str, Any]) -> str:
    service = await base.get(uow, services, values["service_id"])
    if service is None:
        raise Invalid(f"Could not find service: {values['service_id']}.")
    region_id = values.get("region_id")
    if region_id is not None and await base.get(uow, regions, region_id) is None:
        raise Invalid(f"Could not find region: {region_id}.")
    resource = resource_of(service.type, values["resource_name"], region_id=region_id, home=svc.settings.common.region)
    if len(resource) > 255:
        raise Invalid("The resource's name is too long.")
    return resource


async def update_registered(svc: Services, limit_id: str, changes: Mapping[str, Any]) -> Row[Any]:
    """Change a default limit; what it counts only while no project has its own. Raises Missing, Refused, Duplicate."""
    with base.unique("registered_limit", "Duplicate entry"):
        async with svc.db.begin() as uow:
            row = await base.get(uow, registered_limits, limit_id)
            if row is None:
                raise Missing("registered limit for", limit_id)
            values = dict(changes)
            if values.keys() & {"service_id", "region_id", "resource_name"}:
                await _refuse_used(uow, row)
                merged = {
                    "service_id": row.service_id,
                    "region_id": row.region_id,
                    "resource_name": row.resource_name,
                } | values
                values["resource"] = await _resource(uow, svc, merged)
            await base.update(uow, registered_limits, limit_id, values)
            updated = await base.get(uow, registered_limits, limit_id)
    assert updated is not None
    return updated


async def delete_registered(svc: Services, limit_id: str) -> None:
    """Raises Missing; Refused while a project has its own limit."""
    async with svc.db.begin() as uow:
        row = await base.get(uow, registered_limits, limit_id)
        if row is None:
            raise Missing("registered limit for", limit_id)
        await _refuse_used(uow, row)
        await base.delete(uow, registered_limits, _r.id == limit_id)


async def _refuse_used(uow: UnitOfWork, row: Row[Any]) -> None:
    if await uow.one(limits.select().where(limits.c.resource == row.resource).limit(1)) is not None:
        raise Refused(f"Unable to update or delete registered limit {row.id} because there are project limits associated with it.")


async def find(svc: Services, limit_id: str) -> Row[Any] | None:
    """A limit with the names of what it limits."""
    async with svc.db.read() as uow:
        return await uow.one(_JOINED.where(limits.c.id == limit_id))


async def find_many(svc: Services, query: Query, *, project_id: str | None, domain_id: str | None) -> list[Row[Any]]:
    """A page of limits."""
    statement: Select[Any] = _JOINED
    if project_id is not None:
        statement = statement.where(limits.c.project_id == project_id, limits.c.is_domain == 0)
    if domain_id is not None:
        statement = statement.where(limits.c.project_id == domain_id, limits.c.is_domain == 1)
    for name, value in query.equals.items():
        statement = statement.where(_r[name] == value)
    async with svc.db.read() as uow:
        return list(await uow.all(base.paged(statement, limits.c.id, marker=query.marker, limit=query.limit)))


async def create(svc: Services, wanted: Sequence[Mapping[str, Any]]) -> list[Row[Any]]:
    """New limits, all or none. Raises Duplicate; Invalid without a registered limit or for an unknown project."""
    rows = []
    with base.unique("limit", "Duplicate entry"):
        async with svc.db.begin() as uow:
            for values in wanted:
                place = await base.get(uow, projects.projects, values["project_id"] or values["domain_id"])
                if place is None or place.is_domain != (values["project_id"] is None):
                    raise Invalid(f"Could not find project or domain: {values['project_id'] or values['domain_id']}.")
                resource = await _resource(uow, svc, values)
                if await uow.one(registered_limits.select().where(_r.resource == resource)) is None:
                    raise Invalid(
                        "Unable to create a limit that has no corresponding registered limit:"
                        f" {values['resource_name']} of service {values['service_id']}."
                    )
                row = {
                    "id": svc.ids.hex(),
                    "project_id": place.id,
                    "resource": resource,
                    "is_domain": int(place.is_domain),
                    "resource_limit": values["resource_limit"],
                    "description": values["description"],
                }
                await uow.run(limits.insert().values(**row))
                rows.append(row)
            ids = [row["id"] for row in rows]
            found = {row.id: row for row in await uow.all(_JOINED.where(limits.c.id.in_(ids)))}
    return [found[row_id] for row_id in ids]


async def update(svc: Services, limit_id: str, changes: Mapping[str, Any]) -> Row[Any]:
    """Change a limit. Raises Missing."""
    async with svc.db.begin() as uow:
        await base.update(uow, limits, limit_id, changes)
        row = await uow.one(_JOINED.where(limits.c.id == limit_id))
    if row is None:
        raise Missing("limit for", limit_id)
    return row


async def delete(svc: Services, limit_id: str) -> None:
    """Back to the default. Raises Missing."""
    async with svc.db.begin() as uow:
        if not await base.delete(uow, limits, limits.c.id == limit_id):
            raise Missing("limit for", limit_id)
