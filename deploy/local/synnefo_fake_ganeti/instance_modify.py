"""What an INSTANCE_SET_PARAMS job checks and does: NICs, disks, back-end parameters, administrative state.

The fake hypervisor cannot hot-plug, so a request for it fails here as it does on a real cluster with that hypervisor.
"""

import copy
from typing import Any

from synnefo_fake_ganeti.instance_create import (
    check_beparams,
    check_device_names,
    check_hvparams,
    check_policy,
    check_provider,
    human_size,
    make_disk,
    make_nic,
)
from synnefo_fake_ganeti.instance_ops import check_admin_state, check_node_online
from synnefo_fake_ganeti.jobs import Log
from synnefo_fake_ganeti.problems import JobError, execution, prereq
from synnefo_fake_ganeti.state import ClusterState, Record

NO_HOTPLUG = "Hotplug is not supported: Hotplug is not supported by this hypervisor"
Change = tuple[str, Any, Record]
Result = list[list[Any]]


def _upgrade(kind: str, changes: list[list[Any]]) -> list[Change]:
    """The older form, `[op or index, settings]`, brought to the newer."""
    upgraded: list[Change] = []
    count = 0
    for change in changes:
        if len(change) == 3:
            upgraded.append((change[0], change[1], change[2]))
            continue
        op, settings = change
        if isinstance(op, str):
            count += 1
            if count > 1:
                text = f"Only one {kind} add/attach/remove/detach operation is supported at a time"
                raise prereq(text, "wrong_input")
            upgraded.append((op, -1, settings))
        else:
            upgraded.append(("modify", op, settings))
    for op, _, settings in upgraded:
        if op in ("remove", "detach") and settings:
            raise prereq(f"No settings should be passed when removing or detaching a {kind}", "wrong_input")
    return upgraded


def _find(kind: str, items: list[Record], wanted: Any) -> int:
    """The index of an item named by index, -1 for the last, name or uuid."""
    try:
        index = int(wanted)
    except ValueError:
        for position, item in enumerate(items):
            if wanted in (item["name"], item["uuid"]):
                return position
        if kind == "disk":
            raise prereq(f"Lookup of disk {wanted!r} failed") from None
        raise prereq(f"Cannot find {kind} with identifier {wanted}", "unknown_entity") from None
    if index == -1:
        index = len(items) - 1
    if index < 0 or index >= len(items):
        raise execution(f"Got {kind} index {wanted}, but there are only {len(items)}")
    return index


def _insert_at(items: list[Record], wanted: Any) -> int:
    index = int(wanted) if str(wanted).lstrip("-").isdigit() else -1
    return len(items) if index in (-1, len(items)) else index


def _change_nics(state: ClusterState, inst: Record, changes: list[Change], log: Log, result: Result) -> None:
    nics, node = inst["nics"], state.nodes[inst["pnode"]]
    for op, where, settings in changes:
        if op in ("attach", "detach"):
            raise prereq(f"{op.capitalize()} operation is not supported for NICs", "wrong_input")
        if op == "remove":
            index = _find("NIC", nics, where)
            del nics[index]
            result.append([f"NIC/{index}", "remove"])
        elif op == "add":
            nic = make_nic(state, settings, node, log, is_new_instance=False)
            index = _insert_at(nics, where)
            nics.insert(index, nic)
            result.append([f"nic.{index}", _describe_nic(state, nic)])
        else:
            index = _find("NIC", nics, where)
            result.extend(_modify_nic(state, nics[index], index, settings))
    check_device_names("NIC", [nic["name"] for nic in nics])
    if len(nics) > 8:
        text = f"Instance has too many network interfaces ({len(nics)}), cannot add more"
        raise prereq(text, "wrong_state")


def _describe_nic(state: ClusterState, nic: Record) -> str:
    network = state.networks[nic["network"]]["name"] if nic["network"] else None
    params = nic["params"]
    return f"add:mac={nic['mac']},ip={nic['ip']},mode={params['mode']},link={params['link']},network={network}"


