"""What the auditor reads of the network service: ports with their addresses, allocations, counted use."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select, true

from synnefo_network.app.services import Services
from synnefo_network.db.floating_ips import floating_ips
from synnefo_network.db.networks import networks
from synnefo_network.db.ports import ip_allocations, ports
from synnefo_network.db.rbac_policies import rbac_policies
from synnefo_network.db.routers import routers
from synnefo_network.db.security_groups import security_group_rules, security_groups
from synnefo_network.db.subnet_pools import subnetpools
from synnefo_network.db.subnets import subnets

# What the ledger counts: ports of servers, of users and none of floating IPs (they are counted as such); no default groups.
_COUNTED = (
    ("network.networks", networks, true()),
    ("network.subnets", subnets, true()),
    ("network.subnet_pools", subnetpools, subnetpools.c.is_charged.is_(True)),
    ("network.rbac_policies", rbac_policies, rbac_policies.c.is_charged.is_(True)),
    ("network.ports", ports, ports.c.project_id != ""),
    ("network.floating_ips", floating_ips, true()),
    ("network.routers", routers, true()),
    ("network.security_groups", security_groups, security_groups.c.is_default.is_(False)),
    ("network.security_group_rules", security_group_rules, security_group_rules.c.is_charged.is_(True)),
)


async def audit_facts(svc: Services) -> dict[str, Any]:
    """See the module."""
    usage: dict[str, dict[str, int]] = {}
    async with svc.db.read() as uow:
        for resource, table, condition in _COUNTED:
            counted = select(table.c.project_id, func.count().label("n")).where(condition).group_by(table.c.project_id)
            for row in await uow.all(counted):
                usage.setdefault(row.project_id, {})[resource] = row.n
        port_rows = await uow.all(select(ports.c.id, ports.c.project_id, ports.c.device_id, ports.c.device_owner, ports.c.mac_address))
        held = await uow.all(select(ip_allocations))
    by_port: dict[str, list[dict[str, str]]] = {}
    for row in held:
        by_port.setdefault(row.port_id, []).append({"subnet_id": row.subnet_id, "ip_address": row.ip_address})
    return {
        "ports": [
            {
                "id": p.id, "project_id": p.project_id, "device_id": p.device_id, "device_owner": p.device_owner, "mac_address": p.mac_address,
                "fixed_ips": by_port.get(p.id, []),
            }
            for p in port_rows
        ],
        "allocations": [{"subnet_id": row.subnet_id, "ip_address": row.ip_address} for row in held],
        "usage": usage,
    }  # fmt: skip
