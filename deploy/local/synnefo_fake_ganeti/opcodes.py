"""The opcodes that RAPI can submit: their parameters, and the building of one from a request.

For: refusing at the door what the real RAPI refuses there, with the same words. Not for: carrying anything out.
"""

import copy
import ipaddress
from typing import Any, NamedTuple

from synnefo_fake_ganeti import params as p
from synnefo_fake_ganeti.problems import HttpProblem


class Param(NamedTuple):
    default: Any
    check: p.Check


REQUIRED = None  # Ganeti's own way: a required parameter is one whose default does not pass its check

_MAYBE_NAME = Param(None, p.maybe(p.is_non_empty_string))
_TRUE, _FALSE = Param(True, p.is_bool), Param(False, p.is_bool)
_MAYBE_BOOL = Param(None, p.maybe(p.is_bool))
_DICT = Param({}, p.is_dict)
_MAYBE_DICT = Param(None, p.maybe(p.is_dict))
_TIMEOUT = Param(120, p.is_non_negative)
_INSTANCE = Param(REQUIRED, p.is_string)
_NAME = Param(REQUIRED, p.is_non_empty_string)
_TAGS = Param([], p.list_of(p.is_non_empty_string))
_TEMPLATE = Param(None, p.maybe(p.one_of(*p.DISK_TEMPLATES)))
_DRIVER = Param(None, p.maybe(p.one_of("blktap", "loop", "blktap2")))

COMMON: dict[str, Param] = {
    "dry_run": _MAYBE_BOOL,
    "debug_level": Param(None, p.maybe(p.is_non_negative)),
    "priority": Param(0, p.one_of(0, 10, -10)),
    "depends": Param(None, p.maybe(p.is_dependency_list)),
    "comment": Param(None, p.maybe(p.is_string)),
    "reason": Param([], p.maybe(p.is_list)),
}

_TARGET = {"instance_name": _INSTANCE, "instance_uuid": _MAYBE_NAME}
_TAG_OP = {
    "kind": Param(REQUIRED, p.one_of("instance", "network", "node", "cluster", "nodegroup")),
    "tags": Param(REQUIRED, p.list_of(p.is_string)),
    "name": Param(None, p.maybe(p.is_string)),
}

