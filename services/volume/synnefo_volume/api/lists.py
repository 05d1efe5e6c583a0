"""The query of a list call: page, order, filters, and the link to the next page."""

from __future__ import annotations

import ast
from collections.abc import Collection, Sequence
from typing import Any
from urllib.parse import urlencode

from fastapi import Request

from synnefo_common.errors import BadRequest
from synnefo_common.web.paging import read_limit
from synnefo_volume.api.deps import base_url
from synnefo_volume.domain.errors import InvalidInput

MAX_INT = 2**31 - 1


def read_page(request: Request, *, sort_keys: Collection[str], max_limit: int) -> dict[str, Any]:
    """`limit`, `offset` and `sort` as the list queries take them, and `marker`. Raises BadRequest."""
    query = request.query_params
    for name, value in query.multi_items():
        if "\x00" in name or "\x00" in value:
            raise BadRequest("The query has characters that cannot be searched for.")
    offset = query.get("offset") or "0"
    if not offset.isascii() or not offset.isdigit() or int(offset) > MAX_INT:
        raise BadRequest(f"Invalid input received: offset must be an integer from 0 to {MAX_INT}.")
    return {
        "limit": read_limit(query.get("limit"), max_limit),
        "offset": int(offset),
        "marker": query.get("marker") or None,
        "sort": _read_sort(request, sort_keys),
    }


def _read_sort(request: Request, sort_keys: Collection[str]) -> list[tuple[str, str]]:
    query = request.query_params
    if "sort" in query:
        if "sort_key" in query or "sort_dir" in query:
            raise BadRequest(
                "The 'sort_key' and 'sort_dir' parameters are deprecated and cannot be used with the 'sort' parameter."
            )
        pairs = [item.strip().partition(":") for item in query["sort"].split(",")]
        sort = [(key.strip() or "created_at", direction.strip() or "desc") for key, _, direction in pairs]
    else:
        sort = [(query.get("sort_key") or "created_at", query.get("sort_dir") or "desc")]
    for key, direction in sort:
        if key not in sort_keys:
            raise InvalidInput(f"Invalid sort key: {key[:40]}. Use one of {', '.join(sorted(sort_keys))}.")
        if direction not in ("asc", "desc"):
            raise InvalidInput(f"Unknown sort direction, must be one of: asc, desc, not {direction[:40]}.")
    return list(dict(reversed(sort)).items())[::-1]


def read_metadata_filter(text: str | None) -> dict[str, str]:
    """`{'key': 'value'}` as the clients write it. Raises BadRequest."""
    if not text:
        return {}
    try:
        found = ast.literal_eval(text) if len(text) <= 4096 else None
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(isinstance(k, str) and isinstance(v, str) for k, v in found.items()):
        raise InvalidInput("The metadata filter must be like {'key': 'value'}.")
    if any('"' in k or "\\" in k or "\x00" in k + v or not (k + v).isprintable() for k, v in found.items()):
        raise InvalidInput("The metadata filter has characters that cannot be searched for.")
    return found


def next_links(request: Request, ids: Sequence[str], *, limit: int, path: str) -> list[dict[str, str]]:
    """The link to the following page, if this one is full."""
    if not ids or len(ids) < limit:
        return []
    query = [(k, v) for k, v in request.query_params.multi_items() if k not in ("marker", "offset")]
    return [{"rel": "next", "href": f"{base_url(request)}{path}?{urlencode([*query, ('marker', ids[-1])])}"}]
