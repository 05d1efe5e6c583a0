"""Instances, nodes and groups as RAPI shows them, and the wish for a new instance.

Not for: Synnefo's servers; names are Ganeti's, units are in the names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Nic:
    uuid: str
    name: str | None
    mac: str
    ip: str | None
    mode: str
    link: str
    network: str | None


@dataclass(frozen=True, slots=True)
class Disk:
    uuid: str
    name: str | None
    size_mib: int


@dataclass(frozen=True, slots=True)
class Instance:
    name: str
    uuid: str
    node: str
    os: str
    disk_template: str
    admin_state: str  # up, down, offline: what Ganeti was told
    status: str  # running, ADMIN_down, ERROR_down, ERROR_nodeoffline, ...: what it found
    is_running: bool | None  # None: its node does not answer
    memory_mib: int
    vcpus: int
    nics: tuple[Nic, ...]
    disks: tuple[Disk, ...]
    tags: frozenset[str]
    serial_no: int
    created_at: float
    changed_at: float
    raw: Mapping[str, Any] = field(repr=False, compare=False, default_factory=dict)


def parse_instance(data: Mapping[str, Any]) -> Instance:
    nics = zip(
        data["nic.uuids"],
        data["nic.names"],
        data["nic.macs"],
        data["nic.ips"],
        data["nic.modes"],
        data["nic.links"],
        data["nic.networks.names"],
        strict=True,
    )
    disks = zip(data["disk.uuids"], data["disk.names"], data["disk.sizes"], strict=True)
    beparams = data["beparams"]
    return Instance(
        name=data["name"],
        uuid=data["uuid"],
        node=data["pnode"],
        os=data["os"],
        disk_template=data["disk_template"],
        admin_state=data["admin_state"],
        status=data["status"],
        is_running=data["oper_state"],
        memory_mib=beparams["maxmem"],
        vcpus=beparams["vcpus"],
        nics=tuple(Nic(*nic) for nic in nics),
        disks=tuple(Disk(*disk) for disk in disks),
        tags=frozenset(data["tags"]),
        serial_no=data["serial_no"],
        created_at=data["ctime"],
        changed_at=data["mtime"],
        raw=data,
    )


@dataclass(frozen=True, slots=True)
class Node:
    """Capacity figures are None when the node does not answer."""

    name: str
    uuid: str
    group_uuid: str
    role: str  # M master, C candidate, R regular, D drained, O offline
    is_offline: bool
    is_drained: bool
    is_vm_capable: bool
    memory_total_mib: int | None
    memory_free_mib: int | None
    disk_total_mib: int | None
    disk_free_mib: int | None
    cpus: int | None
    instances: tuple[str, ...]
    tags: frozenset[str]

    @property
    def is_usable(self) -> bool:
        """New instances may go there."""
        return self.is_vm_capable and not self.is_offline and not self.is_drained


def parse_node(data: Mapping[str, Any]) -> Node:
    return Node(
        name=data["name"],
        uuid=data["uuid"],
        group_uuid=data["group.uuid"],
        role=data["role"],
        is_offline=data["offline"],
        is_drained=data["drained"],
        is_vm_capable=data["vm_capable"],
        memory_total_mib=data["mtotal"],
        memory_free_mib=data["mfree"],
        disk_total_mib=data["dtotal"],
        disk_free_mib=data["dfree"],
        cpus=data["ctotal"],
        instances=tuple(data["pinst_list"]),
        tags=frozenset(data["tags"]),
    )


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    uuid: str
    alloc_policy: str
    nodes: tuple[str, ...]
    ipolicy: Mapping[str, Any]
    tags: frozenset[str]


def parse_group(data: Mapping[str, Any]) -> Group:
    return Group(
        name=data["name"],
        uuid=data["uuid"],
        alloc_policy=data["alloc_policy"],
        nodes=tuple(data["node_list"]),
        ipolicy=data["ipolicy"],
        tags=frozenset(data["tags"]),
    )


@dataclass(frozen=True, slots=True)
class InstanceSpec:
    """A new instance. Names are checked in the job, not by RAPI; without `node` the allocator chooses one."""

    name: str
    os: str
    memory_mib: int
    vcpus: int
    disk_template: str = "ext"
    disks: tuple[Mapping[str, Any], ...] = ()  # {"size": MiB, "name": ..., "provider": "archipelago"}
    nics: tuple[Mapping[str, Any], ...] = ()  # {"mode", "link", "mac", "name"}
    hypervisor: str | None = None
    node: str | None = None
    allocator: str | None = None
    group: str | None = None
    os_parameters: Mapping[str, Any] = field(default_factory=dict)
    hypervisor_parameters: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    is_started: bool = True
    is_installed: bool = True  # False: no OS script runs, and Ganeti does not start the instance either
    has_opportunistic_locking: bool = False

    def body(self) -> dict[str, Any]:
        """Without what is unset: RAPI refuses null for most parameters that have a default."""
        body: dict[str, Any] = {
            "__version__": 1,
            "mode": "create",
            "instance_name": self.name,
            "os_type": self.os,
            "disk_template": self.disk_template,
            "disks": [dict(disk) for disk in self.disks],
            "nics": [dict(nic) for nic in self.nics],
            "beparams": {"maxmem": self.memory_mib, "minmem": self.memory_mib, "vcpus": self.vcpus},
            "hvparams": dict(self.hypervisor_parameters),
            "osparams": dict(self.os_parameters),
            "tags": list(self.tags),
            "start": self.is_started,
            "no_install": not self.is_installed,
            "name_check": False,
            "ip_check": False,
            "conflicts_check": False,
            "wait_for_sync": False,
            "opportunistic_locking": self.has_opportunistic_locking,
        }
        optional = {
            "hypervisor": self.hypervisor,
            "pnode": self.node,
            "iallocator": self.allocator,
            "group_name": self.group,
        }
        return body | {key: value for key, value in optional.items() if value is not None}