OPCODES: dict[str, dict[str, Param]] = {
    "OP_INSTANCE_CREATE": {
        "instance_name": _INSTANCE,
        "force_variant": _FALSE,
        "wait_for_sync": _TRUE,
        "name_check": _TRUE,
        "ignore_ipolicy": _FALSE,
        "opportunistic_locking": _FALSE,
        "beparams": _DICT,
        "disks": Param(REQUIRED, p.list_of(p.is_disk)),
        "disk_template": _TEMPLATE,
        "group_name": _MAYBE_NAME,
        "file_driver": _DRIVER,
        "file_storage_dir": _MAYBE_NAME,
        "hvparams": _DICT,
        "hypervisor": Param(None, p.maybe(p.one_of(*p.HYPERVISORS))),
        "iallocator": _MAYBE_NAME,
        "identify_defaults": _FALSE,
        "ip_check": _TRUE,
        "conflicts_check": _TRUE,
        "mode": Param(REQUIRED, p.one_of("import", "remote-import", "create")),
        "nics": Param(REQUIRED, p.list_of(p.is_nic)),
        "no_install": _MAYBE_BOOL,
        "osparams": _DICT,
        "osparams_private": _MAYBE_DICT,
        "osparams_secret": _MAYBE_DICT,
        "os_type": _MAYBE_NAME,
        "pnode": _MAYBE_NAME,
        "pnode_uuid": _MAYBE_NAME,
        "snode": _MAYBE_NAME,
        "snode_uuid": _MAYBE_NAME,
        "source_handshake": Param(None, p.maybe(p.is_list)),
        "source_instance_name": _MAYBE_NAME,
        "source_shutdown_timeout": _TIMEOUT,
        "source_x509_ca": _MAYBE_NAME,
        "src_node": _MAYBE_NAME,
        "src_node_uuid": _MAYBE_NAME,
        "src_path": _MAYBE_NAME,
        "compress": Param("none", p.is_string),
        "start": _TRUE,
        "forthcoming": _FALSE,
        "commit": _FALSE,
        "tags": _TAGS,
        "instance_communication": _FALSE,
        "helper_startup_timeout": Param(None, p.maybe(p.is_int)),
        "helper_shutdown_timeout": Param(None, p.maybe(p.is_int)),
    },
    "OP_INSTANCE_REMOVE": {**_TARGET, "shutdown_timeout": _TIMEOUT, "ignore_failures": _FALSE},
    "OP_INSTANCE_STARTUP": {
        **_TARGET,
        "force": _FALSE,
        "ignore_offline_nodes": _FALSE,
        "hvparams": _DICT,
        "beparams": _DICT,
        "no_remember": _FALSE,
        "startup_paused": _FALSE,
        "shutdown_timeout": _TIMEOUT,
    },
    "OP_INSTANCE_SHUTDOWN": {
        **_TARGET,
        "force": _FALSE,
        "ignore_offline_nodes": _FALSE,
        "timeout": _TIMEOUT,
        "no_remember": _FALSE,
        "admin_state_source": Param(None, p.maybe(p.one_of("user", "admin"))),
    },
    "OP_INSTANCE_REBOOT": {
        **_TARGET,
        "shutdown_timeout": _TIMEOUT,
        "ignore_secondaries": _FALSE,
        "reboot_type": Param(REQUIRED, p.one_of("soft", "full", "hard")),
    },
    "OP_INSTANCE_SET_PARAMS": {
        **_TARGET,
        "force": _FALSE,
        "force_variant": _FALSE,
        "ignore_ipolicy": _FALSE,
        "nics": Param([], p.is_modification_list(p.is_nic)),
        "disks": Param([], p.is_modification_list(p.is_disk)),
        "beparams": _DICT,
        "runtime_mem": Param(None, p.maybe(p.is_positive)),
        "hvparams": _DICT,
        "disk_template": _TEMPLATE,
        "ext_params": _DICT,
        "file_driver": _DRIVER,
        "file_storage_dir": _MAYBE_NAME,
        "pnode": _MAYBE_NAME,
        "pnode_uuid": _MAYBE_NAME,
        "remote_node": _MAYBE_NAME,
        "remote_node_uuid": _MAYBE_NAME,
        "iallocator": _MAYBE_NAME,
        "os_name": _MAYBE_NAME,
        "osparams": _DICT,
        "osparams_private": _MAYBE_DICT,
        "wait_for_sync": _TRUE,
        "offline": _MAYBE_BOOL,
        "conflicts_check": _TRUE,
        "hotplug": _FALSE,
        "hotplug_if_possible": _FALSE,
        "instance_communication": _MAYBE_BOOL,
    },
    "OP_INSTANCE_GROW_DISK": {
        **_TARGET,
        "wait_for_sync": _TRUE,
        "disk": Param(REQUIRED, p.both(p.is_non_negative, p.below(16))),
        "amount": Param(REQUIRED, p.is_non_negative),
        "absolute": _FALSE,
        "ignore_ipolicy": _FALSE,
    },
    "OP_INSTANCE_MIGRATE": {
        **_TARGET,
        "mode": Param(None, p.maybe(p.one_of("non-live", "live"))),
        "live": _MAYBE_BOOL,
        "target_node": _MAYBE_NAME,
        "target_node_uuid": _MAYBE_NAME,
        "allow_runtime_changes": _TRUE,
        "ignore_ipolicy": _FALSE,
        "cleanup": _FALSE,
        "iallocator": _MAYBE_NAME,
        "allow_failover": _FALSE,
        "ignore_hvversions": _FALSE,
    },
    "OP_INSTANCE_FAILOVER": {
        **_TARGET,
        "shutdown_timeout": _TIMEOUT,
        "ignore_consistency": _FALSE,
        "target_node": _MAYBE_NAME,
        "target_node_uuid": _MAYBE_NAME,
        "ignore_ipolicy": _FALSE,
        "cleanup": _FALSE,
        "iallocator": _MAYBE_NAME,
    },
    "OP_INSTANCE_REINSTALL": {
        **_TARGET,
        "force_variant": _FALSE,
        "os_type": _MAYBE_NAME,
        "osparams": _MAYBE_DICT,
        "osparams_private": _MAYBE_DICT,
        "osparams_secret": _MAYBE_DICT,
    },
    "OP_INSTANCE_RENAME": {**_TARGET, "new_name": _NAME, "name_check": _TRUE, "ip_check": _TRUE},
    "OP_INSTANCE_QUERY_DATA": {
        "use_locking": _FALSE,
        "instances": Param([], p.list_of(p.is_non_empty_string)),
        "static": _FALSE,
    },
    "OP_TAGS_SET": _TAG_OP,
    "OP_TAGS_DEL": _TAG_OP,
    "OP_NODE_SET_PARAMS": {
        "node_name": _NAME,
        "node_uuid": _MAYBE_NAME,
        "force": _FALSE,
        "hv_state": _MAYBE_DICT,
        "disk_state": _MAYBE_DICT,
        "master_candidate": _MAYBE_BOOL,
        "offline": _MAYBE_BOOL,
        "drained": _MAYBE_BOOL,
        "auto_promote": _FALSE,
        "master_capable": _MAYBE_BOOL,
        "vm_capable": _MAYBE_BOOL,
        "secondary_ip": _MAYBE_NAME,
        "ndparams": _MAYBE_DICT,
        "powered": _MAYBE_BOOL,
    },
    "OP_NETWORK_ADD": {
        "network_name": _NAME,
        "network": Param(REQUIRED, p.is_ipv4_network),
        "gateway": Param(None, p.maybe(p.is_ipv4_address)),
        "network6": Param(None, p.maybe(p.is_ipv6_network)),
        "gateway6": Param(None, p.maybe(p.is_ipv6_address)),
        "mac_prefix": _MAYBE_NAME,
        "add_reserved_ips": Param(None, p.maybe(p.list_of(p.is_ipv4_address))),
        "conflicts_check": _TRUE,
        "tags": _TAGS,
    },
    "OP_NETWORK_CONNECT": {
        "group_name": _NAME,
        "network_name": _NAME,
        "network_mode": Param(REQUIRED, p.one_of("pool", "bridged", "routed", "openvswitch")),
        "network_link": _NAME,
        "network_vlan": Param("", p.is_string),
        "conflicts_check": _TRUE,
    },
    "OP_NETWORK_DISCONNECT": {"group_name": _NAME, "network_name": _NAME},
    "OP_NETWORK_REMOVE": {"network_name": _NAME, "force": _FALSE},
    "OP_GROUP_ADD": {
        "group_name": _NAME,
        "alloc_policy": Param(None, p.maybe(p.one_of("preferred", "last_resort", "unallocable"))),
        "ndparams": _MAYBE_DICT,
        "diskparams": Param(None, p.maybe(p.dict_of(p.one_of(*p.DISK_TEMPLATES), p.is_dict))),
        "hv_state": _MAYBE_DICT,
        "disk_state": _MAYBE_DICT,
        "ipolicy": _MAYBE_DICT,
    },
    "OP_GROUP_REMOVE": {"group_name": _NAME},
}


