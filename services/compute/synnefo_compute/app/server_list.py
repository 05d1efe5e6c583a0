"""Listing servers: filters to conditions, a page, its ports and volumes; three statements whatever the number."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, false, or_, select
from sqlalchemy.exc import DBAPIError

from synnefo_common.clock import parse_iso
from synnefo_common.errors import BadRequest
from synnefo_common.web import Page, read_bool
from synnefo_compute.app.core import Compute
from synnefo_compute.app.server_actions import load
from synnefo_compute.app.views import addresses, server_detail, server_summary
from synnefo_compute.db import projections
from synnefo_compute.db import servers as servers_db
from synnefo_compute.db.projections import server_ports, server_volumes
from synnefo_compute.db.servers import servers
from synnefo_compute.domain.states import STATUSES, TaskState, VmState

SORT_KEYS = frozenset(servers_db.SORT_COLUMNS)
_PLAIN = re.compile(r"^[\w .:@-]*$")
_GROUP_REPEAT = re.compile(r"\)[*+?{]")
_OPEN_REPEAT = re.compile(r"[*+{]")
_BACK_REFERENCE = re.compile(r"\\[1-9]")


@dataclass(frozen=True)
class Listing:
    """A page as rows with their ports and volumes; `more` says that another page may follow."""

    rows: Sequence[Row[Any]]
    ports: Mapping[str, list[dict[str, Any]]]
    volumes: Mapping[str, list[dict[str, Any]]]
    more: bool


def _matches(column: ColumnElement[Any], text: str) -> ColumnElement[bool]:
    """Nova's name filters are regular expressions; plain text is a substring. Raises BadRequest."""
    if "\x00" in text:
        raise BadRequest("Invalid filter: NUL characters are not allowed.")
    if _PLAIN.match(text):
        return column.contains(text, autoescape=True)
    return column.regexp_match(_pattern(text).pattern)


def _pattern(text: str) -> re.Pattern[str]:
    """A regular expression that cannot take for ever: repeats of groups and many open repeats can. Raises BadRequest."""
    if len(text) > 255 or _GROUP_REPEAT.search(text) or len(_OPEN_REPEAT.findall(text)) > 2 or "(?" in text or _BACK_REFERENCE.search(text):
        raise BadRequest("The regular expression is too complex: repeat single characters only, with at most two of * and +.")
    try:
        return re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise BadRequest(f"Invalid regular expression {text[:60]!r}: {error}.") from error


def wants_all_projects(query: Mapping[str, str]) -> bool:
    """`all_tenants`: true without a value too. Raises BadRequest."""
    return read_bool(query.get("all_tenants"), default="all_tenants" in query, name="all_tenants")


def _is_true(text: str | None) -> bool:
    return (text or "").strip().lower() in ("1", "t", "true", "on", "y", "yes")


def conditions(
    query: Mapping[str, str], *, statuses: Sequence[str], project_id: str | None, is_admin: bool
) -> list[ColumnElement[bool]]:
    """WHERE of a list call. Unknown filters are ignored, as are an ordinary user's use of administrators' ones."""
    where: list[ColumnElement[bool]] = []
    all_projects = is_admin and wants_all_projects(query)
    if is_admin and (other := query.get("project_id") or query.get("tenant_id")) and all_projects:
        where.append(servers.c.project_id == other)
    elif not all_projects:
        where.append(servers.c.project_id == project_id)
    wants_deleted = is_admin and _is_true(query.get("deleted"))
    if "changes-since" in query:
        try:
            where.append(servers.c.updated_at >= parse_iso(query["changes-since"].replace(" ", "+")))
        except (ValueError, OverflowError):
            raise BadRequest("Invalid changes-since: use an ISO 8601 time.") from None
    elif wants_deleted or (is_admin and list(statuses) == ["DELETED"]):
        where.append(servers.c.deleted_at.is_not(None))
    else:
        where.append(servers.c.deleted_at.is_(None))
    if statuses:
        known = [(status, STATUSES[status]) for status in dict.fromkeys(statuses) if STATUSES.get(status)]
        where.append(or_(*(_status(status, states) for status, states in known)) if known else false())
    simple = {
        "image": servers.c.image_id, "flavor": servers.c.flavor_id, "uuid": servers.c.id, "reservation_id": servers.c.reservation_id,
        "vm_state": servers.c.vm_state, "task_state": servers.c.task_state, "key_name": servers.c.key_name,
        "availability_zone": servers.c.availability_zone,
    }  # fmt: skip
    if is_admin:
        simple |= {"host": servers.c.cluster, "node": servers.c.node, "user_id": servers.c.user_id}
    for key, column in simple.items():
        if key in query:
            if "\x00" in query[key]:
                raise BadRequest(f"Invalid filter {key}: NUL characters are not allowed.")
            where.append(column == query[key].rsplit("/", 1)[-1] if key in ("image", "flavor") else column == query[key])
    if "name" in query:
        where.append(_matches(servers.c.name, query["name"]))
    for key, column in (("access_ip_v4", servers.c.access_ip_v4), ("access_ip_v6", servers.c.access_ip_v6)):
        if key in query:
            where.append(_matches(column, query[key]))
    return where


