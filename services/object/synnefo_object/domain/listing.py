"""What a listing asks for, and how its rows become entries. Not for SQL: `db.listings` fetches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from synnefo_object.domain.errors import SwiftFault
from synnefo_object.domain.limits import LISTING_LIMIT
from synnefo_object.domain.metadata import TRUE
from synnefo_object.domain.paths import successor


@dataclass(frozen=True, slots=True)
class Query:
    """A listing's parameters as the client gave them."""

    limit: int = LISTING_LIMIT
    marker: str = ""
    end_marker: str = ""
    prefix: str = ""
    delimiter: str = ""
    reverse: bool = False
    only_files: bool = False  # `path=`: the pseudo-folder's own objects, none of the folders below

    @property
    def is_empty(self) -> bool:
        """True if nothing can be in it."""
        return self.limit == 0


def read_query(params: Mapping[str, str]) -> Query:
    """Raises 412 for a limit that is too high."""
    limit = LISTING_LIMIT
    given = params.get("limit", "")
    if given.isascii() and given.isdigit():
        limit = int(given) if len(given) < 10 else LISTING_LIMIT + 1
        if limit > LISTING_LIMIT:
            raise SwiftFault(412, f"Maximum limit is {LISTING_LIMIT}")
    prefix, delimiter, only_files = params.get("prefix", ""), params.get("delimiter", ""), False
    path = params.get("path")
    if path is not None:
        prefix = path.rstrip("/") + "/" if path.strip("/") else ""
        delimiter, only_files = "/", True
    return Query(
        limit,
        params.get("marker", ""),
        params.get("end_marker", ""),
        prefix,
        delimiter,
        params.get("reverse", "").lower() in TRUE,
        only_files,
    )


def bounds(query: Query, *, behind: str | None = None) -> dict[str, Any]:
    """`start`, `after`, `before`, `reverse` of the names to look at.

    `behind` is where an earlier page of this answer ended.
    """
    marker = behind if behind is not None else query.marker
    start, after = query.prefix, ""
    before = successor(query.prefix) if query.prefix else None
    low, high = (query.end_marker, marker) if query.reverse else (marker, query.end_marker)
    if high and (before is None or high.encode() < before.encode()):
        before = high
    if low:
        rolled = rolled_up(low, query) if not query.reverse else None
        if rolled == low:  # a marker that is a pseudo-folder: go on behind all of it
            skip = successor(low)
            if skip is not None and skip.encode() > start.encode():
                start = skip
            elif skip is None:
                after = low
        else:
            after = low
    return {"start": start, "after": after, "before": before, "reverse": query.reverse}


def rolled_up(name: str, query: Query) -> str | None:
    """The pseudo-folder that the name lies in at this level; None for a name that is shown itself."""
    if not query.delimiter or not name.startswith(query.prefix):
        return None
    at = name.find(query.delimiter, len(query.prefix))
    return None if at < 0 else name[: at + len(query.delimiter)]


def entries(rows: Iterable[Any], query: Query) -> list[tuple[str | None, Any]]:
    """(pseudo-folder or None, row) in order; each folder once."""
    found: list[tuple[str | None, Any]] = []
    last: str | None = None
    for row in rows:
        folder = rolled_up(row.name, query)
        if folder is not None and folder == last:
            continue
        last = folder
        found.append((folder, row))
    return found
