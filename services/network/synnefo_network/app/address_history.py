"""Who had which address of an external network when: kept in the transaction that gives or takes the address.

Ports that are deleted and floating IPs that are released end their rows in `db` (delete_ports, delete_floating_ip).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import func, or_, select

from synnefo_common.clock import iso
from synnefo_common.db import UnitOfWork
from synnefo_network.app.services import Services
from synnefo_network.db import address_history as db
from synnefo_network.db.floating_ips import floating_ips
from synnefo_network.db.networks import networks
from synnefo_network.db.ports import ip_allocations, ports
from synnefo_network.db.routers import routers
from synnefo_network.domain.port import FLOATING_IP_OWNER

_FACTS = ("ip_address", "network_id", "project_id", "floating_ip_id", "port_id", "mac_address", "device_id", "device_owner")
_FLOATING = _FACTS.index("floating_ip_id")


async def follow_addresses(uow: UnitOfWork, svc: Services, *, port_ids: Collection[str] = (), floating_ip_ids: Collection[str] = ()) -> None:
    """Bring the history of ports and floating IPs to what holds now, after a change in this transaction. Three statements, two more if it did."""
    now = await _facts(uow, port_ids, floating_ip_ids)
    leading = {facts[_FLOATING] for facts in now} - {None}  # also those that began to lead to the ports just now
    rows = await db.open_rows(uow, port_ids=port_ids, floating_ip_ids=leading | set(floating_ip_ids))
    before = {tuple(getattr(row, name) for name in _FACTS): row.id for row in rows}
    if ended := [row_id for facts, row_id in before.items() if facts not in now]:
        await db.end_rows(uow, ids=ended)
    if begun := [facts for facts in now if facts not in before]:
        start = svc.clock.now_us()
        times = {"started_at": start, "ended_at": None}
        await db.insert_rows(uow, [{"id": svc.ids.uuid(), **dict(zip(_FACTS, facts, strict=True)), **times} for facts in begun])


async def _facts(uow: UnitOfWork, port_ids: Collection[str], floating_ip_ids: Collection[str]) -> dict[tuple[Any, ...], None]:
    a, f, n, p, r = ip_allocations.c, floating_ips.c, networks.c, ports.c, routers.c
    floating = (
        select(f.floating_ip_address, f.floating_network_id, f.project_id, f.id, f.port_id, p.mac_address, p.device_id, p.device_owner)
        .outerjoin(ports, p.id == f.port_id)
        .where(or_(f.id.in_(floating_ip_ids), f.port_id.in_(port_ids)))
    )
    found: dict[tuple[Any, ...], None] = {}
    for row in await uow.all(floating):
        found[tuple("" if value is None and name.startswith("device") else value for name, value in zip(_FACTS, row, strict=True))] = None
    if port_ids:
        known = {facts[:2] for facts in found}
        # The gateway of a router belongs to nobody, but what comes out of it is of the router's project.
        owner = func.coalesce(r.project_id, p.project_id)
        held = (
            select(a.ip_address, p.network_id, owner.label("project_id"), p.id, p.mac_address, p.device_id, p.device_owner)
            .join(ports, p.id == a.port_id)
            .join(networks, n.id == p.network_id)
            .outerjoin(routers, r.id == p.device_id)
            .where(p.id.in_(port_ids), n.is_external, p.device_owner != FLOATING_IP_OWNER)
        )
        found |= {(*row[:3], None, *row[3:]): None for row in await uow.all(held) if tuple(row[:2]) not in known}
    return found


async def list_history(svc: Services, *, equal: dict[str, str], since: int | None, until: int | None, limit: int) -> Sequence[dict[str, Any]]:
    """Who had it, newest first."""
    async with svc.db.read() as uow:
        rows = await db.find_rows(uow, equal=equal, since=since, until=until, limit=limit)
    return [{**{name: getattr(row, name) for name in _FACTS}, "started_at": iso(row.started_at), "ended_at": iso(row.ended_at)} for row in rows]
