"""What RAPI tells about instances, nodes, groups, networks and the cluster: the fields of the real one, in its order.

Not for: jobs (see `jobs`) and not for changing anything.
"""

import ipaddress
from typing import Any

from synnefo_fake_ganeti.state import DEFAULT_BEPARAMS, DEFAULT_NICPARAMS, ClusterState, Record

VERSION = "3.0.2"
ENABLED_TEMPLATES = ["diskless", "file", "sharedfile", "ext"]
FEATURES = ["node-migrate-reqv1", "node-evac-res1", "instance-create-reqv1", "instance-reinstall-reqv1"]
NDPARAMS: Record = {
    "oob_program": "",
    "spindle_count": 1,
    "exclusive_storage": False,
    "ovs": False,
    "ovs_name": "switch1",
    "ovs_link": "",
    "ssh_port": 22,
    "cpu_speed": 1,
}
DISKPARAMS: Record = {"diskless": {}, "ext": {"access": "kernelspace"}, "file": {}, "sharedfile": {}}
BOUNDS: dict[str, tuple[int, int]] = {
    "memory-size": (4, 32768),
    "disk-size": (4, 1048576),
    "disk-count": (0, 16),
    "cpu-count": (1, 16),
    "nic-count": (0, 8),
    "spindle-use": (1, 12),
}
IPOLICY: Record = {
    "minmax": [{"min": {k: low for k, (low, _) in BOUNDS.items()}, "max": {k: high for k, (_, high) in BOUNDS.items()}}],
    "std": {
        "memory-size": 128,
        "disk-size": 128,
        "disk-count": 1,
        "cpu-count": 1,
        "nic-count": 1,
        "spindle-use": 1,
    },
    "spindle-ratio": 1000,
    "vcpu-ratio": 1000,
    "disk-templates": ENABLED_TEMPLATES,
}


def status(state: ClusterState, instance: Record) -> str:
    admin, runs = instance["admin_state"], instance["is_running"]
    if state.node_is_offline(instance):
        return "ERROR_nodeoffline"
    if admin == "up":
        return "running" if runs else "ERROR_down"
    if runs:
        return "ERROR_up"
    return "ADMIN_offline" if admin == "offline" else "ADMIN_down"


def instance(state: ClusterState, inst: Record) -> Record:
    nics, disks = inst["nics"], inst["disks"]
    params = [{**DEFAULT_NICPARAMS, **nic["params"]} for nic in nics]
    networks = [state.networks.get(nic["network"] or "") for nic in nics]
    beparams = state.beparams(inst)
    is_known = not state.node_is_offline(inst)
    return {
        "name": inst["name"],
        "admin_state": inst["admin_state"],
        "os": inst["os"],
        "pnode": inst["pnode"],
        "snodes": [],
        "disk_template": inst["disk_template"],
        "nic.ips": [nic["ip"] for nic in nics],
        "nic.macs": [nic["mac"] for nic in nics],
        "nic.modes": [param["mode"] for param in params],
        "nic.uuids": [nic["uuid"] for nic in nics],
        "nic.names": [nic["name"] for nic in nics],
        "nic.links": [param["link"] for param in params],
        "nic.networks": [nic["network"] for nic in nics],
        "nic.networks.names": [None if net is None else net["name"] for net in networks],
        "nic.bridges": [param["link"] if param["mode"] == "bridged" else None for param in params],
        "network_port": None,
        "disk.sizes": [disk["size"] for disk in disks],
        "disk.spindles": [None for _ in disks],
        "disk_usage": sum(disk["size"] for disk in disks),
        "disk.uuids": [disk["uuid"] for disk in disks],
        "disk.names": [disk["name"] for disk in disks],
        "beparams": {**beparams, "memory": beparams["maxmem"]},
        "hvparams": {},
        "oper_state": inst["is_running"] if is_known else None,
        "oper_ram": inst["oper_ram"] if is_known and inst["is_running"] else None,
        "oper_vcpus": inst["oper_vcpus"] if is_known and inst["is_running"] else None,
        "status": status(state, inst),
        "custom_hvparams": inst["hvparams"],
        "custom_beparams": inst["beparams"],
        "custom_nicparams": [nic["params"] for nic in nics],
        **_common(inst),
    }


def _common(record: Record) -> Record:
    names = ("ctime", "mtime", "uuid", "serial_no")
    return {**{name: record[name] for name in names}, "tags": sorted(record["tags"])}


def node_role(node: Record) -> str:
    if node["is_master"]:
        return "M"
    if node["offline"]:
        return "O"
    if node["drained"]:
        return "D"
    return "C" if node["master_candidate"] else "R"


