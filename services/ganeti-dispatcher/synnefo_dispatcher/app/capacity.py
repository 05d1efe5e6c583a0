"""A cluster's figures from what RAPI tells: pure functions, and the one call that asks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from synnefo_dispatcher.rapi import Instance, Node, RapiClient, RapiTimeout


@dataclass(frozen=True)
class Survey:
    """All that one look at a cluster gives."""

    info: Mapping[str, Any]
    nodes: Sequence[Node]
    instances: Sequence[Instance]


async def survey(client: RapiClient) -> Survey:
    """Look at a cluster. Raises RapiError, also for answers of another shape than Ganeti's."""
    try:
        info, nodes, instances = await asyncio.gather(client.info(), client.nodes(), client.instances())
    except (KeyError, TypeError, ValueError) as error:
        raise RapiTimeout(f"answered something unexpected: {error!r}") from error
    return Survey(info, nodes, instances)


def hypervisor_of(cluster: str, hypervisors: Sequence[str], wanted: Mapping[str, str]) -> str | None:
    """The hypervisor of new instances."""
    return wanted.get(cluster) or next(iter(hypervisors), None)


def report_of(found: Survey, *, zone: str | None, drained: bool) -> dict[str, Any]:
    """The figures of `ganeti.cluster.reported`. Only nodes that may take instances count."""
    usable = [node for node in found.nodes if node.is_usable]
    return {
        "drained": drained or not usable,
        "zone": zone,
        "group": None,
        "hypervisors": list(found.info.get("enabled_hypervisors") or []),
        "disk_templates": list(found.info.get("enabled_disk_templates") or []),
        "version": str(found.info.get("software_version") or ""),
        "nodes": len(usable),
        "node_names": [node.name for node in usable],
        "mem_total_mib": sum(int(node.memory_total_mib or 0) for node in usable),
        "mem_free_mib": sum(int(node.memory_free_mib or 0) for node in usable),
        "disk_total_gib": sum(int(node.disk_total_mib or 0) for node in usable) // 1024,
        "disk_free_gib": sum(int(node.disk_free_mib or 0) for node in usable) // 1024,
        "cpu_total": sum(int(node.cpus or 0) for node in usable),
        "cpu_used": sum(instance.vcpus for instance in found.instances),
        "instances": len(found.instances),
    }


EMPTY_REPORT: dict[str, Any] = {
    "drained": False, "zone": None, "group": None, "hypervisors": [], "disk_templates": [], "version": "", "nodes": 0,
    "node_names": [], "mem_total_mib": 0, "mem_free_mib": 0, "disk_total_gib": 0, "disk_free_gib": 0, "cpu_total": 0,
    "cpu_used": 0, "instances": 0,
}  # fmt: skip
