"""Choosing a cluster for a server: filters, then weight, over fresh capacity. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

OFFLINE = "offline"


@dataclass(frozen=True, slots=True)
class Capacity:
    """A cluster as the allocator sees it; what is reserved by servers under way is in `reserved_*`. MiB, GiB, virtual CPUs."""

    name: str
    online: bool
    drained: bool
    zone: str
    disk_templates: tuple[str, ...]
    ram_total: int
    ram_free: int
    disk_total: int
    disk_free: int
    cpu_total: int
    cpu_used: int
    instances: int
    age_s: float
    reserved_ram: int = 0
    reserved_disk: int = 0
    reserved_cpu: int = 0
    reserved_servers: int = 0


@dataclass(frozen=True, slots=True)
class Demand:
    """What a server needs. `exclude` are clusters that refused it already."""

    vcpus: int
    ram_mib: int
    disk_gib: int
    zone: str | None = None
    disk_template: str = "ext"
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ratios:
    """How much is sold per real unit, and how old a report may be."""

    cpu: float
    ram: float
    disk: float
    stale_s: float


def refusal(cluster: Capacity, demand: Demand, ratios: Ratios) -> str | None:
    """Why the cluster cannot take the server; None if it can. `OFFLINE` if that alone is why."""
    if cluster.name in demand.exclude:
        return "refused it before"
    if cluster.drained:
        return "drained"
    if demand.zone and demand.zone != cluster.zone:
        return f"not in zone {demand.zone}"
    if demand.disk_template not in cluster.disk_templates:
        return f"disk template {demand.disk_template} is not enabled"
    overcommit = int(cluster.ram_total * (ratios.ram - 1.0))
    if demand.ram_mib > cluster.ram_free + overcommit - cluster.reserved_ram:
        return "not enough memory"
    if demand.vcpus > int(cluster.cpu_total * ratios.cpu) - cluster.cpu_used - cluster.reserved_cpu:
        return "not enough CPUs"
    if demand.disk_gib > int(cluster.disk_total * ratios.disk) - cluster.reserved_disk and cluster.disk_total:
        return "not enough disk"
    if not cluster.online or cluster.age_s > ratios.stale_s:
        return OFFLINE
    return None


def weight(cluster: Capacity) -> tuple[float, int, str]:
    """The smallest wins: the share of memory in use or promised, then the number of servers, then the name."""
    promised = cluster.ram_total - cluster.ram_free + cluster.reserved_ram
    share = promised / cluster.ram_total if cluster.ram_total else 1.0
    return (round(share, 2), cluster.instances + cluster.reserved_servers, cluster.name)


def choose(clusters: Sequence[Capacity], demand: Demand, ratios: Ratios) -> tuple[str | None, dict[str, str]]:
    """The chosen cluster, or None; and why each of the others was refused."""
    refused: dict[str, str] = {}
    fit = []
    for cluster in clusters:
        reason = refusal(cluster, demand, ratios)
        if reason is None:
            fit.append(cluster)
        else:
            refused[cluster.name] = reason
    return (min(fit, key=weight).name if fit else None), refused
