"""Ports as other services see them: the internal `Port` document, and the events that carry it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from synnefo_common.contracts.envelope import Event
from synnefo_common.db import UnitOfWork
from synnefo_network.db import floating_ips as db_floating_ips
from synnefo_network.db import networks as db_networks
from synnefo_network.db import ports as db
from synnefo_network.db import security_groups as db_groups


@dataclass(frozen=True, slots=True)
class PortFacts:
    """A port's row, its addresses as {"subnet_id", "ip_address"}, its groups as id → name, the floating IPs that lead to it."""

    row: Any
    fixed_ips: list[dict[str, str]]
    groups: Mapping[str, str]
    floating_ips: Sequence[str] = ()

    def document(self, network: Any) -> dict[str, Any]:
        """The internal `Port`."""
        row = self.row
        return {
            "id": row.id,
            "network_id": row.network_id,
            "network_name": network.name,
            "mac_address": row.mac_address,
            "fixed_ips": [{**a, "version": 6 if ":" in a["ip_address"] else 4} for a in self.fixed_ips],
            "security_groups": [{"id": i, "name": n} for i, n in self.groups.items()],
            "floating_ips": [{"ip_address": a, "version": 4} for a in self.floating_ips],
            "preserve_on_delete": not row.is_server_made,
            "status": row.status,
            "mtu": network.mtu,
        }


async def gather(uow: UnitOfWork, rows: Sequence[Any], *, names: bool = True) -> list[PortFacts]:
    """The facts of the rows, in their order, in two statements; two more for the names of the groups and the floating IPs."""
    if not rows:
        return []
    ids = [r.id for r in rows]
    addresses = await db.addresses_of(uow, ids)
    groups = await db.group_ids_of(uow, ids)
    used = {g for these in groups.values() for g in these} if names else set()
    known = await db_groups.names_of(uow, used) if used else {}
    floating = await db_floating_ips.addresses_to(uow, ids) if names else {}
    return [PortFacts(row, addresses[row.id], {g: known.get(g, g) for g in groups[row.id]}, floating.get(row.id, ())) for row in rows]


async def describe(uow: UnitOfWork, rows: Sequence[Any]) -> list[dict[str, Any]]:
    """The internal documents of the rows, in a constant number of statements."""
    facts = await gather(uow, rows)
    networks = await db_networks.get_networks(uow, {r.network_id for r in rows}, project_id=None) if rows else {}
    return [f.document(networks[f.row.network_id]) for f in facts]


def emit_port(uow: UnitOfWork, what: str, document: Mapping[str, Any], *, row: Any, device_id: str | None = None) -> None:
    """Emit `network.port.<what>`. `device_id`: the server that had the port, if it has it no more."""
    data = {
        "port": document,
        "device_id": row.device_id if device_id is None else device_id,
        "project_id": row.project_id,
    }
    uow.emit(Event(f"network.port.{what}", "port", str(row.id), data))


async def emit_updated(uow: UnitOfWork, port_ids: Sequence[str]) -> None:
    """Tell of ports to which something else has changed: their floating IPs."""
    rows = await db.get_ports(uow, port_ids, project_id=None)
    documents = {d["id"]: d for d in await describe(uow, list(rows.values()))}
    for row in rows.values():
        emit_port(uow, "updated", documents[row.id], row=row)
