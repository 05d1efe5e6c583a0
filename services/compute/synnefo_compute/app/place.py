"""Placing a server: the allocator over the clusters' reports and promises, settled by compare-and-set."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from synnefo_common.clock import MICROS
from synnefo_common.db import UnitOfWork
from synnefo_common.errors import Conflict
from synnefo_common.saga import Retry
from synnefo_compute.db import clusters as clusters_db
from synnefo_compute.domain.allocator import OFFLINE, Capacity, Demand, Ratios, choose
from synnefo_compute.settings import Settings


def capacity_of(row: Row[Any], *, now_us: int) -> Capacity:
    """A cluster's row as the allocator sees it."""
    return Capacity(
        name=row.name, online=row.online, drained=row.drained, zone=row.zone, disk_templates=tuple(row.disk_templates),
        ram_total=row.ram_total_mib, ram_free=row.ram_free_mib, disk_total=row.disk_total_gib, disk_free=row.disk_free_gib,
        cpu_total=row.cpu_total, cpu_used=row.cpu_used, instances=row.instances, age_s=(now_us - row.reported_at) / MICROS,
        reserved_ram=int(row.reserved_ram), reserved_disk=int(row.reserved_disk), reserved_cpu=int(row.reserved_cpu),
        reserved_servers=int(row.reserved_servers),
    )  # fmt: skip


async def place(
    uow: UnitOfWork, settings: Settings, *, server_id: str, demand: Demand, since_us: int, forced: str | None = None
) -> str:
    """Promise room on the best cluster and return its name. Raises Conflict (no valid host) or Retry.

    Retry: a race was lost, or all that could take the server are offline and it has not waited long `since_us`.
    """
    rows = await clusters_db.list_clusters(uow)
    if forced:
        rows = [row for row in rows if row.name == forced]
    ratios = Ratios(cpu=settings.cpu_ratio, ram=settings.ram_ratio, disk=settings.disk_ratio, stale_s=settings.cluster_stale_s)
    name, refused = choose([capacity_of(row, now_us=uow.db.clock.now_us()) for row in rows], demand, ratios)
    if name is None:
        if OFFLINE in refused.values() and uow.db.clock.now_us() < since_us + settings.offline_patience_s * MICROS:
            raise Retry("every cluster that could take the server is offline", delay_s=2.0)
        reasons = "; ".join(f"{cluster}: {reason}" for cluster, reason in sorted(refused.items())) or "no cluster is known"
        raise Conflict(f"No valid host was found. {reasons}.", code="compute.no_valid_host")
    turn = next(row.turn for row in rows if row.name == name)
    if not await clusters_db.reserve(
        uow, server_id, cluster=name, turn=turn, vcpus=demand.vcpus, ram_mib=demand.ram_mib, disk_gib=demand.disk_gib
    ):
        raise Retry("another server was placed at the same time", delay_s=0.02)
    return name
