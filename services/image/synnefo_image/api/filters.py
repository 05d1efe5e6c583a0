"""The query of a list call: filters with operators, order, page."""

from __future__ import annotations

import re

from starlette.datastructures import QueryParams

from synnefo_common.clock import parse_iso
from synnefo_common.errors import BadRequest
from synnefo_image.app.images import SORT_KEYS
from synnefo_image.domain.schema import MAX_INT, VISIBILITIES
from synnefo_image.domain.viewing import Filters

_PLAIN = ("owner", "checksum", "os_hash_value", "os_hash_algo")
_AMONG = ("id", "name", "status", "container_format", "disk_format")
_NUMBERS = ("min_ram", "min_disk", "size", "virtual_size")
_PAGING = ("limit", "marker", "sort", "sort_key", "sort_dir", "tag", "member_status")
_ITEM = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^",]*))\s*(?:,|$)')
_OPERATORS = ("gt", "gte", "lt", "lte", "eq", "neq")
MAX_SIZE = 2**63 - 1


def read_filters(query: QueryParams) -> Filters:
    """What to list. Raises BadRequest."""
    filters = Filters()
    for name, value in query.multi_items():
        if "\x00" in value or "\x00" in name:
            raise BadRequest(f"Query parameter {name[:40]!r} has characters that cannot be searched for.")
    for name in query:
        if name not in _PAGING:
            _read_filter(filters, name, query[name])
    filters.tags = [t.strip() for t in query.getlist("tag")]
    filters.member_status = query.get("member_status", "accepted")
    if filters.member_status not in ("pending", "accepted", "rejected", "all"):
        raise BadRequest(f"Invalid status: {filters.member_status[:40]}")
    filters.equal.setdefault("os_hidden", False)
    return filters


def _read_filter(filters: Filters, name: str, value: str) -> None:
    if name == "changes-since":
        raise BadRequest('The "changes-since" filter is no longer available on v2.')
    if name == "visibility":
        if value not in (*VISIBILITIES, "all"):
            raise BadRequest(f"Invalid visibility value: {value[:40]}")
        filters.visibility = value
    elif name in ("protected", "os_hidden"):
        lowered = value.lower() if name == "os_hidden" else value
        if lowered not in ("true", "false"):
            raise BadRequest(f"Invalid value '{value[:40]}' for '{name}' filter. Valid values are 'true' or 'false'.")
        filters.equal[name] = lowered == "true"
    elif name in _AMONG:
        if value.startswith("in:"):
            filters.among[name] = read_list(value[3:])
        else:
            filters.equal[name] = value.removeprefix("eq:")
    elif name in _PLAIN:
        filters.equal[name] = value
    elif name in _NUMBERS:
        filters.equal[name] = _read_number(name, value, MAX_SIZE if "size" in name else MAX_INT)
    elif name in ("size_min", "size_max"):
        setattr(filters, name, _read_number(name, value, MAX_SIZE))
    elif name in ("created_at", "updated_at"):
        filters.times.append((name, *_read_time(name, value)))
    else:
        filters.properties[name] = value


def _read_number(name: str, value: str, largest: int) -> int:
    if not re.fullmatch(r"\d{1,19}", value, re.ASCII) or int(value) > largest:
        raise BadRequest(f"Unable to filter on {name}: {value[:40]!r} is not a number from 0 to {largest}.")
    return int(value)


def _read_time(name: str, value: str) -> tuple[str, int]:
    operator, separator, rest = value.partition(":")
    if not separator or operator not in _OPERATORS:
        operator, rest = "eq", value
    try:
        return operator, parse_iso(rest.strip()) // 1_000_000 * 1_000_000
    except (ValueError, OverflowError) as error:
        raise BadRequest(
            f"Invalid time {value[:60]!r} for {name}: use [gt|gte|lt|lte|eq|neq:]YYYY-MM-DDThh:mm:ssZ."
        ) from error


def read_list(text: str) -> list[str]:
    """The items of `in:a,"b,c"`. Raises BadRequest."""
    found: list[str] = []
    at = 0
    while at < len(text):
        item = _ITEM.match(text, at)
        if item is None or item.end() == at:
            raise BadRequest(f'Invalid list of values {text[:60]!r}: use a,b or "a","b".')
        quoted, bare = item.groups()
        found.append(re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else bare.strip())
        at = item.end()
    if not found:
        raise BadRequest("The operator in: needs at least one value.")
    if len(found) > 1000:
        raise BadRequest("The operator in: takes at most 1000 values.")
    return found


def read_sort(query: QueryParams) -> list[tuple[str, str]]:
    """The order. Raises BadRequest."""
    keys, directions = [k.strip() for k in query.getlist("sort_key")], [d.strip() for d in query.getlist("sort_dir")]
    if "sort" in query:
        if keys or directions:
            raise BadRequest("Old and new sorting syntax cannot be combined")
        pairs = [item.strip().partition(":") for item in query["sort"].split(",")]
        sort = [(key.strip(), direction.strip() or "desc") for key, _, direction in pairs]
    else:
        if len(directions) > 1 and len(directions) != len(keys):
            raise BadRequest("Number of sort dirs does not match the number of sort keys")
        keys = keys or ["created_at"]
        directions = directions or ["desc"]
        sort = [(key, directions[i] if len(directions) > 1 else directions[0]) for i, key in enumerate(keys)]
    for key, direction in sort:
        if key not in SORT_KEYS:
            raise BadRequest(f"Invalid sort key: {key[:40]}. It must be one of the following: {', '.join(SORT_KEYS)}.")
        if direction not in ("asc", "desc"):
            raise BadRequest(f"Invalid sort direction: {direction[:40]}")
    return list(dict(reversed(sort)).items())[::-1] if len({k for k, _ in sort}) < len(sort) else sort
