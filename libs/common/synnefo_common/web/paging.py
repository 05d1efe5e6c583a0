"""Pages by marker: what a list call reads from its query and what it answers as link."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.requests import Request

from synnefo_common.errors import BadRequest

MAX_INT = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Page:
    """`limit` rows after the row `marker`, in the order `sort` of (key, "asc" | "desc"). `requested_limit` is what the caller gave."""

    limit: int
    marker: str | None
    sort: tuple[tuple[str, str], ...]
    requested_limit: int | None = None


def read_page(
    request: Request,
    *,
    max_limit: int = 1000,
    sort_keys: Collection[str] = (),
    default_sort: tuple[tuple[str, str], ...] = (),
    default_dir: str = "desc",
) -> Page:
    """Read `limit`, `marker`, `sort_key`/`sort_dir` (repeatable) and `sort=key:dir,…`. Raises BadRequest."""
    query = request.query_params
    limit = read_limit(query.get("limit"), max_limit)
    sort: list[tuple[str, str]] = []
    if "sort" in query:
        for item in query["sort"].split(","):
            key, _, direction = item.strip().partition(":")
            sort.append((key, direction or default_dir))
    else:
        keys, directions = query.getlist("sort_key"), query.getlist("sort_dir")
        sort = [(k, directions[i] if i < len(directions) else default_dir) for i, k in enumerate(keys)]
        if not keys and directions and default_sort:
            sort = [(default_sort[0][0], directions[0])]
    for key, direction in sort:
        if sort_keys and key not in sort_keys:
            raise BadRequest(f"Invalid sort key {key!r}: use one of {', '.join(sorted(sort_keys))}.")
        if direction not in ("asc", "desc"):
            raise BadRequest(f"Invalid sort direction {direction!r}: use asc or desc.")
    wanted = None if query.get("limit") in (None, "") else int(query["limit"])
    return Page(limit=limit, marker=query.get("marker") or None, sort=tuple(sort) or default_sort, requested_limit=wanted)


def read_limit(text: str | None, max_limit: int) -> int:
    """A non-negative page size, `max_limit` at most and by default. Raises BadRequest."""
    if text is None or text == "":
        return max_limit
    try:
        limit = int(text)
    except ValueError:
        raise BadRequest(f"limit must be an integer, not {text[:40]!r}.") from None
    if limit < 0 or limit > MAX_INT:
        raise BadRequest("limit must be a non-negative 32-bit integer.")
    return min(limit, max_limit)


def next_link(request: Request, marker: str, *, base: str | None = None) -> str:
    """The URL of the page after `marker`, with the query of this one."""
    query = [(k, v) for k, v in request.query_params.multi_items() if k != "marker"]
    query.append(("marker", marker))
    return f"{base if base is not None else request.url.replace(query='')}?{urlencode(query)}"
