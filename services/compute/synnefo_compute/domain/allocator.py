"""Choosing a place for a server: filters, then weighers, over fresh capacity. Pure functions.

A place is a cluster, or a node group of one that has several; for a member of a server group it is a node.
Filters and weighers are small functions in two tables; the
settings name those in force. A filter tells why a place cannot take the server; a weigher tells how full a place is, from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

OFFLINE = "offline"
AFFINITY, ANTI_AFFINITY, SOFT_AFFINITY, SOFT_ANTI_AFFINITY = "affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity"


@dataclass(frozen=True, slots=True)
class Capacity:
    """A place as the allocator sees it; what is promised to servers under way is in `reserved_*`. MiB, GiB, virtual CPUs."""

    cluster: str
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
    group: str | None = None  # None: the cluster has but one
    node: str | None = None  # of a server that is in a server group
    members: int = 0  # servers of its group that are there
    hypervisors: tuple[str, ...] = ()
    reserved_ram: int = 0
    reserved_disk: int = 0
    reserved_cpu: int = 0
    reserved_servers: int = 0

    @property
    def name(self) -> str:
        return "/".join(part for part in (self.cluster, self.group, self.node) if part is not None)


@dataclass(frozen=True, slots=True)
class ServerGroup:
    """The group of a server that is placed: how many of it have a place already."""

    policy: str
    max_server_per_host: int = 1
    placed: int = 0


@dataclass(frozen=True, slots=True)
class Demand:
    """What a server needs. `exclude` are places that refused it already."""

    vcpus: int
    ram_mib: int
    disk_gib: int
    zone: str | None = None
    disk_template: str = "ext"
    hypervisor: str | None = None
    project_id: str = ""
    server_group: ServerGroup | None = None
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator has set: how much is sold per real unit, how old a report may be, who may go where, what counts."""

    cpu: float
    ram: float
    disk: float
    stale_s: float
    filters: tuple[str, ...] = ("refused", "drained", "project", "zone", "hypervisor", "disk_template", "ram", "cpu", "disk")
    weighers: Mapping[str, float] = field(default_factory=lambda: {"ram": 1.0, "servers": 0.001, "server_group": 10.0})
    pins: Mapping[str, frozenset[str]] = field(default_factory=dict)  # project → its clusters, closed to others


def _server_group(place: Capacity, demand: Demand, _rules: Rules) -> str | None:
    group = demand.server_group
    if group is None:
        return None
    if group.policy == ANTI_AFFINITY and place.members >= group.max_server_per_host:
        return "the server group has its servers there already"
    if group.policy == AFFINITY and group.placed and not place.members:
        return "the server group is elsewhere"
    return None


def _refused(place: Capacity, demand: Demand, _rules: Rules) -> str | None:
    return "refused it before" if place.name in demand.exclude else None


def _drained(place: Capacity, _demand: Demand, _rules: Rules) -> str | None:
    return "drained" if place.drained else None


def _project(place: Capacity, demand: Demand, rules: Rules) -> str | None:
    pinned = rules.pins.get(demand.project_id)
    if pinned is not None:
        return None if place.cluster in pinned else "not a cluster of the project"
    return "kept for other projects" if any(place.cluster in clusters for clusters in rules.pins.values()) else None


def _zone(place: Capacity, demand: Demand, _rules: Rules) -> str | None:
    return f"not in zone {demand.zone}" if demand.zone and demand.zone != place.zone else None


def _hypervisor(place: Capacity, demand: Demand, _rules: Rules) -> str | None:
    if demand.hypervisor is None or demand.hypervisor == next(iter(place.hypervisors), None):
        return None
    return f"its hypervisor is not {demand.hypervisor}"


def _disk_template(place: Capacity, demand: Demand, _rules: Rules) -> str | None:
    return None if demand.disk_template in place.disk_templates else f"disk template {demand.disk_template} is not enabled"


def _ram(place: Capacity, demand: Demand, rules: Rules) -> str | None:
    overcommit = int(place.ram_total * (rules.ram - 1.0))
    return "not enough memory" if demand.ram_mib > place.ram_free + overcommit - place.reserved_ram else None


def _cpu(place: Capacity, demand: Demand, rules: Rules) -> str | None:
    return "not enough CPUs" if demand.vcpus > int(place.cpu_total * rules.cpu) - place.cpu_used - place.reserved_cpu else None


def _disk(place: Capacity, demand: Demand, rules: Rules) -> str | None:
    is_short = demand.disk_gib > int(place.disk_total * rules.disk) - place.reserved_disk
    return "not enough disk" if is_short and place.disk_total else None


FILTERS: Mapping[str, Callable[[Capacity, Demand, Rules], str | None]] = {
    "refused": _refused, "drained": _drained, "project": _project, "zone": _zone, "hypervisor": _hypervisor, "disk_template": _disk_template,
    "ram": _ram, "cpu": _cpu, "disk": _disk,
}  # fmt: skip


def _share(part: float, whole: float) -> float:
    return round(min(1.0, max(0.0, part / whole)), 2) if whole else 1.0


def _servers(place: Capacity, _demand: Demand) -> float:
    servers = place.instances + place.reserved_servers
    return servers / (servers + 1)


def _company(place: Capacity, demand: Demand) -> float:
    """Of the soft policies: the fewer of its group, or the more, the better."""
    policy = demand.server_group.policy if demand.server_group else None
    if policy == SOFT_ANTI_AFFINITY:
        return place.members / (place.members + 1)
    return 1 / (place.members + 1) if policy == SOFT_AFFINITY else 0.0


WEIGHERS: Mapping[str, Callable[[Capacity, Demand], float]] = {
    "ram": lambda place, _demand: _share(place.ram_total - place.ram_free + place.reserved_ram, place.ram_total),
    "cpu": lambda place, _demand: _share(place.cpu_used + place.reserved_cpu, place.cpu_total * 16),
    "disk": lambda place, _demand: _share(place.disk_total - place.disk_free + place.reserved_disk, place.disk_total),
    "servers": _servers,
    "server_group": _company,
}


def refusal(place: Capacity, demand: Demand, rules: Rules) -> str | None:
    """Why the place cannot take the server; None if it can. `OFFLINE` if that alone is why."""
    # What a user was promised is not the operator's to switch off.
    for refuses in (*(FILTERS[name] for name in rules.filters), _server_group):
        reason = refuses(place, demand, rules)
        if reason is not None:
            return reason
    return OFFLINE if not place.online or place.age_s > rules.stale_s else None


def weight(place: Capacity, demand: Demand, rules: Rules) -> tuple[float, str]:
    """The smallest wins; of equal ones the first by name. A negative factor fills what is full first."""
    return sum(factor * WEIGHERS[name](place, demand) for name, factor in rules.weighers.items()), place.name


def choose(places: Sequence[Capacity], demand: Demand, rules: Rules) -> tuple[Capacity | None, dict[str, str]]:
    """The chosen place, or None; and why each of the others was refused."""
    refused: dict[str, str] = {}
    fit = []
    for place in places:
        reason = refusal(place, demand, rules)
        if reason is None:
            fit.append(place)
        else:
            refused[place.name] = reason
    return (min(fit, key=lambda place: weight(place, demand, rules)) if fit else None), refused
