"""What jobs on one instance do: start, stop, reboot, remove, grow, move, reinstall, rename, tell.

Creation and modification have modules of their own.
"""

from typing import Any

from synnefo_fake_ganeti.instance_create import (
    INSTANCE_NAME,
    check_beparams,
    check_os,
    check_policy,
    human_size,
)
from synnefo_fake_ganeti.jobs import Log
from synnefo_fake_ganeti.problems import prereq
from synnefo_fake_ganeti.state import ClusterState, Record

MOBILE_TEMPLATES = ("diskless", "sharedfile", "ext")


def check_admin_state(instance: Record, allowed: tuple[str, ...], action: str) -> None:
    if instance["admin_state"] not in allowed:
        states = ", ".join(sorted(allowed))
        text = f"Instance '{instance['name']}' is marked to be {instance['admin_state']}, {action}"
        raise prereq(text.replace("STATES", states), "wrong_state")


USE = "can't use instance from outside STATES states"


def check_node_online(state: ClusterState, instance: Record) -> None:
    if state.node_is_offline(instance):
        raise prereq(f"Can't use offline node: {instance['pnode']}", "wrong_state")


def _run(state: ClusterState, instance: Record) -> None:
    beparams = state.beparams(instance)
    instance["is_running"] = True
    instance["oper_ram"] = beparams["maxmem"]
    instance["oper_vcpus"] = beparams["vcpus"]


def _check_memory(state: ClusterState, instance: Record, node: Record, reason: str) -> None:
    wanted, free = state.beparams(instance)["maxmem"], state.memory_free_mib(node)
    if wanted > free:
        text = f"Not enough memory on node {node['name']} for {reason}: needed {wanted} MiB, available {free} MiB"
        raise prereq(text, "insufficient_resources")


def startup(state: ClusterState, op: Record, _log: Log) -> None:
    instance = state.instance(op["instance_name"])
    check_beparams(op["beparams"])
    check_admin_state(instance, ("down", "up"), USE)
    check_node_online(state, instance)
    if not instance["is_running"]:
        node = state.nodes[instance["pnode"]]
        _check_memory(state, instance, node, f"starting instance {instance['name']}")
        _run(state, instance)
    if not op["no_remember"]:
        instance["admin_state"] = "up"
    state.save_instance(instance)


def shutdown(state: ClusterState, op: Record, _log: Log) -> None:
    instance = state.instance(op["instance_name"])
    if not op["force"]:
        check_admin_state(instance, ("down", "up"), USE)
    if not op["ignore_offline_nodes"]:
        check_node_online(state, instance)
    instance["is_running"] = False
    instance["oper_ram"] = instance["oper_vcpus"] = None
    if not op["no_remember"]:
        instance["admin_state"] = "down"
    state.save_instance(instance)


def reboot(state: ClusterState, op: Record, log: Log) -> None:
    instance = state.instance(op["instance_name"])
    check_admin_state(instance, ("down", "up"), USE)
    check_node_online(state, instance)
    if not instance["is_running"]:
        log(f" - INFO: Instance {instance['name']} was already stopped, starting now")
        _check_memory(state, instance, state.nodes[instance["pnode"]], f"starting instance {instance['name']}")
    _run(state, instance)
    instance["admin_state"] = "up"
    state.save_instance(instance)


def remove(state: ClusterState, op: Record, _log: Log) -> None:
    instance = state.instance(op["instance_name"])
    check_node_online(state, instance)
    state.forget_instance(instance["name"])


def grow_disk(state: ClusterState, op: Record, log: Log) -> None:
    instance = state.instance(op["instance_name"])
    check_node_online(state, instance)
    index, disks = op["disk"], instance["disks"]
    if index >= len(disks):
        text = f"Invalid disk index: {index} (instace has disks 0 to {len(disks) - 1}"
        raise prereq(text, "wrong_input")
    disk = disks[index]
    old = disk["size"]
    target = op["amount"] if op["absolute"] else old + op["amount"]
    if target < old:
        text = f"Requested size ({human_size(target)}) is smaller than current disk size ({human_size(old)})"
        raise prereq(text, "wrong_state")
    if not op["ignore_ipolicy"]:
        bound = [("disk-size", target, f"disk-size/{index}")]
        check_policy(state, bound, start=f"Growing disk {index} violates policy")
    log(f"Growing disk {index} of instance '{instance['name']}' by {human_size(target - old)} to {human_size(target)}")
    disk["size"] = target
    log(f" - INFO: Waiting for instance {instance['name']} to sync disks")
    log(f" - INFO: Instance {instance['name']}'s disks are in sync")
    state.save_instance(instance)


