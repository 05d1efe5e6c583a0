"""Regions, services and endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, Table

from synnefo_common.db import UnitOfWork, upsert_ignore
from synnefo_identity.app.services import Services
from synnefo_identity.db import base
from synnefo_identity.db.catalog import endpoints, regions, services
from synnefo_identity.domain.catalog import is_valid_url
from synnefo_identity.domain.errors import Duplicate, Invalid, Missing, Refused
from synnefo_identity.domain.filters import Query

_TABLES: dict[str, Table] = {"region": regions, "service": services, "endpoint": endpoints}


async def find(svc: Services, kind: str, row_id: str) -> Row[Any]:
    """A region, service or endpoint. Raises Missing."""
    async with svc.db.read() as uow:
        row = await base.get(uow, _TABLES[kind], row_id)
    if row is None:
        raise Missing(kind, row_id)
    return row


async def find_many(svc: Services, kind: str, query: Query) -> list[Row[Any]]:
    """A page of them."""
    async with svc.db.read() as uow:
        return list(await uow.all(base.select_rows(_TABLES[kind], query)))


async def create(svc: Services, kind: str, values: Mapping[str, Any], *, make_region: str | None = None) -> Row[Any]:
    """A new one; `make_region` is made first if it is not there. Raises Duplicate (a region's id), Invalid (reference, URL)."""
    row = {"id": svc.ids.hex(), **values}
    table = _TABLES[kind]
    with base.unique(kind, f"Duplicate ID, {row['id']}."):
        async with svc.db.begin() as uow:
            await _make_region(uow, make_region)
            await _check(uow, kind, row)
            await uow.run(table.insert().values(**row))
            created = await base.get(uow, table, row["id"])
            svc.changed(uow)
    assert created is not None
    return created


async def update(
    svc: Services, kind: str, row_id: str, changes: Mapping[str, Any], *, extra: Mapping[str, Any], make_region: str | None = None
) -> Row[Any]:
    """Change one; `make_region` is made first if it is not there. Raises Missing, Invalid."""
    table = _TABLES[kind]
    values = dict(changes)
    async with svc.db.begin() as uow:
        fresh = await base.get(uow, table, row_id)
        if fresh is None:
            raise Missing(kind, row_id)
        await _make_region(uow, make_region)
        await _check(uow, kind, values, row_id=row_id)
        if extra:
            values["extra"] = {**fresh.extra, **extra}
        await base.update(uow, table, row_id, values)
        row = await base.get(uow, table, row_id)
        svc.changed(uow)
    assert row is not None
    return row


async def delete(svc: Services, kind: str, row_id: str) -> None:
    """Delete one. A service goes with its endpoints; a region with endpoints stays (Refused). Raises Missing."""
    async with svc.db.begin() as uow:
        if kind == "region":
            child = await uow.one(regions.select().where(regions.c.parent_region_id == row_id))
            if child is not None or await uow.one(endpoints.select().where(endpoints.c.region_id == row_id)) is not None:
                raise Refused(f"Unable to delete region {row_id} because it or its child regions have associated endpoints.")
        if not await base.delete(uow, _TABLES[kind], _TABLES[kind].c.id == row_id):
            raise Missing(kind, row_id)
        if kind == "service":
            await base.delete(uow, endpoints, endpoints.c.service_id == row_id)
        svc.changed(uow)


async def _make_region(uow: UnitOfWork, region_id: str | None) -> None:
    if region_id is not None:
        row = {"id": region_id, "description": "", "parent_region_id": None, "extra": {}}
        await uow.run(upsert_ignore(uow.dialect, regions, row))


async def _check(uow: UnitOfWork, kind: str, values: Mapping[str, Any], *, row_id: str | None = None) -> None:
    if kind == "region" and values.get("parent_region_id") is not None:
        await _check_parent(uow, values["parent_region_id"], row_id=row_id)
    if kind == "endpoint":
        if "url" in values and not is_valid_url(values["url"]):
            raise Invalid(f"Malformed endpoint URL ({values['url'][:200]}): use $(project_id)s, $(tenant_id)s or $(user_id)s.")
        if "service_id" in values and await base.get(uow, services, values["service_id"]) is None:
            raise Invalid(f"Could not find service: {values['service_id']}.")
        region_id = values.get("region_id")
        if region_id is not None and await base.get(uow, regions, region_id) is None:
            raise Invalid(f"Could not find region: {region_id}.")


async def _check_parent(uow: UnitOfWork, parent_id: str, *, row_id: str | None) -> None:
    above: str | None = parent_id
    seen: set[str] = set()
    while above is not None and above not in seen:
        if above == row_id:
            raise Duplicate("region", "a region cannot be below itself")
        seen.add(above)
        parent = await base.get(uow, regions, above)
        if parent is None:
            raise Missing("region", above)
        above = parent.parent_region_id
