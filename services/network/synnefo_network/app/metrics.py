"""Gauges of the address pools that tenants share: subnets of external and of shared networks."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client.core import GaugeMetricFamily

from synnefo_network.app.services import Services
from synnefo_network.db import ports as db_ports
from synnefo_network.db import subnets as db_subnets
from synnefo_network.domain.addresses import pool_size

_LABELS = ["network", "subnet", "cidr"]


async def read_pools(svc: Services) -> Sequence[GaugeMetricFamily]:
    """Two statements."""
    async with svc.db.read() as uow:
        shared = await db_subnets.shared_subnets(uow)
        used = await db_ports.used_by_subnet(uow, [s.id for s in shared]) if shared else {}
    size = GaugeMetricFamily("synnefo_address_pool_size", "Addresses of a shared or external subnet's allocation pools.", labels=_LABELS)
    free = GaugeMetricFamily("synnefo_address_pool_free", "Addresses of those pools that nothing has.", labels=_LABELS)
    for subnet in shared:
        values = [subnet.network_name, subnet.id, subnet.cidr]
        total = pool_size(subnet.allocation_pools)
        size.add_metric(values, total)
        free.add_metric(values, max(total - used.get(subnet.id, 0), 0))
    return [size, free]
