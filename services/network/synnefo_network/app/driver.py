"""What carries the packets: a northbound database, ours in memory (which carries none) or OVN's.

Both hold the rows that `domain.northbound` computes and pass one contract suite.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from synnefo_common.ids import uuid5
from synnefo_network.domain.northbound.rows import Change, Delete, Insert, Row, Scope
from synnefo_network.domain.northbound.topology import Agent, Chassis


class Driver(Protocol):
    """A data plane. One process at a time writes to it: `session` is None in the others."""

    is_followed: bool  # something must bring our changes to it: `app.projection`
    session: int | None
    """Another number after each time that somebody else may have written, or the database may be another. None: not the writer."""

    def immediate_status(self, *, is_bound: bool, admin_state_up: bool) -> str | None:
        """The status of a port as soon as the row is written, or None if `statuses` will tell."""

    async def start(self, on_change: Callable[[], None]) -> None:
        """Connect, in the background. `on_change` is called when session, statuses or chassis have changed."""

    async def stop(self) -> None:
        """Give up the writing and disconnect."""

    async def observe(self, scopes: Collection[Scope] | None = None) -> Mapping[tuple[str, str], Row]:
        """Our rows that are there, of some scopes or all. Raises Unavailable."""

    async def apply(self, changes: Sequence[Change]) -> Sequence[tuple[str, str]]:
        """Make the changes in one transaction; the names of rows left alone because what is there is newer.

        May be repeated. Raises Unavailable: nothing was changed, or all was.
        """

    async def admit(self) -> None:
        """All rows are there: let the engine see them. A database that lost its rows is not looked at until then."""

    async def statuses(self) -> Mapping[str, bool]:
        """Port id → whether packets reach it. Ports of which nothing is known are not there."""

    async def chassis(self) -> Sequence[Chassis]:
        """The nodes that carry packets."""

    async def agents(self) -> Sequence[Agent]:
        """The parts on machines that are alive just now; the API shows them."""


_HERE = uuid5("synnefo.network.memory_driver", "memory")


class MemoryDriver:
    """Rows in this process: everything works at once."""

    is_followed = False

    def __init__(self) -> None:
        self.session: int | None = 1
        self.nodes: list[Chassis] = []
        self._rows: dict[tuple[str, str], Row] = {}

    def immediate_status(self, *, is_bound: bool, admin_state_up: bool) -> str | None:
        return "ACTIVE" if is_bound and admin_state_up else "DOWN"

    async def start(self, on_change: Callable[[], None]) -> None:
        on_change()

    async def stop(self) -> None:
        return None

    async def observe(self, scopes: Collection[Scope] | None = None) -> Mapping[tuple[str, str], Row]:
        return {name: row for name, row in self._rows.items() if scopes is None or row.scope in scopes}

    async def apply(self, changes: Sequence[Change]) -> Sequence[tuple[str, str]]:
        stale = []
        for change in changes:
            if isinstance(change, Delete):
                self._remove((change.table, change.key))
            elif isinstance(change, Insert):
                self._rows[change.row.name] = change.row
            elif (there := self._rows.get(change.row.name)) is not None and there.revision > change.row.revision:
                stale.append(change.row.name)
            else:
                self._rows[change.row.name] = change.row
        return stale

    def _remove(self, name: tuple[str, str]) -> None:
        """With it goes what it holds, as in OVSDB; a port group only refers to its ports."""
        self._rows.pop(name, None)
        for child in list(self._rows.values()):
            links = {parent for parent in child.parents if (parent.table, parent.key) == name}
            if any(link.table != "Port_Group" or link.column != "ports" for link in links):
                self._rows.pop(child.name, None)
            elif links:
                self._rows[child.name] = replace(child, parents=child.parents - links)

    async def admit(self) -> None:
        return None

    async def statuses(self) -> Mapping[str, bool]:
        return {row.key: True for row in self._rows.values() if row.table == "Logical_Switch_Port"}

    async def chassis(self) -> Sequence[Chassis]:
        return list(self.nodes)

    async def agents(self) -> Sequence[Agent]:
        return [Agent(_HERE, "memory", "Memory driver", "synnefo-network", configurations={"carries_packets": False})]
