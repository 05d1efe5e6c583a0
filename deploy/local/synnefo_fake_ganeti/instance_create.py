"""What an INSTANCE_CREATE job checks and does.

The checks stand in the order of the real one, so that a request with two faults fails with the same error.
"""

import ipaddress
import re
from typing import Any

from synnefo_fake_ganeti import answers
from synnefo_fake_ganeti.jobs import Log
from synnefo_fake_ganeti.network_ops import pick_address
from synnefo_fake_ganeti.problems import JobError, execution, prereq
from synnefo_fake_ganeti.state import BRIDGES, DEFAULT_BEPARAMS, DEFAULT_NICPARAMS, ClusterState, Record

INSTANCE_NAME = re.compile(r"(?!\.)(?!.*\.\.)[a-z0-9._-]{1,255}")
TAG = re.compile(r"[\w.+*/:@-]+")
MAC = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}")
OPERATING_SYSTEMS: dict[str, list[str]] = {
    "synnefo-image": ["img_id", "img_format", "img_properties"],
}
PROVIDERS = ("archipelago",)
ALLOCATORS = ("hail", "hail-any")
DISK_KEYS = frozenset({"size", "mode", "adopt", "vg", "metavg", "provider", "name", "spindles", "type", "access"})


def check_tags(tags: list[str]) -> None:
    for tag in tags:
        if not tag:
            raise JobError("TagError", "Tags cannot be empty")
        if len(tag) > 128:
            raise JobError("TagError", "Tag too long (>128 characters)")
        if not TAG.fullmatch(tag):
            raise JobError("TagError", "Tag contains invalid characters")


def check_device_names(kind: str, names: list[Any]) -> None:
    seen = set()
    for name in names:
        if name is None or str(name).lower() == "none":
            continue
        if str(name).isdigit():
            raise prereq(f"Invalid name '{name}'. Purely numeric {kind} names are not allowed", "wrong_input")
        if name in seen:
            raise prereq(f"{kind} name '{name}' already used", "resource_not_unique")
        seen.add(name)


def check_beparams(beparams: Record) -> Record:
    """Known names and whole numbers; "default" and null take the cluster's value."""
    for name, value in beparams.items():
        if name not in DEFAULT_BEPARAMS:
            raise JobError("TypeEnforcementError", f"Unknown parameter '{name}'")
        if value is None or value == "default" or isinstance(DEFAULT_BEPARAMS[name], bool):
            continue
        if isinstance(value, bool) or not str(value).lstrip("-").isdigit():
            raise JobError("TypeEnforcementError", f"'{name}' (value {value}) is not a valid integer")
    kept = {name: value for name, value in beparams.items() if value is not None and value != "default"}
    return {k: v if isinstance(DEFAULT_BEPARAMS[k], bool) else int(v) for k, v in kept.items()}


def check_hvparams(hvparams: Record) -> None:
    for name in hvparams:
        if name != "migration_mode":
            raise JobError("TypeEnforcementError", f"Unknown parameter '{name}'")


def check_policy(state: ClusterState, values: list[tuple[str, int, str]], *, start: str | None = None) -> None:
    """Each `(bound, value, label)` inside the bounds of the group's instance policy."""
    group = next(iter(state.groups.values()))
    prefix = start or f"Instance allocation to group {group['uuid']} ({group['name']}) violates policy"
    for bound, value, label in values:
        low, high = answers.BOUNDS[bound]
        if not low <= value <= high:
            raise prereq(f"{prefix}: {label} value {value} is not in range [{low}, {high}]", "wrong_input")


def check_os(node_name: str, os_type: str, osparams: Record) -> None:
    start = f"OS Parameters validation failed on node {node_name}"
    name, _, variant = os_type.partition("+")
    if name not in OPERATING_SYSTEMS:
        raise execution(f"{start}: Directory for OS {name} not found in search path")
    if not variant:
        raise execution(f"{start}: OS name '{name}' must include a variant")
    if variant != "default":
        raise execution(f"{start}: OS '{name}' does not support variant '{variant}'")
    unknown = [key for key in osparams if key not in OPERATING_SYSTEMS[name]]
    if unknown:
        raise execution(f"{start}: The following parameters are not supported by the OS {name}: {', '.join(unknown)}")


