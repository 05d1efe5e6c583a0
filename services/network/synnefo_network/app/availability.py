"""How many addresses of a network are used."""

from __future__ import annotations

from typing import Any

from synnefo_common.web import Context
from synnefo_network.app.services import Services, seen_by
from synnefo_network.db import networks as db_networks
from synnefo_network.db import ports as db_ports
from synnefo_network.db import subnets as db_subnets
from synnefo_network.db.listing import list_rows
from synnefo_network.domain.addresses import pool_size
from synnefo_network.domain.errors import NetworkNotFound
from synnefo_network.domain.listing import NETWORKS, ListQuery


async def list_availability(svc: Services, ctx: Context, query: ListQuery, *, version: int | None) -> list[dict[str, Any]]:
    """A document for each network; four statements."""
    async with svc.db.read() as uow:
        rows = await list_rows(uow, NETWORKS, db_networks.networks, query=query, where=[db_networks.visible(seen_by(ctx))])
        if rows is None:
            raise NetworkNotFound(query.marker or "")
        subnets = await db_subnets.subnets_of(uow, [r.id for r in rows]) if rows else {}
        used = await db_ports.used_by_subnet(uow, [s.id for these in subnets.values() for s in these])
    return [_view(row, [s for s in subnets[row.id] if version in (None, s.ip_version)], used) for row in rows]


def _view(network: Any, subnets: list[Any], used: dict[str, int]) -> dict[str, Any]:
    details = [
        {
            "subnet_id": s.id,
            "subnet_name": s.name,
            "cidr": s.cidr,
            "ip_version": s.ip_version,
            "used_ips": used.get(s.id, 0),
            "total_ips": pool_size(s.allocation_pools),
        }
        for s in subnets
    ]
    return {
        "network_id": network.id,
        "network_name": network.name,
        "tenant_id": network.project_id,
        "project_id": network.project_id,
        "used_ips": sum(d["used_ips"] for d in details),
        "total_ips": sum(d["total_ips"] for d in details),
        "subnet_ip_availability": details,
    }