def _move(state: ClusterState, op: Record, log: Log, *, action: str) -> None:
    instance = state.instance(op["instance_name"])
    if instance["disk_template"] not in MOBILE_TEMPLATES:
        text = f"Instance's disk layout '{instance['disk_template']}' does not allow {action}"
        raise prereq(text, "wrong_state")
    if op["target_node"]:
        target = state.node(op["target_node"])
        if target["name"] == instance["pnode"]:
            verb = "migrate" if action == "migrations" else "failover"
            text = f"Cannot {verb} instance {instance['name']} to its primary ({target['name']})"
            raise prereq(text, "wrong_state")
        if target["offline"]:
            raise prereq(f"Can't use offline node: {target['name']}", "wrong_state")
        if target["drained"]:
            raise prereq(f"Can't use drained node: {target['name']}", "wrong_state")
    else:
        target = _choose_target(state, instance, op["iallocator"] or "hail-any")
    if action == "migrations" and not instance["is_running"]:
        raise prereq("Can't migrate, please use failover", "wrong_state")
    if instance["is_running"]:
        _check_memory(state, instance, target, f"migrating instance {instance['name']}")
    log(f" - INFO: Selected nodes for the instance: {target['name']}")
    instance["pnode"] = target["name"]
    if action == "failovers" and instance["admin_state"] == "up":
        _run(state, instance)
    state.save_instance(instance)


def _choose_target(state: ClusterState, instance: Record, allocator: str) -> Record:
    wanted = state.beparams(instance)["maxmem"]
    usable = [
        node
        for node in state.nodes.values()
        if node["name"] != instance["pnode"] and not node["offline"] and not node["drained"] and state.memory_free_mib(node) >= wanted
    ]
    if not usable:
        text = f"Can't compute nodes using iallocator '{allocator}': Request failed: Can't find any good node: "
        raise prereq(text, "insufficient_resources")
    return max(usable, key=state.memory_free_mib)


def migrate(state: ClusterState, op: Record, log: Log) -> None:
    check_node_online(state, state.instance(op["instance_name"]))
    _move(state, op, log, action="migrations")


def failover(state: ClusterState, op: Record, log: Log) -> None:
    _move(state, op, log, action="failovers")


def reinstall(state: ClusterState, op: Record, log: Log) -> None:
    instance = state.instance(op["instance_name"])
    check_node_online(state, instance)
    if not instance["disks"]:
        raise prereq(f"Instance '{instance['name']}' has no disks", "wrong_input")
    if instance["admin_state"] != "down":
        check_admin_state(instance, ("down",), "cannot reinstall")
    if op["os_type"] is not None:
        check_os(instance["pnode"], op["os_type"], op["osparams"] or {})
        log(f"Changing OS scripts to '{op['os_type']}'...")
        instance["os"] = op["os_type"]
    log(" - INFO: Running instance OS create scripts...")
    state.save_instance(instance)


def rename(state: ClusterState, op: Record, _log: Log) -> str:
    instance = state.instance(op["instance_name"])
    check_node_online(state, instance)
    if instance["admin_state"] == "up" and instance["is_running"]:
        check_admin_state(instance, ("down",), "cannot rename")
    new_name = str(op["new_name"]).lower()
    if op["name_check"]:
        raise prereq(f"The given name ({new_name}) does not resolve: Name or service not known", "resolver_error")
    if not INSTANCE_NAME.fullmatch(new_name):
        raise prereq(f"Invalid hostname '{new_name}'", "wrong_input")
    if new_name != instance["name"] and new_name in state.instances:
        raise prereq(f"Instance '{new_name}' is already in the cluster", "already_exists")
    rename_record(state, instance, new_name)
    return new_name


def rename_record(state: ClusterState, instance: Record, new_name: str) -> None:
    state.forget_instance(instance["name"])
    instance["name"] = new_name
    state.save_instance(instance)


def query_data(state: ClusterState, op: Record, _log: Log) -> dict[str, Any]:
    names = op["instances"] or sorted(state.instances)
    return {inst["name"]: _detail(state, inst, is_static=op["static"]) for inst in map(state.instance, names)}


def _detail(state: ClusterState, inst: Record, *, is_static: bool) -> dict[str, Any]:
    group = state.groups[state.nodes[inst["pnode"]]["group"]]
    run_state = None if is_static else ("up" if inst["is_running"] else "down")
    return {
        "name": inst["name"],
        "config_state": inst["admin_state"],
        "run_state": run_state,
        "pnode": inst["pnode"],
        "pnode_group_uuid": group["uuid"],
        "pnode_group_name": group["name"],
        "snodes": [],
        "os": inst["os"],
        "disk_template": inst["disk_template"],
        "disks": [
            {
                "iv_name": f"disk/{index}",
                "dev_type": inst["disk_template"],
                "mode": disk["mode"],
                "size": disk["size"],
                "name": disk["name"],
                "uuid": disk["uuid"],
            }
            for index, disk in enumerate(inst["disks"])
        ],
        "hypervisor": "fake",
        "be_instance": inst["beparams"],
        "be_actual": state.beparams(inst),
        "os_instance": inst["osparams"],
        "serial_no": inst["serial_no"],
        "mtime": inst["mtime"],
        "ctime": inst["ctime"],
        "uuid": inst["uuid"],
    }
