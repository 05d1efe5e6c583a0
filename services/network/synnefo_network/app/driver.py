"""What carries the packets, behind two calls. The memory driver keeps rows and carries none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from synnefo_common.ids import uuid5


@dataclass(frozen=True, slots=True)
class Change:
    """One desired row of the data plane: `kind` and `key` name it, `row` is its content, None removes it."""

    kind: str
    key: str
    row: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Chassis:
    """A part of the data plane on one machine, as seen alive just now."""

    id: str
    host: str
    agent_type: str
    binary: str
    availability_zone: str = ""
    configurations: Mapping[str, Any] = field(default_factory=dict)


class Driver(Protocol):
    """A data plane."""

    def immediate_status(self, *, is_bound: bool, admin_state_up: bool) -> str | None:
        """The status of a port as soon as the row is written, or None if `observe` will tell."""

    async def apply(self, changes: Sequence[Change]) -> None:
        """Make the rows so. May be repeated."""

    async def observe(self) -> Mapping[tuple[str, str], Mapping[str, Any]]:
        """All rows that are there, by (kind, key)."""

    async def chassis(self) -> Sequence[Chassis]:
        """The machines that carry packets and are alive; the API shows them as agents."""


_HERE = uuid5("synnefo.network.memory_driver", "memory")


class MemoryDriver:
    """Rows in this process: everything works at once."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], Mapping[str, Any]] = {}

    def immediate_status(self, *, is_bound: bool, admin_state_up: bool) -> str | None:
        return "ACTIVE" if is_bound and admin_state_up else "DOWN"

    async def apply(self, changes: Sequence[Change]) -> None:
        for change in changes:
            if change.row is None:
                self._rows.pop((change.kind, change.key), None)
            else:
                self._rows[change.kind, change.key] = change.row

    async def observe(self) -> Mapping[tuple[str, str], Mapping[str, Any]]:
        return dict(self._rows)

    async def chassis(self) -> Sequence[Chassis]:
        return [Chassis(_HERE, "memory", "Memory driver", "synnefo-network", configurations={"carries_packets": False})]
