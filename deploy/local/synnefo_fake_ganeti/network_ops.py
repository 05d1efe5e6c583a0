"""What jobs on networks do, and the choice of an address from a network's pool.

Not for: Synnefo's own networks, whose addresses come from the network service.
"""

import ipaddress

from synnefo_fake_ganeti import answers
from synnefo_fake_ganeti.jobs import Log
from synnefo_fake_ganeti.problems import prereq
from synnefo_fake_ganeti.state import ClusterState, Record


def pick_address(state: ClusterState, network: Record, wanted: str, log: Log) -> str:
    pool = ipaddress.IPv4Network(network["network"])
    taken = {*answers.reserved_addresses(network), *answers.used_addresses(state, network)}
    if wanted == "pool":
        chosen = next((str(address) for address in pool if str(address) not in taken), None)
        if chosen is None:
            raise prereq("Unable to get a free IP from the address pool", "wrong_state")
        log(f" - INFO: Chose IP {chosen} from network {network['name']}")
        return chosen
    if wanted in taken or ipaddress.ip_address(wanted) not in pool:
        text = f"IP address {wanted} already in use or does not belong to network {network['name']}"
        raise prereq(text, "resource_not_unique")
    return wanted


def add_network(state: ClusterState, op: Record, _log: Log) -> None:
    existing = state.find_network(op["network_name"])
    if existing is not None:
        text = f"Desired network name '{op['network_name']}' already exists as a network (UUID: {existing['uuid']})"
        raise prereq(text, "already_exists")
    network = {
        "name": op["network_name"],
        "uuid": state.new_uuid(),
        "network": op["network"],
        "gateway": op["gateway"],
        "network6": op["network6"],
        "gateway6": op["gateway6"],
        "mac_prefix": op["mac_prefix"],
        "reserved": op["add_reserved_ips"] or [],
        "groups": {},
        "tags": op["tags"],
        "ctime": state.now(),
        "mtime": state.now(),
        "serial_no": 1,
    }
    state.save("networks", network["uuid"], network)


def connect_network(state: ClusterState, op: Record, log: Log) -> None:
    network, group = state.network(op["network_name"]), state.group(op["group_name"])
    if group["uuid"] in network["groups"]:
        log(f" - WARNING: Network '{network['name']}' is already mapped to group '{group['name']}'")
        return
    network["groups"][group["uuid"]] = {
        "mode": op["network_mode"],
        "link": op["network_link"],
        "vlan": op["network_vlan"],
    }
    state.save("networks", network["uuid"], network)


def disconnect_network(state: ClusterState, op: Record, log: Log) -> None:
    network, group = state.network(op["network_name"]), state.group(op["group_name"])
    if group["uuid"] not in network["groups"]:
        log(f" - WARNING: Network '{network['name']}' is not mapped to group '{group['name']}'")
        return
    if answers.used_addresses(state, network):
        log(f" - WARNING: IP addresses from network '{network['name']}' are in use")
        text = "Conflicting IP addresses found;  remove/modify the corresponding network interfaces"
        raise prereq(text, "wrong_state")
    del network["groups"][group["uuid"]]
    state.save("networks", network["uuid"], network)


def remove_network(state: ClusterState, op: Record, log: Log) -> None:
    network = state.network(op["network_name"])
    if network["groups"]:
        names = ", ".join(state.groups[uuid]["name"] for uuid in network["groups"])
        log(f" - WARNING: Network '{network['name']}' is connected to the following node groups: {names}")
        raise prereq("Network still connected", "wrong_state")
    state.forget("networks", network["uuid"])