def _modify_nic(state: ClusterState, nic: Record, index: int, settings: Record) -> Result:
    result: Result = []
    for key in ("mac", "ip", "name"):
        if key not in settings:
            continue
        value = settings[key]
        if key == "mac":
            if value == "auto":
                text = "'auto' is not a valid MAC address when modifying an existing NIC"
                raise prereq(text, "wrong_input")
            if value != nic["mac"] and state.is_mac_used(value):
                raise prereq(f"MAC address '{value}' already in use in cluster", "resource_not_unique")
        nic[key] = None if value in (None, "none") else value
        result.append([f"nic.{key}/{index}", nic[key]])
    nic["params"] = {
        "vlan": "",
        **nic["params"],
        **{k: v for k, v in settings.items() if k in ("mode", "link", "vlan")},
    }
    result.extend([f"nic.{key}/{index}", nic["params"].get(key)] for key in ("link", "mode", "vlan"))
    return result


def _change_disks(state: ClusterState, inst: Record, changes: list[Change], log: Log, result: Result) -> None:
    disks, template = inst["disks"], inst["disk_template"]
    made = [_prepare_disk(state, inst, change) for change in changes]
    added = [disk for disk in made if disk is not None]
    check_device_names("disk", [disk["name"] for disk in [*disks, *added]])
    if any(op == "remove" for op, _, _ in changes):
        action = "can't remove volume from a running instance without using hotplug"
        check_admin_state(inst, ("down", "offline"), action)
    check_policy(state, [("disk-count", len(disks) + len(added), "disk-count")])
    for (op, where, settings), disk in zip(changes, made, strict=True):
        if op in ("add", "attach") and disk is not None:
            index = _insert_at(disks, where)
            if op == "add":
                log(f"* disk {index}, size {human_size(disk['size'])}")
                check_provider(disk, index, inst["pnode"], inst["name"])
                log(f" - INFO: Waiting for instance {inst['name']} to sync disks")
                log(f" - INFO: Instance {inst['name']}'s disks are in sync")
            else:
                state.forget("disks", disk["uuid"])
                inst["disk_template"] = disk.pop("template")
            disks.insert(index, disk)
            result.append([f"disk/{index}", f"{op}:size={disk['size']},mode={disk['mode']}"])
        elif op in ("remove", "detach"):
            index = _find("disk", disks, where)
            gone = disks.pop(index)
            if op == "detach":
                state.save("disks", gone["uuid"], {**gone, "template": template})
            result.append([f"disk/{index}", op])
        else:
            index = _find("disk", disks, where)
            result.extend(_modify_disk(disks[index], index, settings))
    if not disks:
        inst["disk_template"] = "diskless"


def _prepare_disk(state: ClusterState, inst: Record, change: Change) -> Record | None:
    """What is checked for one change before anything is done; the disk that it brings."""
    op, where, settings = change
    if op == "add":
        if inst["disk_template"] == "diskless":
            raise prereq("Must specify disk type on diskless instance", "wrong_input")
        missing = "Required disk parameter 'size' missing"
        return make_disk(state, settings, inst["disk_template"], missing_size=missing)
    if op == "attach":
        return _find_loose(state, inst, settings)
    if op == "modify":
        _check_disk_settings(inst, settings)
    if isinstance(where, str) and not where.lstrip("-").isdigit():
        _find("disk", inst["disks"], where)
    return None


def _find_loose(state: ClusterState, inst: Record, settings: Record) -> Record:
    """The disk to attach. Ganeti asks for a provider and then allows no second setting: an `ext` instance gets none."""
    template = inst["disk_template"]
    if template == "ext":
        raise prereq("Missing provider for template 'ext'", "wrong_input")
    if len(settings) != 1 or not {"uuid", "name"} & set(settings):
        raise prereq("Only one argument is permitted in attach op, either name or uuid", "wrong_input")
    key, wanted = next(iter(settings.items()))
    loose = next((disk for disk in state.loose_disks.values() if disk[key] == wanted), None)
    if loose is None:
        word = "UUID" if key == "uuid" else "name"
        raise prereq(f"No disk was found with this {word}: {wanted}", "wrong_input")
    if template not in ("diskless", loose["template"]):
        text = f"Instance has '{template}' template while disk has '{loose['template']}' template"
        raise prereq(text, "wrong_input")
    return loose


def _check_disk_settings(inst: Record, settings: Record) -> None:
    if "size" in settings:
        raise prereq("Disk size change not possible, use grow-disk", "wrong_input")
    for key in settings:
        if inst["disk_template"] == "ext" and key in ("access", "provider"):
            raise prereq(f"Disk '{key}' parameter change is not possible", "wrong_input")
        if inst["disk_template"] != "ext" and key not in ("name", "mode", "spindles"):
            raise JobError("TypeEnforcementError", f"Unknown parameter '{key}'")


