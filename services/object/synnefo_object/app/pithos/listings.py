"""Listings as Pithos has them: with what each version is, of now or of a time, filtered by metadata, sharing and links.

What nobody filters is a page of the index, as Swift's. Filters go through the names in order until the page is full.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, Text, and_, cast, collate, or_

from synnefo_common.db import UnitOfWork
from synnefo_object.app.pithos.sharing import Region
from synnefo_object.db import listings
from synnefo_object.db.history import at_time
from synnefo_object.db.objects import OWN, objects
from synnefo_object.domain import listing
from synnefo_object.domain.listing import Query
from synnefo_object.domain.pithos import MetaFilter

_COLUMNS = ("name", "container_id", *(name for name in OWN if name != "root"))
_REGIONS_AT_ONCE = 200
Entry = tuple[str | None, Any]


@dataclass(frozen=True, slots=True)
class Filters:
    """What a listing leaves out. `regions` None: nothing; empty: everything."""

    meta: Sequence[MetaFilter] = ()
    regions: Sequence[Region] | None = None
    until_us: int | None = None

    @property
    def is_empty(self) -> bool:
        return not self.meta and self.regions is None and self.until_us is None


async def fetch(uow: UnitOfWork, container_id: int, query: Query, filters: Filters) -> list[Entry]:
    """(pseudo-folder or None, row) of one page."""
    if query.is_empty or filters.regions == []:
        return []
    columns = tuple(objects.c[name] for name in _COLUMNS)
    if filters.is_empty and not query.only_files:
        bounds = listings.Bounds(**listing.bounds(query))
        if not query.delimiter:
            return [(None, row) for row in await listings.page(uow, objects, container_id, bounds, limit=query.limit, columns=columns)]
        rows = await listings.page_rolled_up(
            uow, objects, container_id, bounds, prefix=query.prefix, delimiter=query.delimiter, limit=query.limit, columns=columns
        )
        return listing.entries(rows, query)
    if filters.regions is None:
        return await _walk(uow, container_id, query, filters, ())
    found: list[Entry] = []
    for at in range(0, len(filters.regions), _REGIONS_AT_ONCE):
        part = filters.regions[at : at + _REGIONS_AT_ONCE]
        for entry in await _walk(uow, container_id, query, filters, part):
            if entry[0] is None or all(entry[0] != folder for folder, _ in found[-1:]):
                found.append(entry)
        if len(found) >= query.limit:
            break
    return found[: query.limit]


async def _walk(uow: UnitOfWork, container_id: int, query: Query, filters: Filters, regions: Sequence[Region]) -> list[Entry]:
    """Name by name, over each pseudo-folder in one step once it is seen."""
    table: Any = objects if filters.until_us is None else at_time(filters.until_us, container_id=container_id, columns=_COLUMNS)
    where = [_meta(uow.dialect, table, wanted) for wanted in filters.meta]
    if regions:
        where.append(_in_regions(table, regions))
    columns = tuple(table.c[name] for name in _COLUMNS)
    found: list[Entry] = []
    behind: str | None = None
    while True:
        bounds = listings.Bounds(**listing.bounds(query, behind=behind))
        rows = await listings.page(uow, table, container_id, bounds, limit=query.limit, columns=columns, where=where)
        for entry in listing.entries(rows, query):
            folder, row = entry
            if query.only_files and folder is not None and folder != row.name:
                continue
            if folder is None or query.only_files:
                found.append((None, row))
            elif not found or found[-1][0] != folder:
                found.append(entry)
        if len(rows) < query.limit or len(found) >= query.limit:
            return found[: query.limit]
        behind = listing.rolled_up(rows[-1].name, query) or rows[-1].name


def _in_regions(table: Any, regions: Sequence[Region]) -> Any:
    name = table.c.name
    exact = [region.start for region in regions if region.is_exact]
    spans = [
        and_(name >= region.start, name < region.before) if region.before is not None else name >= region.start
        for region in regions
        if not region.is_exact
    ]
    return or_(name.in_(exact), *spans)


def _meta(dialect: str, table: Any, wanted: MetaFilter) -> Any:
    """A filter as SQL. Both databases read a key of a JSON text by the same arrow."""
    headers = table.c.headers if dialect == "sqlite" else cast(table.c.headers, JSON)
    value = headers.op("->>")(wanted.header)
    if wanted.op in ("exists", "missing"):
        return value.is_not(None) if wanted.op == "exists" else value.is_(None)
    if dialect == "postgresql":
        value = collate(cast(value, Text), "C")
    return value.op("<>" if wanted.op == "!=" else wanted.op)(wanted.value)
