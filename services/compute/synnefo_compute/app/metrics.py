"""Gauges of the clusters' capacity, as placement sees it: reported, and promised to servers under way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from prometheus_client.core import GaugeMetricFamily

from synnefo_common.clock import MICROS
from synnefo_compute.app.core import Compute
from synnefo_compute.db import clusters as db

_MIB, _GIB = 1 << 20, 1 << 30


async def read_capacity(compute: Compute) -> Sequence[GaugeMetricFamily]:
    """One statement."""
    async with compute.db.read() as uow:
        rows = await db.list_clusters(uow)
    now = compute.clock.now_us()
    figures: dict[str, tuple[str, Callable[[Any], float]]] = {
        "synnefo_cluster_online": ("1 while the cluster answers.", lambda r: float(r.online)),
        "synnefo_cluster_drained": ("1 while the operator wants no new servers there.", lambda r: float(r.drained)),
        "synnefo_cluster_report_age_seconds": ("Age of the last report of capacity.", lambda r: (now - r.reported_at) / MICROS),
        "synnefo_cluster_memory_bytes": ("Memory of the cluster's usable nodes.", lambda r: r.ram_total_mib * _MIB),
        "synnefo_cluster_memory_free_bytes": ("Memory that its last report called free.", lambda r: r.ram_free_mib * _MIB),
        "synnefo_cluster_memory_promised_bytes": ("Memory promised to servers that no report counts yet.", lambda r: r.reserved_ram * _MIB),
        "synnefo_cluster_disk_bytes": ("Disk of the cluster's usable nodes.", lambda r: r.disk_total_gib * _GIB),
        "synnefo_cluster_disk_free_bytes": ("Disk that its last report called free.", lambda r: r.disk_free_gib * _GIB),
        "synnefo_cluster_cpus": ("Real CPUs of the cluster's usable nodes.", lambda r: r.cpu_total),
        "synnefo_cluster_cpus_used": ("Virtual CPUs of its instances.", lambda r: r.cpu_used),
        "synnefo_cluster_instances": ("Instances on the cluster.", lambda r: r.instances),
    }
    families = []
    for name, (text, value) in figures.items():
        family = GaugeMetricFamily(name, text, labels=["cluster"])
        for row in rows:
            family.add_metric([row.name], value(row))
        families.append(family)
    return families
