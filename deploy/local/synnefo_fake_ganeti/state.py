"""The configuration of one fake cluster: nodes, groups, networks, instances, and the disks that nobody holds.

For: looking things up, keeping names and MACs unique, writing each change to the store. Not for: rules of operations.
"""

import random
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from synnefo_fake_ganeti.problems import prereq
from synnefo_fake_ganeti.store import Store

Record = dict[str, Any]

DEFAULT_BEPARAMS: Record = {
    "minmem": 128,
    "maxmem": 128,
    "vcpus": 1,
    "auto_balance": True,
    "always_failover": False,
    "spindle_use": 1,
}
DEFAULT_NICPARAMS: Record = {"mode": "bridged", "link": "br0", "vlan": ""}
BRIDGES = ("br0",)


class ClusterState:
    def __init__(
        self,
        name: str,
        *,
        store: Store,
        random_source: random.Random,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.store = store
        self.random = random_source
        self._wall_clock = wall_clock
        self.clock_offset_s = 0.0
        self.cluster: Record = store.load("cluster").get(name, {})
        self.nodes = store.load("nodes")
        self.groups = store.load("groups")
        self.networks = store.load("networks")
        self.instances = store.load("instances")
        self.loose_disks = store.load("disks")
        self._macs: dict[str, str] = {}
        self._macs_of: dict[str, set[str]] = {}
        self._memory_of: dict[str, tuple[str, int]] = {}
        self._memory_used_mib: Counter[str] = Counter()
        for instance in self.instances.values():
            self._claim(instance)
        if not self.cluster:
            self._create(name)

    def _create(self, name: str) -> None:
        now = self.now()
        self.cluster = {
            "name": f"{name}.ganeti.fake",
            "short_name": name,
            "uuid": self.new_uuid(),
            "mac_prefix": f"aa:{self.random.randrange(256):02x}:00",
            "tags": [],
            "ctime": now,
            "mtime": now,
        }
        group: Record = {"name": "default", "uuid": self.new_uuid(), "alloc_policy": "preferred", "tags": []}
        self.save_cluster()
        self.save("groups", group["uuid"], self._stamped(group))

    def ensure_nodes(self, count: int, *, memory_mib: int, disk_mib: int, cpus: int) -> None:
        """Add nodes until there are `count`; those that exist stay as they are."""
        group_uuid = next(uuid for uuid, group in self.groups.items() if group["name"] == "default")
        for index in range(len(self.nodes) + 1, count + 1):
            name = f"node{index}.{self.cluster['name']}"
            node = {
                "name": name,
                "uuid": self.new_uuid(),
                "group": group_uuid,
                "ip": f"10.77.0.{10 + index}",
                "mtotal": memory_mib,
                "dtotal": disk_mib,
                "ctotal": cpus,
                "is_master": index == 1,
                "offline": False,
                "drained": False,
                "master_candidate": True,
                "vm_capable": True,
                "master_capable": True,
                "tags": [],
            }
            self.save("nodes", name, self._stamped(node))

    # time and ids
    def now(self) -> float:
        return self._wall_clock() + self.clock_offset_s

    def new_uuid(self) -> str:
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def new_mac(self, prefix: str | None = None) -> str:
        while True:
            tail = ":".join(f"{self.random.randrange(256):02x}" for _ in range(3))
            mac = f"{prefix or self.cluster['mac_prefix']}:{tail}"
            if mac not in self._macs:
                return mac

    def is_mac_used(self, mac: str) -> bool:
        return mac in self._macs

    # writing
    def _stamped(self, record: Record) -> Record:
        record.setdefault("ctime", self.now())
        record["mtime"] = self.now()
        record["serial_no"] = record.get("serial_no", 0) + 1
        return record

    def _table(self, kind: str) -> dict[str, Record]:
        tables = {
            "nodes": self.nodes,
            "groups": self.groups,
            "networks": self.networks,
            "instances": self.instances,
            "disks": self.loose_disks,
        }
        return tables[kind]

    def save(self, kind: str, key: str, record: Record) -> None:
        self._table(kind)[key] = record
        self.store.put(kind, key, record)

    def touch(self, kind: str, key: str) -> None:
        self.save(kind, key, self._stamped(self._table(kind)[key]))

    def forget(self, kind: str, key: str) -> None:
        self._table(kind).pop(key, None)
        self.store.delete(kind, key)

    def save_cluster(self) -> None:
        self.store.put("cluster", self.cluster["short_name"], self.cluster)

    def save_instance(self, record: Record) -> None:
        self._claim(record)
        self.save("instances", record["name"], self._stamped(record))

    def _claim(self, record: Record) -> None:
        """Note the MACs and the memory that the instance has now, instead of those that it had."""
        name: str = record["name"]
        self._release(name)
        memory = record["oper_ram"] if record["is_running"] else 0
        self._memory_of[name] = (record["pnode"], memory)
        self._memory_used_mib[record["pnode"]] += memory
        self._macs_of[name] = {nic["mac"] for nic in record["nics"]}
        for mac in self._macs_of[name]:
            self._macs[mac] = name

    def _release(self, name: str) -> None:
        for mac in self._macs_of.pop(name, ()):
            self._macs.pop(mac, None)
        node, memory = self._memory_of.pop(name, ("", 0))
        self._memory_used_mib[node] -= memory

    def forget_instance(self, name: str) -> None:
        self._release(name)
        self.forget("instances", name)

    # looking up
    @staticmethod
    def expand_name(name: str, names: Iterable[str]) -> str | None:
        """A full name, or the only one that starts with `name` and a dot."""
        lowered = name.lower()
        matches = [full for full in names if full == lowered or full.startswith(lowered + ".")]
        if lowered in matches:
            return lowered
        return matches[0] if len(matches) == 1 else None

    def find_instance(self, name: str) -> Record | None:
        if name.lower() in self.instances:
            return self.instances[name.lower()]
        full = self.expand_name(name, self.instances)
        return None if full is None else self.instances[full]

    def find_node(self, name: str) -> Record | None:
        full = self.expand_name(name, self.nodes)
        return None if full is None else self.nodes[full]

    @staticmethod
    def _by_name(table: dict[str, Record], name: str) -> Record | None:
        return next((record for record in table.values() if name in (record["name"], record["uuid"])), None)

    def find_group(self, name: str) -> Record | None:
        return self._by_name(self.groups, name)

    def find_network(self, name: str) -> Record | None:
        return self._by_name(self.networks, name)

    def instance(self, name: str) -> Record:
        found = self.find_instance(name)
        if found is None:
            raise prereq(f"Instance '{name}' not known", "unknown_entity")
        return found

    def node(self, name: str) -> Record:
        found = self.find_node(name)
        if found is None:
            raise prereq(f"Node '{name}' not known", "unknown_entity")
        return found

    def group(self, name: str) -> Record:
        found = self.find_group(name)
        if found is None:
            raise prereq(f"Node group '{name}' not found", "unknown_entity")
        return found

    def network(self, name: str) -> Record:
        found = self.find_network(name)
        if found is None:
            raise prereq(f"Network '{name}' not found", "unknown_entity")
        return found

    # sums
    def beparams(self, instance: Record) -> Record:
        return {**DEFAULT_BEPARAMS, **instance["beparams"]}

    def instances_on(self, node_name: str) -> list[Record]:
        return [inst for inst in self.instances.values() if inst["pnode"] == node_name]

    def memory_free_mib(self, node: Record) -> int:
        return int(node["mtotal"] - 64 - self._memory_used_mib[node["name"]])

    def disk_free_mib(self, node: Record) -> int:
        """Only templates that live on the node take its space."""
        local = [inst for inst in self.instances_on(node["name"]) if inst["disk_template"] in ("file", "plain")]
        return int(node["dtotal"] - sum(disk["size"] for inst in local for disk in inst["disks"]))

    def node_is_offline(self, instance: Record) -> bool:
        return bool(self.nodes[instance["pnode"]]["offline"])
