"""Lists over HTTP: what the query says, and the answer with its links."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from synnefo_common.clock import parse_iso
from synnefo_common.errors import BadRequest
from synnefo_common.web import answer
from synnefo_common.web.links import outer_root
from synnefo_network.domain.listing import TAG_FILTERS, Kind, ListQuery, Resource

_MAX = 2**31 - 1
_CONTROL = frozenset({"fields", "sort_key", "sort_dir", "limit", "marker", "page_reverse", "changed_since"})


def read_query(request: Request, resource: Resource) -> ListQuery:
    """Filters by attribute (repeatable), tags, `sort_key`/`sort_dir`, `limit`, `marker`, `page_reverse`, `fields`.

    Raises BadRequest.
    """
    query = request.query_params
    filters: dict[str, tuple[Any, ...]] = {}
    tags = []
    unknown = []
    for name in dict.fromkeys(query.keys()):
        values = query.getlist(name)
        if any("\0" in v for v in values):
            raise BadRequest(f"Invalid input for {name}: NUL characters are not allowed.")
        if name in _CONTROL or name in resource.special:
            continue
        if name in TAG_FILTERS:
            wanted = tuple(t for v in values for t in v.split(",") if t)
            if wanted:
                tags.append((name, wanted))
        elif name in resource.attributes:
            kind = resource.attributes[name][1]
            key = "project_id" if name == "tenant_id" else name
            filters[key] = (*filters.get(key, ()), *(_value(name, v, kind) for v in values))
        else:
            unknown.append(name)
    if unknown:
        raise BadRequest(f"{unknown} is invalid attribute for filtering")
    since = query.get("changed_since")
    return ListQuery(
        filters=filters,
        tags=tuple(tags),
        sort=_sort(request, resource),
        limit=_limit(query.get("limit")),
        marker=query.get("marker") or None,
        reverse=(query.get("page_reverse") or "").lower() == "true",
        fields=frozenset(query.getlist("fields")) - {""},
        changed_since=None if since is None else _time("changed_since", since),
    )


def _value(name: str, text: str, kind: Kind) -> Any:
    if kind is Kind.BOOL:
        return read_filter_bool(name, text)
    if kind is Kind.TIME:
        return _time(name, text)
    if kind is Kind.INT:
        if text in ("", "None"):
            return None
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 10 and int(digits) <= _MAX):
            raise BadRequest(f"Invalid input for {name}: {text[:40]!r} is not an integer.")
        return int(text)
    return text


def read_filter_bool(name: str, text: str) -> bool:
    """Raises BadRequest."""
    lowered = text.lower()
    if lowered in ("true", "1", "t", "yes", "on"):
        return True
    if lowered in ("false", "0", "f", "no", "off"):
        return False
    raise BadRequest(f"Invalid input for {name}: {text[:40]!r} cannot be converted to boolean.")


def _time(name: str, text: str) -> int:
    try:
        return parse_iso(text)
    except (ValueError, OverflowError):
        raise BadRequest(f"Invalid input for {name}: {text[:40]!r} is not a time; use 2026-11-22T10:00:00Z.") from None


def _limit(text: str | None) -> int | None:
    if text is None or text == "":
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= _MAX):
        raise BadRequest(f"Limit must be an integer 0 or greater and not '{text[:40]}'")
    return int(text) or None


def _sort(request: Request, resource: Resource) -> tuple[tuple[str, str], ...]:
    keys = [k for k in request.query_params.getlist("sort_key") if k]
    directions = [d for d in request.query_params.getlist("sort_dir") if d]
    if directions and len(keys) != len(directions):
        raise BadRequest("The number of sort_keys and sort_dirs must be same")
    unknown = [k for k in keys if k not in resource.attributes]
    if unknown:
        raise BadRequest(f"{unknown} is invalid attribute for sort_keys")
    wrong = [d for d in directions if d not in ("asc", "desc")]
    if wrong:
        raise BadRequest(f"{wrong} is invalid value for sort_dirs, valid value is 'asc' and 'desc'")
    return tuple(zip(keys, directions or ["asc"] * len(keys), strict=True))


def select_fields(item: dict[str, Any], fields: frozenset[str]) -> dict[str, Any]:
    """Only the fields asked for; all if none were."""
    return {k: v for k, v in item.items() if k in fields} if fields else item


def list_answer(request: Request, resource: Resource, query: ListQuery, items: Sequence[dict[str, Any]]) -> Response:
    """The page, with links to its neighbours if a limit was given."""
    body: dict[str, Any] = {resource.plural: [select_fields(i, query.fields) for i in items] if query.fields else items}
    links = []
    if query.limit is not None:
        if len(items) >= query.limit or query.reverse:
            links.append({"rel": "next", "href": _link(request, items[-1]["id"] if items else None, reverse=False)})
        if len(items) >= query.limit or not query.reverse:
            links.append({"rel": "previous", "href": _link(request, items[0]["id"] if items else None, reverse=True)})
    if links:
        body[f"{resource.plural}_links"] = links
    return answer(body)


def _link(request: Request, marker: str | None, *, reverse: bool) -> str:
    pairs = [(k, v) for k, v in request.query_params.multi_items() if k not in ("marker", "page_reverse")]
    if marker is not None:
        pairs.append(("marker", marker))
    if reverse:
        pairs.append(("page_reverse", "True"))
    return f"{outer_root(request)}{request.url.path}?{urlencode(pairs)}"


def show_fields(request: Request) -> frozenset[str]:
    """`fields` of a show call."""
    return frozenset(request.query_params.getlist("fields")) - {""}


def expected_revision(request: Request) -> int | None:
    """`If-Match: revision_number=N`. Raises BadRequest."""
    found = None
    for tag in (request.headers.get("if-match") or "").split(","):
        text = tag.strip().strip('"')
        if not text.startswith("revision_number="):
            continue
        number = text.removeprefix("revision_number=")
        digits = number.removeprefix("-")
        if found is not None or not (digits.isascii() and digits.isdigit() and len(digits) <= 10):
            raise BadRequest("Revision number etag must be in the format of revision_number=<int>, once.")
        found = int(number)
    return found


def read_fixed_ips(texts: Sequence[str]) -> list[tuple[str, str]]:
    """`fixed_ips=ip_address=192.0.2.1`, also several with commas between. Raises BadRequest."""
    pairs = []
    for text in (t for whole in texts for t in whole.split(",") if t):
        key, _, value = text.partition("=")
        if key not in ("ip_address", "subnet_id", "ip_address_substr") or not value or "\0" in value:
            raise BadRequest(f"Invalid input for fixed_ips: use ip_address=, subnet_id= or ip_address_substr=, not {text[:60]!r}.")
        pairs.append((key, value))
    return pairs