def make_nic(state: ClusterState, given: Record, node: Record, log: Log, *, is_new_instance: bool) -> Record:
    """A NIC from its settings, its address and MAC chosen where asked; nothing is recorded yet."""
    network = None if not given.get("network") else state.network(given["network"])
    address = given.get("ip")
    if address is not None and address.lower() in ("none", ""):
        address = None
    if address == "pool" and network is None:
        text = "if ip=pool, parameter network must be passed too"
        raise prereq(text if is_new_instance else "If ip=pool, parameter network cannot be none", "wrong_input")
    if address is not None and address != "pool":
        try:
            ipaddress.ip_address(address)
        except ValueError:
            raise prereq(f"Invalid IP address '{address}'", "wrong_input") from None
    mac = given.get("mac") or "auto"
    if mac not in ("auto", "generate"):
        mac = mac.lower()
        if not MAC.fullmatch(mac) or int(mac[:2], 16) & 1:
            raise prereq(f"Invalid MAC address '{given['mac']}'", "wrong_input")
    params = {key: given[key] for key in ("mode", "link", "vlan") if given.get(key) is not None}
    if network is not None and params:
        raise prereq("If network is given, no mode or link is allowed to be passed", "wrong_input")
    if params.get("mode", "bridged") not in ("bridged", "routed", "openvswitch"):
        raise JobError("ConfigurationError", f"Invalid NIC mode '{params['mode']}'")
    prefix = None
    if network is not None:
        params = _network_params(network, node, is_new_instance=is_new_instance)
        prefix = network["mac_prefix"]
        if address is not None:
            address = pick_address(state, network, address, log)
    if not is_new_instance:
        params = {**DEFAULT_NICPARAMS, **params}
    if mac in ("auto", "generate"):
        mac = state.new_mac(prefix)
    elif state.is_mac_used(mac):
        quoted = mac if is_new_instance else f"'{mac}'"
        raise prereq(f"MAC address {quoted} already in use in cluster", "resource_not_unique")
    _check_bridge(node, params)
    return {
        "uuid": state.new_uuid(),
        "name": given.get("name"),
        "mac": mac,
        "ip": address,
        "network": None if network is None else network["uuid"],
        "params": params,
    }


def _network_params(network: Record, node: Record, *, is_new_instance: bool) -> Record:
    link = network["groups"].get(node["group"])
    if link is not None:
        return dict(link)
    if is_new_instance:
        text = f"No netparams found for network {network['name']}."
        text += f" Probably not connected to node's {node['name']} nodegroup"
        raise prereq(text, "wrong_input")
    raise prereq(f"No netparams found for the network {network['name']}, probably not connected", "wrong_input")


def _check_bridge(node: Record, params: Record) -> None:
    merged = {**DEFAULT_NICPARAMS, **params}
    if merged["mode"] == "bridged" and merged["link"] not in BRIDGES:
        text = f"Error checking bridges on destination node '{node['name']}': Missing bridges {merged['link']}"
        raise prereq(text, "environment_error")