def node(state: ClusterState, record: Record) -> Record:
    held = sorted(inst["name"] for inst in state.instances_on(record["name"]))

    def live(value: Any) -> Any:
        return None if record["offline"] else value

    return {
        "name": record["name"],
        "offline": record["offline"],
        "master_candidate": record["master_candidate"],
        "drained": record["drained"],
        "dtotal": live(record["dtotal"]),
        "dfree": live(state.disk_free_mib(record)),
        "sptotal": None,
        "spfree": None,
        "mtotal": live(record["mtotal"]),
        "mnode": live(64),
        "mfree": live(state.memory_free_mib(record)),
        "pinst_cnt": len(held),
        "sinst_cnt": 0,
        "ctotal": live(record["ctotal"]),
        "cnos": live(record["ctotal"]),
        "cnodes": live(1),
        "csockets": live(1),
        "pip": record["ip"],
        "sip": record["ip"],
        "role": node_role(record),
        "pinst_list": held,
        "sinst_list": [],
        "master_capable": record["master_capable"],
        "vm_capable": record["vm_capable"],
        "ndparams": NDPARAMS,
        "group.uuid": record["group"],
        **_common(record),
    }


def group(state: ClusterState, record: Record) -> Record:
    members = sorted(node["name"] for node in state.nodes.values() if node["group"] == record["uuid"])
    return {
        "alloc_policy": record["alloc_policy"],
        "name": record["name"],
        "node_cnt": len(members),
        "node_list": members,
        "ipolicy": IPOLICY,
        "custom_ipolicy": {},
        "diskparams": DISKPARAMS,
        "custom_diskparams": {},
        "ndparams": NDPARAMS,
        "custom_ndparams": {},
        **_common(record),
    }


def reserved_addresses(record: Record) -> list[str]:
    """Network, broadcast and gateway address, and what the network was made with."""
    pool = ipaddress.IPv4Network(record["network"])
    extra = [record["gateway"]] if record["gateway"] else []
    found = {str(pool[0]), str(pool[-1]), *extra, *record["reserved"]}
    return sorted(found, key=lambda address: int(ipaddress.IPv4Address(address)))


def used_addresses(state: ClusterState, record: Record) -> set[str]:
    nics = (nic for inst in state.instances.values() for nic in inst["nics"])
    return {nic["ip"] for nic in nics if nic["network"] == record["uuid"] and nic["ip"]}


def network(state: ClusterState, record: Record) -> Record:
    pool = ipaddress.IPv4Network(record["network"])
    reserved = reserved_addresses(record)
    taken = {*reserved, *used_addresses(state, record)}
    holders = [inst["name"] for inst in state.instances.values() if _is_on(inst, record)]
    return {
        "name": record["name"],
        "network": record["network"],
        "gateway": record["gateway"],
        "network6": record["network6"],
        "gateway6": record["gateway6"],
        "mac_prefix": record["mac_prefix"],
        "free_count": pool.num_addresses - len(taken),
        "reserved_count": len(taken),
        "map": "".join("X" if str(address) in taken else "." for address in pool),
        "group_list": [[state.groups[uuid]["name"], link["mode"], link["link"], link["vlan"]] for uuid, link in record["groups"].items()],
        "inst_list": sorted(holders),
        "external_reservations": ", ".join(reserved),
        **_common(record),
    }


def _is_on(inst: Record, record: Record) -> bool:
    return any(nic["network"] == record["uuid"] for nic in inst["nics"])


def info(state: ClusterState) -> Record:
    cluster = state.cluster
    master = next((node["name"] for node in state.nodes.values() if node["is_master"]), None)
    return {
        "software_version": VERSION,
        "protocol_version": 3000000,
        "config_version": 3000000,
        "os_api_version": 20,
        "export_version": 0,
        "vcs_version": f"(ganeti) version {VERSION}-fake",
        "architecture": ["64bits", "x86_64"],
        "name": cluster["name"],
        "master": master,
        "default_hypervisor": "fake",
        "enabled_hypervisors": ["fake"],
        "hvparams": {"fake": {"migration_mode": "live"}},
        "os_hvp": {},
        "beparams": {"default": DEFAULT_BEPARAMS},
        "osparams": {},
        "ipolicy": IPOLICY,
        "nicparams": {"default": DEFAULT_NICPARAMS},
        "ndparams": NDPARAMS,
        "diskparams": DISKPARAMS,
        "candidate_pool_size": 10,
        "max_running_jobs": 20,
        "max_tracked_jobs": 500,
        "mac_prefix": cluster["mac_prefix"],
        "master_netdev": "br0",
        "master_netmask": 24,
        "ctime": cluster["ctime"],
        "mtime": cluster["mtime"],
        "uuid": cluster["uuid"],
        "tags": sorted(cluster["tags"]),
        "default_iallocator": "hail-any",
        "default_iallocator_params": {},
        "primary_ip_version": 4,
        "hidden_os": [],
        "blacklisted_os": [],
        "enabled_disk_templates": ENABLED_TEMPLATES,
        "enabled_user_shutdown": False,
        "file_storage_dir": "/srv/ganeti/file-storage",
        "shared_file_storage_dir": "/srv/ganeti/shared-file-storage",
        "maintain_node_health": False,
    }
