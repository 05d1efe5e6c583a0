"""One page of a listing, whatever is listed."""

from __future__ import annotations

from typing import Any

from synnefo_common.db import UnitOfWork
from synnefo_object.db import listings
from synnefo_object.domain import listing
from synnefo_object.domain.listing import Query


async def fetch(uow: UnitOfWork, table: Any, owner_id: int, query: Query) -> list[tuple[str | None, Any]]:
    """(pseudo-folder or None, row) of one page: one statement, except for `path=` over many folders."""
    if query.is_empty:
        return []
    if not query.delimiter:
        rows = await listings.page(uow, table, owner_id, listings.Bounds(**listing.bounds(query)), limit=query.limit)
        return [(None, row) for row in rows]
    found: list[tuple[str | None, Any]] = []
    behind: str | None = None
    while True:
        bounds = listings.Bounds(**listing.bounds(query, behind=behind))
        rows = await listings.page_rolled_up(uow, table, owner_id, bounds, prefix=query.prefix, delimiter=query.delimiter, limit=query.limit)
        page = listing.entries(rows, query)
        if not query.only_files:
            return page
        found += [(None, row) for folder, row in page if folder is None or folder == row.name]
        if len(rows) < query.limit or len(found) >= query.limit:
            return found[: query.limit]
        behind = page[-1][0] or page[-1][1].name
