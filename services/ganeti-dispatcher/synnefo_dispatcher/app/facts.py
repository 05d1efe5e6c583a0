"""Facts about instances: as Ganeti shows them, as our own jobs leave them, and whether two differ.

A job of ours that succeeds changes what is known, so that the next sweep tells only what somebody else did.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synnefo_dispatcher.app.submit import rescue_of
from synnefo_dispatcher.domain import jobs as j
from synnefo_dispatcher.rapi import Instance

Facts = dict[str, Any]


def facts_of(instance: Instance) -> Facts:
    """The instance as `ganeti.instance.observed` tells it."""
    return {
        "admin_state": instance.admin_state,
        "oper_state": instance.is_running,
        "status": instance.status,
        "pnode": instance.node,
        "beparams": {"vcpus": instance.vcpus, "ram_mib": instance.memory_mib},
        "nics": [{"name": nic.name, "mac": nic.mac} for nic in instance.nics],
        "disks": [{"name": disk.name, "size_mib": disk.size_mib} for disk in instance.disks],
    }


def created(params: Mapping[str, Any], node: str | None) -> Facts:
    """What a creation leaves."""
    is_up = params.get("start", True)
    return {
        **_power(is_up=is_up),
        "pnode": node,
        "beparams": {"vcpus": params["vcpus"], "ram_mib": params["ram_mib"]},
        "nics": [{"name": nic.get("name"), "mac": nic.get("mac")} for nic in params.get("nics") or []],
        "disks": [{"name": disk.get("name"), "size_mib": disk.get("size_mib")} for disk in params.get("disks") or []],
    }


def _power(*, is_up: bool) -> Facts:
    if is_up:
        return {"admin_state": "up", "oper_state": True, "status": "running"}
    return {"admin_state": "down", "oper_state": False, "status": "ADMIN_down"}


def after(facts: Facts, verb: str, params: Mapping[str, Any]) -> Facts:
    """What a job that succeeded made of the facts before it."""
    if verb in (j.STARTUP, j.REBOOT):
        return {**facts, **_power(is_up=True)}
    if verb == j.SHUTDOWN:
        return {**facts, **_power(is_up=False)}
    if verb == j.MODIFY_BEPARAMS:
        return {**facts, "beparams": {**facts["beparams"], **{k: params[k] for k in ("vcpus", "ram_mib") if k in params}}}
    if verb == j.ADD_NIC:
        nic = params["nic"]
        return {**facts, "nics": [*facts["nics"], {"name": nic.get("name"), "mac": nic.get("mac")}]}
    if verb == j.ADD_DISK:
        disk = params["disk"]
        return {**facts, "disks": [*facts["disks"], {"name": disk.get("name"), "size_mib": disk.get("size_mib")}]}
    if verb == j.REMOVE_NIC:
        return {**facts, "nics": [nic for nic in facts["nics"] if nic["name"] != params["name"]]}
    if verb == j.REMOVE_DISK:
        return {**facts, "disks": [disk for disk in facts["disks"] if disk["name"] != params["name"]]}
    if verb == j.GROW_DISK:
        size = params["size_mib"]
        disks = [{**d, "size_mib": max(size, d["size_mib"])} if d["name"] == params["name"] else d for d in facts["disks"]]
        return {**facts, "disks": disks}
    if verb == j.MODIFY_NIC:
        nics = [{**nic, "mac": params["nic"].get("mac", nic["mac"])} if nic["name"] == params["name"] else nic for nic in facts["nics"]]
        return {**facts, "nics": nics}
    if verb == j.REINSTALL:
        return {**facts, **_power(is_up=bool(params.get("start", True)))}
    if verb in (j.MIGRATE, j.FAILOVER) and params.get("node"):
        return {**facts, "pnode": params["node"]}
    return facts


def differ(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether something that a server's owner could notice is different."""
    return _essence(old) != _essence(new)


def _essence(facts: Mapping[str, Any]) -> tuple[Any, ...]:
    return (
        facts["admin_state"],
        facts["status"],
        facts["pnode"],
        facts["beparams"]["vcpus"],
        facts["beparams"]["ram_mib"],
        sorted(str(nic["name"]) for nic in facts["nics"]),
        sorted((str(disk["name"]), int(disk["size_mib"] or 0)) for disk in facts["disks"]),
    )


def is_fulfilled(verb: str, params: Mapping[str, Any], instance: Instance | None, *, tag: str) -> bool:
    """Whether the instance is as the job should make it. A reboot leaves no trace, nor does a new installation: never."""
    if instance is None:
        return verb in j.REMOVALS
    if verb == j.CREATE:
        return tag in instance.tags
    if verb == j.STARTUP:
        return instance.is_running is True and instance.admin_state == "up"
    if verb == j.SHUTDOWN:
        return instance.is_running is not True and instance.admin_state == "down"
    if verb == j.MODIFY_BEPARAMS:
        return (instance.vcpus, instance.memory_mib) == (
            params.get("vcpus", instance.vcpus),
            params.get("ram_mib", instance.memory_mib),
        )
    if verb == j.ADD_NIC:
        return any(nic.name == params["nic"].get("name") for nic in instance.nics)
    if verb == j.REMOVE_NIC:
        return all(nic.name != params["name"] for nic in instance.nics)
    if verb == j.ADD_DISK:
        return any(disk.name == params["disk"].get("name") for disk in instance.disks)
    if verb == j.REMOVE_DISK:
        return all(disk.name != params["name"] for disk in instance.disks)
    if verb == j.GROW_DISK:
        return any(disk.name == params["name"] and disk.size_mib >= params["size_mib"] for disk in instance.disks)
    if verb == j.MODIFY_NIC:
        wanted = params["nic"]
        return any(nic.name == params["name"] and all(getattr(nic, k) == wanted[k] for k in ("mac", "ip") if k in wanted) for nic in instance.nics)
    if verb in (j.MIGRATE, j.FAILOVER):
        return instance.node == params.get("node")
    if verb in (j.ADD_TAGS, j.REMOVE_TAGS):
        tags = frozenset(params["tags"])
        return tags <= instance.tags if verb == j.ADD_TAGS else not tags & instance.tags
    if verb in (j.RESCUE, j.UNRESCUE):
        given = instance.raw.get("custom_hvparams") or {}
        return all(given.get(key, "") == value for key, value in rescue_of(verb, params).items())
    return False