def _modify_disk(disk: Record, index: int, settings: Record) -> Result:
    result: Result = []
    for key in ("mode", "name"):
        if key in settings:
            value = settings[key]
            disk[key] = None if str(value).lower() == "none" else value
            result.append([f"disk.{key}/{index}", disk[key]])
    return result


def _change_beparams(state: ClusterState, inst: Record, given: Record, *, is_forced: bool, result: Result) -> None:
    check_beparams(given)
    old = state.beparams(inst)
    merged = {**inst["beparams"], **given}
    inst["beparams"] = check_beparams(merged)
    new = state.beparams(inst)
    bounds = [("memory-size", new["maxmem"], "memory-size"), ("cpu-count", new["vcpus"], "cpu-count")]
    check_policy(state, bounds)
    if new["maxmem"] > old["maxmem"] and not is_forced:
        missing = new["maxmem"] - (inst["oper_ram"] or 0) - state.memory_free_mib(state.nodes[inst["pnode"]])
        if missing > 0:
            raise prereq(
                f"This change will prevent the instance from starting, due to {missing} MB of memory missing on its primary node",
                "insufficient_resources",
            )
    result.extend([f"be/{key}", value] for key, value in given.items())


def _change_admin_state(inst: Record, *, is_offline: bool, result: Result) -> None:
    if is_offline:
        if inst["admin_state"] != "offline":
            check_admin_state(inst, ("down",), "can't change to offline without being down first")
        inst["admin_state"] = "offline"
    else:
        if inst["admin_state"] != "down":
            check_admin_state(inst, ("offline",), "can't change to online without being offline first")
        inst["admin_state"] = "down"
    result.append(["admin_state", inst["admin_state"]])


def set_params(state: ClusterState, op: Record, log: Log) -> Result:
    nics, disks = _upgrade("NIC", op["nics"]), _upgrade("disk", op["disks"])
    wants = (nics, disks, op["beparams"], op["hvparams"], op["osparams"], op["os_name"], op["disk_template"])
    if not any(wants) and op["offline"] is None and op["runtime_mem"] is None and op["pnode"] is None:
        raise prereq("No changes submitted", "wrong_input")
    found = state.instance(op["instance_name"])
    check_node_online(state, found)
    if op["hotplug"]:
        raise prereq(f"Hotplug is not possible: {NO_HOTPLUG}: {NO_HOTPLUG}", "wrong_state")
    if op["hotplug_if_possible"]:
        log(f" - WARNING: {NO_HOTPLUG}")
        log(" - INFO: Modification will take place without hotplugging.")
    if op["disk_template"] is not None:
        text = f"Conversion from the '{found['disk_template']}' disk template is not supported"
        raise prereq(text, "wrong_input")
    inst = copy.deepcopy(found)
    result: Result = []
    check_hvparams(op["hvparams"])
    if disks:
        _change_disks(state, inst, disks, log, result)
    if op["beparams"]:
        _change_beparams(state, inst, op["beparams"], is_forced=op["force"], result=result)
    if nics:
        _change_nics(state, inst, nics, log, result)
    if op["runtime_mem"] is not None:
        _change_memory(state, inst, op["runtime_mem"], is_forced=op["force"], result=result)
    if op["os_name"]:
        inst["os"] = op["os_name"]
    if op["osparams"]:
        inst["osparams"] = {**inst["osparams"], **op["osparams"]}
        result.extend([f"os/{key}", value] for key, value in op["osparams"].items())
    if op["offline"] is not None:
        _change_admin_state(inst, is_offline=op["offline"], result=result)
    state.save_instance(inst)
    return result


def _change_memory(state: ClusterState, inst: Record, wanted: int, *, is_forced: bool, result: Result) -> None:
    if not inst["is_running"]:
        raise prereq(f"Instance {inst['name']} is not running", "wrong_state")
    beparams = state.beparams(inst)
    if not is_forced and not beparams["minmem"] <= wanted <= beparams["maxmem"]:
        low, high = beparams["minmem"], beparams["maxmem"]
        text = f"Instance {inst['name']} must have memory between {low} and {high} MB of memory unless --force is given"
        raise prereq(text, "wrong_input")
    inst["oper_ram"] = wanted
    result.append(["runtime_memory", wanted])
