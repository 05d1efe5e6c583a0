"""One page of a listing of versions (`?versions`)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from synnefo_common.db import UnitOfWork
from synnefo_object.app.object_versions import NULL
from synnefo_object.db import version_listings
from synnefo_object.db.listings import Bounds
from synnefo_object.db.version_listings import Place
from synnefo_object.domain import listing
from synnefo_object.domain.errors import bad_request
from synnefo_object.domain.listing import Query


def check(query: Query, *, marker: str | None, version_marker: str | None) -> Place | None:
    """Where the page before ended, if it ended within a name. Raises 400."""
    if set(query.delimiter).intersection("0123456789."):
        raise bad_request("invalid delimiter param")
    if version_marker is None:
        return None
    if marker is None:
        raise bad_request("version_marker param requires marker")
    if version_marker == NULL:
        return Place(marker, None)
    try:
        return Place(marker, int(float(version_marker)) if not version_marker.isdigit() else int(version_marker[:18]))
    except (ValueError, OverflowError):
        raise bad_request("invalid version_marker param") from None


async def fetch(uow: UnitOfWork, container_id: int, query: Query, place: Place | None) -> list[tuple[str | None, Any]]:
    """(pseudo-folder or None, row) of one page: one statement, two with a delimiter."""
    if query.is_empty:
        return []
    if place is not None:
        query = replace(query, marker="")
    bounds = Bounds(**listing.bounds(query))
    if not query.delimiter:
        return [(None, row) for row in await version_listings.page(uow, container_id, bounds, place, limit=query.limit)]
    names = await version_listings.names_rolled_up(
        uow, container_id, bounds, place, prefix=query.prefix, delimiter=query.delimiter, limit=query.limit
    )
    folders = {name: folder for name in names if (folder := listing.rolled_up(name, query)) is not None}
    plain = [name for name in names if name not in folders]
    rows = await version_listings.page(uow, container_id, bounds, place, limit=query.limit, names=plain) if plain else []
    of_name: dict[str, list[Any]] = {}
    for row in rows:
        of_name.setdefault(row.name, []).append(row)
    found: list[tuple[str | None, Any]] = []
    for name in names:
        found += [(folders[name], None)] if name in folders else [(None, row) for row in of_name.get(name, [])]
        if len(found) >= query.limit:
            break
    return found[: query.limit]