def class_name(op_id: str) -> str:
    return "Op" + "".join(word.capitalize() for word in op_id.split("_")[1:])


def build_opcode(
    op_id: str,
    body: Any,
    *,
    static: dict[str, Any],
    rename: dict[str, str] | None = None,
) -> dict[str, Any]:
    """The opcode with defaults filled in; `HttpProblem` 400 in the words of the real RAPI."""
    if body is None:
        body = {}
    if not isinstance(body, dict):
        raise HttpProblem(400, f"Body contents: Type is '{type(body).__name__}', but 'dict' is expected")
    given = dict(body)
    for old, new in (rename or {}).items():
        if old in given and new in given:
            raise HttpProblem(400, f"Parameter '{old}' was renamed to '{new}', but both are specified")
        if old in given:
            given[new] = given.pop(old)
    overwritten = set(given) & set(static)
    if overwritten:
        raise HttpProblem(400, f"Can't overwrite static parameters {overwritten!r}")
    given.update(static)
    known = {**COMMON, **OPCODES[op_id]}
    for name in given:
        if name not in known:
            message = f"Object {class_name(op_id)} doesn't support the parameter '{name}'"
            raise HttpProblem(400, f"Invalid body parameters: {message}")
    opcode: dict[str, Any] = {}
    for name, param in known.items():
        value = given[name] if name in given else copy.deepcopy(param.default)
        if not param.check(value):
            error = (f"Parameter '{op_id}.{name}' fails validation", "wrong_input")
            raise HttpProblem(400, f"Invalid body parameters: {error}")
        opcode[name] = value
    _parse_disks(op_id, opcode)
    if op_id == "OP_NETWORK_ADD":
        _parse_network(opcode["network"])
    return {"OP_ID": op_id, **opcode}


def _parse_disks(op_id: str, opcode: dict[str, Any]) -> None:
    """What the job queue daemon, and not RAPI, refuses to parse: answered with 502."""
    if op_id == "OP_INSTANCE_CREATE":
        disks = opcode["disks"]
    elif op_id == "OP_INSTANCE_SET_PARAMS":
        disks = [change[-1] for change in opcode["disks"]]
    else:
        return
    start = "Failed to parse request: SubmitJob: Can't parse value for 'disks': "
    for disk in disks:
        size, mode = disk.get("size"), disk.get("mode")
        if isinstance(size, str) and not size.lstrip("-").isdigit():
            raise HttpProblem(502, f"{start}Can't parse string '{size}'")
        if isinstance(size, str):
            disk["size"] = int(size)
        if mode is not None and mode not in ("rw", "ro"):
            inner = f'Invalid string value for type DiskAccess: "{mode}"'
            raise HttpProblem(502, f"{start}Can't parse value for 'mode': {inner}")


def _parse_network(network: str) -> None:
    """Passes the check of its form and then breaks RAPI itself."""
    try:
        ipaddress.IPv4Network(network)
    except ValueError as problem:
        raise HttpProblem(500, str(problem)) from None
