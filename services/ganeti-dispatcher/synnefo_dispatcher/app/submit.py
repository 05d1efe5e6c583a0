"""Each verb as a call of RAPI. First what must be known is asked; then the one call that Ganeti turns into a job."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from synnefo_dispatcher.domain import jobs as j
from synnefo_dispatcher.rapi import InstanceSpec, RapiClient

Call = Callable[[], Awaitable[int]]
NO_HOTPLUG = frozenset({"fake", "lxc", "chroot", "xen-pvm", "xen-hvm"})


@dataclass(frozen=True)
class Target:
    """What the cluster is like."""

    hypervisor: str | None
    nodes: Sequence[str]  # usable ones
    group_nodes: Mapping[str, Sequence[str]]  # of each node group
    allocator: str | None
    opportunistic: bool

    @property
    def hotplug(self) -> Literal["no", "if_possible"]:
        return "no" if self.hypervisor is None or self.hypervisor in NO_HOTPLUG else "if_possible"


class BadJob(Exception):
    """The parameters make no job: it fails without being submitted."""


async def prepare(
    client: RapiClient, verb: str, params: Mapping[str, Any], *, name: str, tag: str, reason: str, mark: str, target: Target
) -> Call:
    """The call to make, once. Raises BadJob, and RapiError of what had to be read first."""
    try:
        return await _prepare(client, verb, params, name=name, tag=tag, reason=reason, mark=mark, target=target)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadJob(f"parameters of {verb}: {type(error).__name__} {error}") from error


async def _prepare(
    client: RapiClient, verb: str, params: Mapping[str, Any], *, name: str, tag: str, reason: str, mark: str, target: Target
) -> Call:
    if verb == j.CREATE:
        spec = spec_of(params, name=name, tag=tag, target=target)
        return lambda: client.create_instance(spec, reason=reason)
    if verb == j.DELETE:
        return lambda: client.delete_instance(name, reason=reason)
    if verb == j.STARTUP:
        return lambda: client.startup(name, reason=reason)
    if verb == j.SHUTDOWN:
        return lambda: client.shutdown(name, reason=reason)
    if verb == j.REBOOT:
        kind: Literal["soft", "hard"] = "soft" if params.get("type") == "soft" else "hard"
        return lambda: client.reboot(name, reason=reason, kind=kind)
    if verb == j.MODIFY_BEPARAMS:
        beparams: dict[str, Any] = {}
        if "vcpus" in params:
            beparams["vcpus"] = int(params["vcpus"])
        if "ram_mib" in params:
            beparams |= {"maxmem": int(params["ram_mib"]), "minmem": int(params["ram_mib"])}
        return lambda: client.modify_instance(name, reason=reason, beparams=beparams)
    if verb == j.GROW_DISK:
        wanted, size = str(params["name"]), int(params["size_mib"])
        instance = await client.instance(name)
        index = next((i for i, disk in enumerate(instance.disks) if disk.name == wanted), None)
        if index is None:
            raise BadJob(f"the instance has no disk {wanted}")
        return lambda: client.grow_disk(name, index, size_mib=size, reason=reason)
    if verb in (j.ADD_NIC, j.REMOVE_NIC, j.MODIFY_NIC):
        nic = _nic_change(verb, params)
        return lambda: client.modify_instance(name, reason=reason, nics=[nic], hotplug=target.hotplug)
    if verb == j.ADD_DISK:
        disk = ("add", -1, disk_of(params["disk"]))
        return lambda: client.modify_instance(name, reason=reason, disks=[disk], hotplug=target.hotplug)
    if verb == j.REMOVE_DISK:
        gone: tuple[str, str, dict[str, Any]] = (await _removal(client, name, target), str(params["name"]), {})
        return lambda: client.modify_instance(name, reason=reason, disks=[gone], hotplug=target.hotplug)
    if verb == j.REINSTALL:
        await client.shutdown(name, reason=mark)  # harmless to repeat; and the guest has not two minutes to shut down by itself
        os, is_started = params.get("os"), bool(params.get("start", True))
        return lambda: client.reinstall(name, os=os, is_started=is_started)
    if verb in (j.RESCUE, j.UNRESCUE):
        hvparams = rescue_of(verb, params)
        return lambda: client.modify_instance(name, reason=reason, hvparams=hvparams)
    if verb in (j.MIGRATE, j.FAILOVER):
        node = params.get("node")
        if verb == j.FAILOVER:
            return lambda: client.failover(name, reason=reason, target=node)
        is_live = bool(params.get("live", True))
        return lambda: client.migrate(name, reason=reason, target=node, is_live=is_live)
    if verb in (j.ADD_TAGS, j.REMOVE_TAGS):
        tags = [str(tag) for tag in params["tags"]]
        if verb == j.ADD_TAGS:
            return lambda: client.add_instance_tags(name, tags, reason=reason)
        return lambda: client.delete_instance_tags(name, tags, reason=reason)
    raise BadJob(f"unknown verb {verb}")


def _nic_change(verb: str, params: Mapping[str, Any]) -> tuple[str, int | str, dict[str, Any]]:
    if verb == j.ADD_NIC:
        return "add", -1, nic_of(params["nic"])
    if verb == j.REMOVE_NIC:
        return "remove", str(params["name"]), {}
    return "modify", str(params["name"]), nic_of(params["nic"])


def rescue_of(verb: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Boot from a rescue image, or from the disk again. Holds from the next start."""
    if verb == j.RESCUE:
        return {"boot_order": "cdrom", "cdrom_image_path": str(params["image"])}
    return {"boot_order": "disk", "cdrom_image_path": ""}


