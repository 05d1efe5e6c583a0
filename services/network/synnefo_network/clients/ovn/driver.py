"""OVN as the data plane: `app.driver.Driver` on its northbound and southbound databases."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from ovs.db import idl as ovs_idl

from synnefo_common.ids import IdSource, uuid5
from synnefo_network.clients.ovn.connection import Connection, Replica, Source, commit, unavailable
from synnefo_network.clients.ovn.northbound import TABLES as NB_TABLES
from synnefo_network.clients.ovn.northbound import Northbound
from synnefo_network.clients.ovn.southbound import TABLES as SB_TABLES
from synnefo_network.clients.ovn.southbound import Southbound
from synnefo_network.domain.northbound.rows import KEY, Change, Row, Scope
from synnefo_network.domain.northbound.topology import Agent, Chassis

NB, SB = "OVN_Northbound", "OVN_Southbound"
GENERATION = "synnefo:generation"
LOCK = "synnefo_network"
_LOOK_S = 0.5


class OvnDriver:
    """One writer at a time, by a lock of the northbound server: it is asserted in each transaction, so who has lost it changes nothing."""

    is_followed = True

    def __init__(
        self, *, northbound: str, southbound: str, northd_remote: str = "", check_s: float = 3.0, grace_s: float = 4.0, ids: IdSource
    ) -> None:  # fmt: skip
        self.session: int | None = None
        self._northd_remote = northd_remote
        self._check_s = check_s
        self._ids = ids
        self._sources = [Source(northbound, NB, NB_TABLES, lock=LOCK), Source(southbound, SB, SB_TABLES)]
        self._nb, self._sb = Northbound(), Southbound(grace_s=grace_s)
        self._connection: Connection | None = None
        self._on_change: Callable[[], None] = lambda: None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sessions = 0
        self._is_writer = False
        self._is_stirred = False
        self._next_check = self._next_look = 0.0

    def immediate_status(self, *, is_bound: bool, admin_state_up: bool) -> str | None:
        return None

    async def start(self, on_change: Callable[[], None]) -> None:
        self._on_change, self._loop = on_change, asyncio.get_running_loop()
        self._connection = Connection(self._sources, on_row=self._on_row, after_round=self._after_round)
        self._connection.start()

    async def stop(self) -> None:
        self.session = None
        if self._connection is not None:
            await self._connection.stop()

    def _on_row(self, database: str, event: str, row: Any, before: Any) -> None:
        if database == NB:
            self._nb.on_row(event, row)
            if row._table.name == "Logical_Switch_Port" and (event != ovs_idl.ROW_UPDATE or hasattr(before, "up")):
                self._is_stirred = True
        elif row._table.name in ("Chassis", "Port_Binding"):
            self._is_stirred = True

    def _after_round(self, connection: Connection) -> None:
        """What follows from what the servers have said: who writes, whether the nodes answer."""
        nb, sb = connection.replicas.get(NB), connection.replicas.get(SB)
        is_writer = nb is not None and sb is not None and nb.is_current and sb.is_current and bool(nb.has_lock)
        if is_writer != self._is_writer:
            self._is_writer = is_writer
            self._sessions += 1
            self.session = self._sessions if is_writer else None
            self._is_stirred = True
        if is_writer and self._check_s:
            assert nb is not None and sb is not None
            self._check_nodes(nb, sb)
        if self._is_stirred and self._loop is not None and not self._loop.is_closed():
            self._is_stirred = False
            self._loop.call_soon_threadsafe(self._on_change)

    def _check_nodes(self, nb: Replica, sb: Replica) -> None:
        """Look more often than is asked: each look that comes later is time in which the ports of a dead node are shown as ACTIVE."""
        now = time.monotonic()
        if now >= self._next_check:
            self._next_check = now + self._check_s
            _ask_nodes(nb)
        if now >= self._next_look:
            self._next_look = now + _LOOK_S
            self._is_stirred |= self._sb.look(sb)

    def _replica(self, database: str, *, writes: bool = False) -> Replica:
        assert self._connection is not None
        replica = self._connection.replicas.get(database)
        if replica is None or not replica.is_current:
            raise unavailable(f"{database} does not answer.")
        if writes and not self._is_writer:
            raise unavailable("Another process writes to OVN.")
        return replica

    async def _work(self, what: Callable[[], Any]) -> Any:
        if self._connection is None:
            raise unavailable("The connection to OVN is not open.")
        return await self._connection.work(what)

    async def observe(self, scopes: Collection[Scope] | None = None) -> Mapping[tuple[str, str], Row]:
        wanted = None if scopes is None else set(scopes)
        found: dict[tuple[str, str], Row] = await self._work(lambda: self._nb.observe(self._replica(NB), wanted))
        return found

    async def apply(self, changes: Sequence[Change]) -> Sequence[tuple[str, str]]:
        stale: list[tuple[str, str]] = await self._work(lambda: self._nb.apply(self._replica(NB, writes=True), changes))
        return stale

    async def admit(self) -> None:
        generation = self._ids.uuid()
        await self._work(lambda: _admit(self._replica(NB, writes=True), generation, self._northd_remote))

    async def statuses(self) -> Mapping[str, bool]:
        def look() -> dict[str, bool]:
            up = {}
            for row in self._replica(NB).tables["Logical_Switch_Port"].rows.values():
                marks = row.external_ids
                if marks.get(KEY) == row.name:
                    up[row.name] = bool(row.up and row.up[0])
            return up | dict.fromkeys(self._sb.unreachable(self._replica(SB)) & up.keys(), False)

        found: dict[str, bool] = await self._work(look)
        return found

    async def chassis(self) -> Sequence[Chassis]:
        found: list[Chassis] = await self._work(lambda: self._sb.chassis(self._replica(SB)))
        return found

    async def agents(self) -> Sequence[Agent]:
        return [_agent(chassis) for chassis in await self.chassis() if chassis.is_alive]


def _agent(chassis: Chassis) -> Agent:
    kind = "OVN Controller Gateway agent" if chassis.is_gateway else "OVN Controller agent"
    configurations = {"chassis_name": chassis.name, "bridge-mappings": sorted(chassis.physical_networks)}
    return Agent(uuid5("synnefo.network.chassis", chassis.name), chassis.hostname, kind, "ovn-controller", configurations=configurations)


def _ask_nodes(replica: Replica) -> None:
    """A new number, which each living node repeats in its own row. Not waited for: the next round sees it."""
    for row in replica.tables["NB_Global"].rows.values():
        transaction = ovs_idl.Transaction(replica)
        row.nb_cfg = row.nb_cfg + 1
        transaction.commit()


def _admit(replica: Replica, generation: str, northd_remote: str) -> None:
    """Mark the database as filled, and only then have its server open the socket at which northd asks for it."""
    transaction = ovs_idl.Transaction(replica)
    try:
        rows = list(replica.tables["NB_Global"].rows.values())
        row = rows[0] if rows else transaction.insert(replica.tables["NB_Global"])
        marks = row.external_ids if rows else {}
        if GENERATION not in marks:
            row.external_ids = {**marks, GENERATION: generation}
        if northd_remote and all(c.target != northd_remote for c in (row.connections if rows else ())):
            remote = transaction.insert(replica.tables["Connection"])
            remote.target = northd_remote
            remote.external_ids = {"synnefo:remote": "northd"}
            row.connections = [*(row.connections if rows else ()), remote]
        commit(transaction)
    finally:
        transaction.abort()
