"""What the nodes say: which there are, whether they answer, and where ports are bound. Runs in the connection's thread."""

from __future__ import annotations

import time
from collections import deque

from synnefo_network.clients.ovn.connection import Replica
from synnefo_network.domain.northbound.topology import Chassis

TABLES: dict[str, tuple[str, ...]] = {
    "Chassis": ("name", "hostname", "other_config", "external_ids"),
    "Chassis_Private": ("name", "nb_cfg"),
    "Port_Binding": ("logical_port", "chassis"),
    "SB_Global": ("nb_cfg",),
}
_GATEWAY = "enable-chassis-as-gw"


class Southbound:
    """A node answers if it has followed each number that the southbound database asked for longer than `grace_s` ago.

    The time counts from when the southbound database had the number: if nobody brings it there, no node is called dead.
    """

    def __init__(self, *, grace_s: float) -> None:
        self._grace_s = grace_s
        self._asked: deque[tuple[int, float]] = deque()
        self._dead: frozenset[str] = frozenset()

    def chassis(self, replica: Replica) -> list[Chassis]:
        """All nodes, by name."""
        self.look(replica)
        found = []
        for row in replica.tables["Chassis"].rows.values():
            config = {**row.external_ids, **row.other_config}
            mappings = [m.partition(":")[0] for m in config.get("ovn-bridge-mappings", "").split(",") if m]
            options = config.get("ovn-cms-options", "").split(",")
            found.append(Chassis(row.name, row.hostname, frozenset(mappings), _GATEWAY in options, row.name not in self._dead))
        return sorted(found, key=lambda c: c.name)

    def look(self, replica: Replica) -> bool:
        """Find out who answers; whether that has changed."""
        now = time.monotonic()
        asked = max((row.nb_cfg for row in replica.tables["SB_Global"].rows.values()), default=0)
        if not self._asked or asked != self._asked[-1][0]:
            if self._asked and asked < self._asked[-1][0]:
                self._asked.clear()  # another database
            self._asked.append((asked, now))
        due = None
        while self._asked and self._asked[0][1] <= now - self._grace_s:
            due = self._asked[0][0]
            if len(self._asked) == 1 or self._asked[1][1] > now - self._grace_s:
                break
            self._asked.popleft()
        answers = {row.name: row.nb_cfg for row in replica.tables["Chassis_Private"].rows.values()}
        dead = frozenset(name for name, number in answers.items() if due is not None and number < due)
        changed, self._dead = dead != self._dead, dead
        return changed

    def unreachable(self, replica: Replica) -> set[str]:
        """Logical ports that are bound to a node that does not answer."""
        if not self._dead:
            return set()
        lost = {row.uuid for row in replica.tables["Chassis"].rows.values() if row.name in self._dead}
        bindings = replica.tables["Port_Binding"].rows.values()
        return {row.logical_port for row in bindings if any(a.value in lost for a in row._data["chassis"].values)}
