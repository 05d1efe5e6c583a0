"""A row of the northbound database as it should be, and the difference between what should be and what is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

# Names and external ids are Neutron's, which people and tools know; these mark what is ours. Rows without them are not touched.
KEY = "synnefo:key"
SCOPE = "synnefo:scope"
PARENTS = "synnefo:parents"
REVISION = "neutron:revision_number"
DROP_GROUP = "neutron_pg_drop"


class Scope(NamedTuple):
    """The resource whose rows are made together: network, port, router, security_group, address_group, or `cloud`."""

    kind: str
    id: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.id}"


CLOUD = Scope("cloud", "")


class Ref(NamedTuple):
    """A reference to another row of ours."""

    table: str
    key: str


class Parent(NamedTuple):
    """The column of another row of ours that holds this one."""

    table: str
    column: str
    key: str


@dataclass(frozen=True, slots=True)
class Row:
    """`columns`: scalars; frozensets for sets and optional values; dicts for maps. `external_ids` has only what others may read."""

    table: str
    key: str
    scope: Scope
    columns: Mapping[str, Any] = field(default_factory=dict)
    parents: frozenset[Parent] = frozenset()
    revision: int = 0

    @property
    def name(self) -> tuple[str, str]:
        return (self.table, self.key)

    def marks(self) -> dict[str, str]:
        """The external ids by which we know the row again."""
        parents = " ".join(sorted("/".join(p) for p in self.parents))
        return {KEY: self.key, SCOPE: str(self.scope), PARENTS: parents, REVISION: str(self.revision)}


def read_parents(text: str) -> frozenset[Parent]:
    """The parents that `marks` wrote."""
    return frozenset(Parent(*word.split("/", 2)) for word in text.split())


@dataclass(frozen=True, slots=True)
class Insert:
    """Make the row and put it into its parents."""

    row: Row


@dataclass(frozen=True, slots=True)
class Update:
    """Bring columns of a row to their values, and the row into and out of parents."""

    row: Row
    columns: Mapping[str, Any]
    joins: frozenset[Parent] = frozenset()
    leaves: frozenset[Parent] = frozenset()


@dataclass(frozen=True, slots=True)
class Delete:
    """Take the row out of its parents and away."""

    table: str
    key: str
    parents: frozenset[Parent]


Change = Insert | Update | Delete


def plan(desired: Iterable[Row], actual: Mapping[tuple[str, str], Row]) -> Sequence[Change]:
    """What to do so that the rows that are there become the desired ones. A row that is as it should be costs nothing."""
    changes: list[Change] = []
    wanted: set[tuple[str, str]] = set()
    for row in desired:
        wanted.add(row.name)
        there = actual.get(row.name)
        if there is None:
            changes.append(Insert(row))
            continue
        columns = {name: value for name, value in row.columns.items() if there.columns.get(name) != value}
        if columns or row.parents != there.parents or row.revision != there.revision or row.scope != there.scope:
            changes.append(Update(row, columns, row.parents - there.parents, there.parents - row.parents))
    changes += [Delete(row.table, row.key, row.parents) for name, row in actual.items() if name not in wanted]
    return changes
