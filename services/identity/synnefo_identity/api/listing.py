"""Lists: what the query asks for, and the answer with its links."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from synnefo_common.errors import BadRequest
from synnefo_common.web import answer
from synnefo_identity.app.services import Services
from synnefo_identity.domain.filters import Query, TextFilter

_OPERATORS = frozenset({"contains", "icontains", "startswith", "istartswith", "endswith", "iendswith"})
_FALSE = frozenset({"0", "false", "f", "no", "n", "off"})
_MAX_LIMIT = 1000


def read_flag(text: str) -> bool:
    """Keystone's query booleans: an empty value counts as true."""
    return text.strip().lower() not in _FALSE


def read_query(request: Request, *, texts: Sequence[str] = ("name",), equals: Sequence[str] = (), flags: Sequence[str] = ()) -> Query:
    """Filters and page. Keys that we do not know are passed over. Raises BadRequest for a bad limit."""
    found: list[TextFilter] = []
    exact: dict[str, str | bool] = {}
    for key, value in request.query_params.multi_items():
        name, _, operator = key.partition("__")
        if name in texts and (not operator or operator in _OPERATORS):
            found.append(TextFilter(name, operator, value))
        elif key in equals:
            exact[key] = value
        elif key in flags:
            exact[key] = read_flag(value)
    return Query(tuple(found), exact, request.query_params.get("marker") or None, _read_limit(request.query_params.get("limit")))


def _read_limit(text: str | None) -> int | None:
    if text is None or text == "":
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 10 or int(text) > 2**31 - 1:
        raise BadRequest("limit must be a non-negative 32-bit integer.")
    return min(int(text), _MAX_LIMIT) or None


def list_answer(
    svc: Services,
    request: Request,
    key: str,
    rows: Sequence[Any],
    shape: Callable[[Any, str], dict[str, Any]],
    *,
    query: Query | None = None,
) -> Response:
    """`{key: […], "links": {"next", "self", "previous"}}` of rows that may be one more than the page."""
    path = svc.base_url + request.url.path.removeprefix("/v3")
    link = None
    if query is not None and query.limit is not None and len(rows) > query.limit:
        rows = rows[: query.limit]
        pairs = [(k, v) for k, v in request.query_params.multi_items() if k != "marker"]
        link = f"{path}?{urlencode([*pairs, ('marker', rows[-1].id)])}"
    here = f"{path}?{request.url.query}" if request.url.query else path
    items = [shape(row, svc.base_url) for row in rows]
    return answer({key: items, "links": {"next": link, "self": here, "previous": None}})