def _status(status: str, states: Sequence[VmState]) -> ColumnElement[bool]:
    base = servers.c.vm_state.in_([s.value for s in states])
    busy = {
        "REBOOT": TaskState.REBOOTING, "HARD_REBOOT": TaskState.REBOOTING_HARD, "RESIZE": TaskState.RESIZE_PREP,
        "REVERT_RESIZE": TaskState.RESIZE_REVERTING,
    }  # fmt: skip
    if status in busy:
        return and_(base, servers.c.task_state == busy[status])
    shown_else = [t.value for t in busy.values()]
    return and_(base, or_(servers.c.task_state.is_(None), servers.c.task_state.not_in(shown_else)))


async def list_servers(
    compute: Compute, query: Mapping[str, str], page: Page, *, statuses: Sequence[str], project_id: str | None, is_admin: bool,
    with_details: bool,
) -> Listing:
    """One page. Raises BadRequest for a bad filter or an unknown marker."""
    where = conditions(query, statuses=statuses, project_id=project_id, is_admin=is_admin)
    columns = None if with_details else [servers.c.id, servers.c.name]
    try:
        async with compute.db.read() as uow:
            by_address = [(key, query[key]) for key in ("ip", "ip6") if query.get(key)]
            if by_address:
                ids = await _with_address(uow, where, by_address)
                where.append(servers.c.id.in_(ids))
            rows = await servers_db.list_servers(uow, where, sort=page.sort, marker_id=page.marker, limit=page.limit + 1, columns=columns)
            if rows is None:
                raise BadRequest(f"marker [{(page.marker or '')[:60]}] not found")
            more, rows = len(rows) > page.limit, rows[: page.limit]
            if not with_details or not rows:
                return Listing(rows, {}, {}, more)
            ids = [row.id for row in rows]
            ports = await projections.of_servers(uow, server_ports, ids)
            volumes = await projections.of_servers(uow, server_volumes, ids)
    except DBAPIError as error:
        if "regular expression" in str(error.orig).lower():
            raise BadRequest("Invalid regular expression in a filter.") from error
        raise
    return Listing(rows, ports, volumes, more)


async def _with_address(uow: Any, where: Sequence[ColumnElement[bool]], wanted: Sequence[tuple[str, str]]) -> list[str]:
    """Servers with an address that matches; the ports' addresses are in their JSON, so they are compared here."""
    patterns = [_pattern(text) for _key, text in wanted]
    rows = await uow.all(
        select(server_ports.c.server_id, server_ports.c.data).join(servers, servers.c.id == server_ports.c.server_id).where(*where)
    )
    found = set()
    for row in rows:
        known = [a["ip_address"] for key in ("fixed_ips", "floating_ips") for a in row.data.get(key) or ()]
        if any(pattern.match(address) for pattern in patterns for address in known):
            found.add(row.server_id)
    return sorted(found)


async def show_server(compute: Compute, server_id: str, *, project_id: str | None, is_admin: bool) -> dict[str, Any]:
    """One server in full: three statements."""
    async with compute.db.read() as uow:
        row = await load(uow, server_id, project_id=project_id)
        ports = await projections.of_servers(uow, server_ports, [server_id])
        volumes = await projections.of_servers(uow, server_volumes, [server_id])
    return detail(compute, row, ports.get(server_id, []), volumes.get(server_id, []), is_admin=is_admin)


def detail(compute: Compute, row: Row[Any], ports: list[dict[str, Any]], volumes: list[dict[str, Any]], *, is_admin: bool) -> dict[str, Any]:
    """A row in full."""
    return server_detail(row, ports, volumes, url=compute.url, is_admin=is_admin, settings=compute.settings)


_BASIC_ADDRESS = ("version", "addr")
_EXTENSIONS = ("OS-EXT-", "OS-SRV-", "os-extended", "config_drive", "key_name", "security_groups")


def without_extensions(shown: dict[str, Any]) -> dict[str, Any]:
    """A server in full, cut to what PUT answers at 2.1."""
    cut = {key: value for key, value in shown.items() if not key.startswith(_EXTENSIONS)}
    cut["addresses"] = _basic(shown["addresses"])
    return cut


def _basic(found: Mapping[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    return {network: [{key: a[key] for key in _BASIC_ADDRESS} for a in items] for network, items in found.items()}


def summary(compute: Compute, row: Row[Any]) -> dict[str, Any]:
    """A row as a list item."""
    return server_summary(row, compute.url)


async def show_addresses(compute: Compute, server_id: str, *, project_id: str | None) -> dict[str, list[dict[str, Any]]]:
    """Addresses by network, without Nova's extended keys."""
    async with compute.db.read() as uow:
        await load(uow, server_id, project_id=project_id)
        ports = await projections.of_servers(uow, server_ports, [server_id])
    return _basic(addresses(ports.get(server_id, [])))
