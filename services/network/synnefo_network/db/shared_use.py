"""Which projects use an object that may be another's."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CompoundSelect, Select, select

from synnefo_common.db import UnitOfWork
from synnefo_network.db.floating_ips import floating_ips
from synnefo_network.db.networks import networks
from synnefo_network.db.ports import port_security_groups, ports
from synnefo_network.db.rbac_policies import EXTERNAL, SHARED
from synnefo_network.db.routers import router_ports, routers
from synnefo_network.db.security_groups import security_group_rules
from synnefo_network.db.subnet_pools import subnetpools
from synnefo_network.db.subnets import subnets


def _statement(object_type: str, object_id: str, *, action: str) -> Select[Any] | CompoundSelect[Any]:
    """The projects, in a column `project_id`."""
    if action == EXTERNAL:
        behind = select(ports.c.id).where(ports.c.network_id == object_id)
        gateways = select(routers.c.project_id).join(router_ports, router_ports.c.router_id == routers.c.id)
        leading = gateways.where(router_ports.c.is_gateway, router_ports.c.port_id.in_(behind))
        return leading.union(select(floating_ips.c.project_id).where(floating_ips.c.floating_network_id == object_id))
    if object_type == "network":
        return select(ports.c.project_id).where(ports.c.network_id == object_id)
    if object_type == "security_group":
        in_group = select(port_security_groups.c.port_id).where(port_security_groups.c.security_group_id == object_id)
        return select(ports.c.project_id).where(ports.c.id.in_(in_group))
    if object_type == "address_scope":
        return select(subnetpools.c.project_id).where(subnetpools.c.address_scope_id == object_id)
    if object_type == "subnetpool":
        return select(subnets.c.project_id).where(subnets.c.subnetpool_id == object_id)
    if object_type == "address_group":
        return select(security_group_rules.c.project_id).where(security_group_rules.c.remote_address_group_id == object_id)
    bound = [select(t.c.project_id).where(t.c.qos_policy_id == object_id) for t in (networks, floating_ips)]
    return select(ports.c.project_id).where(ports.c.qos_policy_id == object_id).union(*bound)


async def users_of(uow: UnitOfWork, object_type: str, object_id: str, *, action: str = SHARED) -> set[str]:
    """The projects that use the object in the way that the action of a policy allows, its owner too."""
    return {row.project_id for row in await uow.all(_statement(object_type, object_id, action=action))}
