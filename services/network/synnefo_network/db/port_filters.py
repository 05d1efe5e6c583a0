"""Filters of the port list that look into other tables."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, func, or_, select

from synnefo_network.db.ports import ip_allocations, port_security_groups, ports


def by_address(pairs: Sequence[tuple[str, str]]) -> list[ColumnElement[bool]]:
    """Ports with an allocation that matches; one condition per kind of pair (AND), any of its values (OR)."""
    a = ip_allocations
    conditions = []
    for kind in ("ip_address", "subnet_id", "ip_address_substr"):
        values = [v for k, v in pairs if k == kind]
        if not values:
            continue
        if kind == "ip_address_substr":
            match = or_(*(func.replace(a.c.ip_address, v, "") != a.c.ip_address for v in values))
        else:
            match = a.c[kind].in_(values)
        conditions.append(match)
    if not conditions:
        return []
    return [ports.c.id.in_(select(a.c.port_id).where(*conditions))]


def by_group(group_ids: Sequence[str]) -> list[ColumnElement[bool]]:
    """Ports in one of the security groups."""
    g = port_security_groups
    return [ports.c.id.in_(select(g.c.port_id).where(g.c.security_group_id.in_(group_ids)))] if group_ids else []
