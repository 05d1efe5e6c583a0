"""The networks that the operator gives new servers: to all of them (forced), and to those that name none (default)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, select

from synnefo_common.db import UnitOfWork
from synnefo_network.app.direct_floating_ips import needs_floating_ip
from synnefo_network.app.services import Services
from synnefo_network.db import floating_ips as db_floating_ips
from synnefo_network.db import ports as db_ports
from synnefo_network.db import subnets as db_subnets
from synnefo_network.db.networks import networks
from synnefo_network.domain.addresses import is_automatic, pool_size
from synnefo_network.domain.errors import DefaultNetworkUnavailable, ForcedNetworkUnavailable

ANY_PUBLIC = {"SNF:ANY_PUBLIC_IPV4": (4,), "SNF:ANY_PUBLIC_IPV6": (6,), "SNF:ANY_PUBLIC": (4, 6)}
Element = str | list[str]


async def forced_networks(uow: UnitOfWork, svc: Services, project_id: str) -> list[Row[Any]]:
    """What every new server gets, whoever's it is. Raises ForcedNetworkUnavailable (503)."""
    found = []
    for element in svc.settings.forced_server_networks:
        network = await _find(uow, project_id, element, is_forced=True)
        if network is None:
            raise ForcedNetworkUnavailable(f"No network of {element} that all servers are to have can be given at the moment.")
        found.append(network)
    return found


async def default_networks(uow: UnitOfWork, svc: Services, project_id: str) -> list[Row[Any]]:
    """What a new server gets that names no network. Raises DefaultNetworkUnavailable (409)."""
    found = []
    for element in svc.settings.default_server_networks:
        network = await _find(uow, project_id, element, is_forced=False)
        if network is None:
            raise DefaultNetworkUnavailable(f"No network of {element} that servers have by default can be given: name the server's networks.")
        found.append(network)
    return found


async def _find(uow: UnitOfWork, project_id: str, element: Element, *, is_forced: bool) -> Row[Any] | None:
    """The first of the alternatives that has an address to give."""
    for name in [element] if isinstance(element, str) else element:
        n = networks.c
        versions = ANY_PUBLIC.get(name, (4, 6))
        wanted = n.is_external if name in ANY_PUBLIC else n.id == name
        candidates = await uow.all(select(networks).where(wanted, ~n.is_drained, n.admin_state_up).order_by(n.created_at, n.id))
        subnets = await db_subnets.subnets_of(uow, [c.id for c in candidates]) if candidates else {}
        for network in candidates:
            within = [s for s in subnets[network.id] if s.ip_version in versions]
            if name in ANY_PUBLIC and not within:
                continue
            if not is_forced and needs_floating_ip(project_id, "compute:", network):
                if await db_floating_ips.free_floating_ip(uow, project_id, network.id, address=None, subnet_id=None) is not None:
                    return network
            elif await _has_room(uow, within):
                return network
    return None


async def _has_room(uow: UnitOfWork, subnets: Sequence[Any]) -> bool:
    """Without subnets there is nothing to run out of; else each version of addresses must be there."""
    used = await db_ports.used_by_subnet(uow, [s.id for s in subnets]) if subnets else {}
    free = {s.id: is_automatic(s) or used.get(s.id, 0) < pool_size(s.allocation_pools) for s in subnets}
    return all(any(free[s.id] for s in subnets if s.ip_version == version) for version in {s.ip_version for s in subnets})
