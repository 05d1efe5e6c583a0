"""Clusters as the dispatcher reports them."""

from __future__ import annotations

from synnefo_common.bus import Consumers
from synnefo_common.contracts.envelope import Envelope
from synnefo_common.db import UnitOfWork
from synnefo_compute.app.core import Compute
from synnefo_compute.db import clusters


def register(consumers: Consumers, compute: Compute) -> None:
    """Listen to the dispatcher."""

    @consumers.on("ganeti.cluster.reported")
    async def cluster_reported(uow: UnitOfWork, message: Envelope) -> None:
        data = message.data
        report = {
            "name": data["cluster"], "online": bool(data["online"]), "drained": bool(data.get("drained")),
            "zone": data.get("zone") or compute.settings.availability_zone, "hypervisors": data.get("hypervisors") or [],
            "disk_templates": data.get("disk_templates") or [], "nodes": data.get("nodes") or 0,
            "ram_total_mib": data.get("mem_total_mib") or 0, "ram_free_mib": data.get("mem_free_mib") or 0,
            "disk_total_gib": data.get("disk_total_gib") or 0, "disk_free_gib": data.get("disk_free_gib") or 0,
            "cpu_total": data.get("cpu_total") or 0, "instances": data.get("instances") or 0, "cpu_used": data.get("cpu_used") or 0,
            "node_groups": data.get("groups") or [], "reported_at": data["reported_at"],
        }  # fmt: skip
        await clusters.put_report(uow, report)

    @consumers.on("ganeti.cluster.removed")
    async def cluster_removed(uow: UnitOfWork, message: Envelope) -> None:
        await clusters.remove_cluster(uow, message.data["cluster"])