def make_disk(state: ClusterState, given: Record, template: str, *, missing_size: str) -> Record:
    if template == "ext" and not given.get("provider"):
        raise prereq("Missing provider for template 'ext'", "wrong_input")
    if template != "ext" and given.get("provider"):
        text = f"The 'provider' option is only valid for the ext disk template, not {template}"
        raise prereq(text, "wrong_input")
    if given.get("size") is None:
        raise prereq(missing_size, "wrong_input")
    if template != "ext":
        for key in given:
            if key not in DISK_KEYS:
                raise JobError("TypeEnforcementError", f"Unknown parameter '{key}'")
    size = int(given["size"])
    if size < 0:
        raise JobError("TypeEnforcementError", f"'size' (value {size}) is not a valid size. error: Invalid format")
    if template in ("file", "sharedfile"):
        size = -(-size // 4) * 4
    return {
        "uuid": state.new_uuid(),
        "name": given.get("name"),
        "size": size,
        "mode": given.get("mode") or "rw",
        "provider": given.get("provider"),
        "params": {key: value for key, value in given.items() if key not in DISK_KEYS},
    }


def check_provider(disk: Record, index: int, node_name: str, instance_name: str) -> None:
    """An unknown provider shows only when the node tries to make the disk."""
    if disk["provider"] is None or disk["provider"] in PROVIDERS:
        return
    device = (
        f"<Disk(type=ext, logical_id=('{disk['provider']}', '{disk['uuid']}.ext.disk{index}'),"
        f" children=None, visible as /dev/disk/{index}, size={disk['size']}m)>"
    )
    reason = f"Directory for External Storage Provider {disk['provider']} not found in search path"
    raise execution(f"Can't create block device {device} on node {node_name} for instance {instance_name}: Can't create block device: {reason}")


def human_size(mib: int) -> str:
    return f"{mib / 1024:.1f}G" if mib >= 1024 else f"{mib}M"


def _choose_node(state: ClusterState, op: Record, memory_mib: int, log: Log) -> Record:
    if op["pnode"] and op["iallocator"]:
        raise prereq("Do not specify both, iallocator and node", "wrong_input")
    if op["pnode"]:
        node = state.node(op["pnode"])
        for flaw in ("offline", "drained"):
            if node[flaw]:
                raise prereq(f"Cannot use {flaw} primary node '{node['name']}'", "wrong_state")
        if not node["vm_capable"]:
            raise prereq(f"Cannot use non-vm_capable primary node '{node['name']}'", "wrong_state")
        return node
    allocator = op["iallocator"] or "hail-any"
    if allocator not in ALLOCATORS:
        text = f"iallocator module '{allocator}' not found in the search path"
        raise execution(f"Failure while running the iallocator script: {text}")
    group = state.group(op["group_name"])["uuid"] if op["group_name"] else None
    usable = [n for n in state.nodes.values() if n["vm_capable"] and not n["offline"] and not n["drained"] and group in (None, n["group"])]
    fitting = [node for node in usable if state.memory_free_mib(node) >= memory_mib]
    if not fitting:
        reason = f"FailMem: {len(usable)}" if usable else ""
        text = f"Group default (preferred): No valid allocation solutions, failure reasons: {reason}"
        raise prereq(f"Can't compute nodes using iallocator '{allocator}': Request failed: {text}", "insufficient_resources")
    node = max(fitting, key=state.memory_free_mib)
    log(f" - INFO: Selected nodes for instance {op['instance_name']} via iallocator {allocator}: {node['name']}")
    return node


def create_instance(state: ClusterState, op: Record, log: Log) -> list[str]:
    """The result of the real one: the list of the instance's nodes."""
    is_started = op["start"]
    if op["no_install"] and is_started:
        log(" - INFO: No-installation mode selected, disabling startup")
        is_started = False
    name = op["instance_name"].lower()
    if not INSTANCE_NAME.fullmatch(name):
        raise prereq(f"Invalid hostname '{op['instance_name']}'", "wrong_input")
    check_device_names("NIC", [nic.get("name") for nic in op["nics"]])
    check_device_names("disk", [disk.get("name") for disk in op["disks"]])
    if op["ip_check"] and not op["name_check"]:
        raise prereq("Cannot do IP address check without a name check", "wrong_input")
    if op["name_check"]:
        raise prereq(f"The given name ({name}) does not resolve: Name or service not known", "resolver_error")
    template = op["disk_template"] or ("ext" if any("provider" in disk for disk in op["disks"]) else "diskless")
    if template not in answers.ENABLED_TEMPLATES:
        enabled = ",".join(answers.ENABLED_TEMPLATES)
        raise prereq(f"Disk template '{template}' is not enabled in cluster. Enabled disk templates are: {enabled}")
    if not op["os_type"]:
        raise prereq("No guest OS or OS image specified", "wrong_input")
    if name in state.instances:
        raise prereq(f"Instance '{name}' is already in the cluster", "already_exists")
    given_disks = [] if template == "diskless" else op["disks"]
    disks = [make_disk(state, given, template, missing_size="Missing disk size") for given in given_disks]
    beparams = check_beparams(op["beparams"])
    effective = {**DEFAULT_BEPARAMS, **beparams}
    node = _choose_node(state, op, effective["maxmem"], log)
    hypervisor = op["hypervisor"] or "fake"
    if hypervisor != "fake":
        raise prereq(f"Selected hypervisor ({hypervisor}) not enabled in the cluster (fake)", "wrong_state")
    check_hvparams(op["hvparams"])
    check_tags(op["tags"])
    nics: list[Record] = []
    for given in op["nics"]:
        nic = make_nic(state, given, node, log, is_new_instance=True)
        if nic["mac"] in [other["mac"] for other in nics]:
            raise prereq(f"MAC address {nic['mac']} already in use in cluster", "resource_not_unique")
        nics.append(nic)
    if not op["ignore_ipolicy"]:
        memory = -(-effective["maxmem"] // 64) * 64 if effective["maxmem"] > 32768 else effective["maxmem"]
        values = [("memory-size", memory, "memory-size"), ("cpu-count", effective["vcpus"], "cpu-count")]
        values += [("disk-count", len(disks), "disk-count"), ("nic-count", len(nics), "nic-count")]
        values += [("disk-size", disk["size"], f"disk-size/{index}") for index, disk in enumerate(disks)]
        check_policy(state, values)
    check_os(node["name"], op["os_type"], op["osparams"])
    free = state.memory_free_mib(node)
    if is_started and effective["maxmem"] > free:
        text = f"needed {effective['maxmem']} MiB, available {free} MiB"
        raise prereq(f"Not enough memory on node {node['name']} for creating instance {name}: {text}", "insufficient_resources")
    for index, disk in enumerate(disks):
        log(f"* disk {index}, size {human_size(disk['size'])}")
    log("* creating instance disks...")
    for index, disk in enumerate(disks):
        check_provider(disk, index, node["name"], name)
    log(f"adding instance {name} to cluster config")
    log("adding disks to cluster config")
    if disks and not op["no_install"]:
        log("* running the instance OS create scripts...")
    if is_started:
        log("* starting instance...")
    instance: Record = {
        "name": name,
        "uuid": state.new_uuid(),
        "os": op["os_type"],
        "pnode": node["name"],
        "disk_template": template if disks else "diskless",
        "admin_state": "up" if is_started else "down",
        "is_running": is_started,
        "oper_ram": effective["maxmem"] if is_started else None,
        "oper_vcpus": effective["vcpus"] if is_started else None,
        "nics": nics,
        "disks": disks,
        "beparams": beparams,
        "hvparams": op["hvparams"],
        "osparams": op["osparams"],
        "tags": op["tags"],
    }
    state.save_instance(instance)
    op["pnode"] = node["name"]
    op["pnode_uuid"] = node["uuid"]
    return [node["name"]]
