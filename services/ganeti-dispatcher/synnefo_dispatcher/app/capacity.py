"""A cluster's figures and abilities from what RAPI tells: pure functions, and the one call that asks."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from synnefo_dispatcher.rapi import Group, Instance, Node, RapiClient, RapiTimeout

HOTPLUG_HYPERVISORS = frozenset({"kvm"})
ZONE_TAG = "synnefo:zone:"


@dataclass(frozen=True)
class Survey:
    """All that one look at a cluster gives."""

    info: Mapping[str, Any]
    nodes: Sequence[Node]
    groups: Sequence[Group]
    instances: Sequence[Instance]


async def survey(client: RapiClient) -> Survey:
    """Look at a cluster. Raises RapiError, also for answers of another shape than Ganeti's."""
    try:
        return Survey(*await asyncio.gather(client.info(), client.nodes(), client.groups(), client.instances()))
    except (KeyError, TypeError, ValueError) as error:
        raise RapiTimeout(f"answered something unexpected: {error!r}") from error


def hypervisor_of(cluster: str, hypervisors: Sequence[str], wanted: Mapping[str, str]) -> str | None:
    """The hypervisor of new instances."""
    return wanted.get(cluster) or next(iter(hypervisors), None)


def zone_of(group: Group, *, default: str | None) -> str | None:
    """The availability zone of a node group: what its tag `synnefo:zone:NAME` says, else the cluster's."""
    tagged = sorted(tag.removeprefix(ZONE_TAG) for tag in group.tags if tag.startswith(ZONE_TAG))
    return tagged[0] if tagged else default


def _figures(nodes: Sequence[Node], instances: Sequence[Instance]) -> dict[str, int]:
    return {
        "nodes": len(nodes),
        "mem_total_mib": sum(int(node.memory_total_mib or 0) for node in nodes),
        "mem_free_mib": sum(int(node.memory_free_mib or 0) for node in nodes),
        "disk_total_gib": sum(int(node.disk_total_mib or 0) for node in nodes) // 1024,
        "disk_free_gib": sum(int(node.disk_free_mib or 0) for node in nodes) // 1024,
        "cpu_total": sum(int(node.cpus or 0) for node in nodes),
        "cpu_used": sum(instance.vcpus for instance in instances),
        "instances": len(instances),
    }


def report_of(found: Survey, *, zone: str | None, drained: bool) -> dict[str, Any]:
    """The figures of `ganeti.cluster.reported`. Only nodes that may take instances count."""
    usable = [node for node in found.nodes if node.is_usable]
    hypervisors = list(found.info.get("enabled_hypervisors") or [])
    on_node: dict[str | None, list[Instance]] = defaultdict(list)
    for instance in found.instances:
        on_node[instance.node].append(instance)
    return {
        "drained": drained or not usable,
        "zone": zone,
        "groups": [_group(group, found, usable, on_node, zone=zone) for group in sorted(found.groups, key=lambda group: group.name)],
        "hypervisors": hypervisors,
        "disk_templates": list(found.info.get("enabled_disk_templates") or []),
        "hotplug": bool(HOTPLUG_HYPERVISORS & set(hypervisors)),
        "version": str(found.info.get("software_version") or ""),
        "uuid": found.info.get("uuid"),
        "master": found.info.get("master"),
        "nodes_offline": sorted(node.name for node in found.nodes if node.is_offline),
        "nodes_drained": sorted(node.name for node in found.nodes if node.is_drained),
        "node_names": [node.name for node in usable],
        **_figures(usable, found.instances),
    }


def _group(
    group: Group, found: Survey, usable: Sequence[Node], on_node: Mapping[str | None, Sequence[Instance]], *, zone: str | None
) -> dict[str, Any]:
    members = [node for node in usable if node.group_uuid == group.uuid]
    everywhere = {node.name for node in found.nodes if node.group_uuid == group.uuid}
    return {
        "name": group.name,
        "zone": zone_of(group, default=zone),
        "is_open": group.alloc_policy != "unallocable" and bool(members),
        "node_names": [node.name for node in members],
        "members": [{"name": node.name, **_figures([node], on_node[node.name])} for node in members],
        **_figures(members, [instance for name in everywhere for instance in on_node[name]]),
    }


EMPTY_REPORT: dict[str, Any] = {
    "drained": False, "zone": None, "groups": [], "hypervisors": [], "disk_templates": [], "hotplug": False, "version": "", "uuid": None,
    "master": None, "nodes_offline": [], "nodes_drained": [], "nodes": 0, "node_names": [], "mem_total_mib": 0, "mem_free_mib": 0,
    "disk_total_gib": 0, "disk_free_gib": 0, "cpu_total": 0, "cpu_used": 0, "instances": 0,
}  # fmt: skip