async def _removal(client: RapiClient, name: str, target: Target) -> str:
    """Ganeti refuses to remove a disk from a running instance without hot-plug, but lets it be detached: the volume
    is ours to delete, so that is as good."""
    if target.hotplug != "no":
        return "remove"
    instance = await client.instance(name)
    return "detach" if instance.admin_state == "up" else "remove"


def spec_of(params: Mapping[str, Any], *, name: str, tag: str, target: Target) -> InstanceSpec:
    """A new instance. In a cluster or group of one node that node is named: Ganeti's allocator wants N+1 redundancy."""
    disks = [disk_of(disk) for disk in params.get("disks") or []]
    group = params.get("group")
    nodes = target.nodes if group is None else target.group_nodes.get(group, ())
    node = params.get("node") or (nodes[0] if len(nodes) == 1 else None)
    return InstanceSpec(
        name=name,
        os=str(params["os"]),
        memory_mib=int(params["ram_mib"]),
        vcpus=int(params["vcpus"]),
        disk_template="ext" if disks else "diskless",
        disks=tuple(disks),
        nics=tuple(nic_of(nic) for nic in params.get("nics") or []),
        hypervisor=target.hypervisor,
        node=node,
        allocator=None if node else target.allocator,
        group=None if node else group,
        os_parameters=dict(params.get("osparams") or {}),
        hypervisor_parameters=dict(params.get("hvparams") or {}),
        tags=tuple(dict.fromkeys([*(params.get("tags") or []), tag])),
        is_started=bool(params.get("start", True)),
        has_opportunistic_locking=node is None and target.opportunistic and params.get("opportunistic", True),
    )


def nic_of(nic: Mapping[str, Any]) -> dict[str, Any]:
    """A NIC in Ganeti's words; what is unset is left out. A network brings its own mode and link."""
    keys = ("name", "mac", "ip", "network") if nic.get("network") else ("name", "mac", "ip", "mode", "link")
    return {key: nic[key] for key in keys if nic.get(key) is not None}


def disk_of(disk: Mapping[str, Any]) -> dict[str, Any]:
    """A disk in Ganeti's words; further keys (`origin`) are the provider's."""
    extra = {key: value for key, value in disk.items() if key not in ("size_mib", "size") and value is not None}
    return {"size": int(disk["size_mib"]), **extra}
