"""Our rows in the northbound database: found by their marks, read, and changed in one transaction. Runs in the connection's thread."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from ovs.db import idl as ovs_idl

from synnefo_common.log import get_logger
from synnefo_network.clients.ovn.connection import Replica, commit
from synnefo_network.domain.northbound.rows import (
    KEY,
    PARENTS,
    REVISION,
    SCOPE,
    Change,
    Delete,
    Insert,
    Parent,
    Ref,
    Row,
    Scope,
    Update,
    read_parents,
)

log = get_logger(__name__)
_MARKS = (KEY, SCOPE, PARENTS, REVISION)
# What of the tables we read and write; the columns of `CHILDREN` hold rows of ours by reference.
CHILDREN = {
    "Logical_Switch": ("ports", "qos_rules"),
    "Port_Group": ("ports", "acls"),
    "Logical_Router": ("ports", "static_routes", "nat", "load_balancer"),
    "Logical_Router_Port": ("gateway_chassis",),
}
TABLES: dict[str, tuple[str, ...]] = {
    "Logical_Switch": ("name", "ports", "qos_rules", "other_config", "external_ids"),
    "Logical_Switch_Port": (
        "name", "type", "options", "tag", "addresses", "port_security", "up", "enabled", "dhcpv4_options", "dhcpv6_options", "external_ids",
    ),
    "DHCP_Options": ("cidr", "options", "external_ids"),
    "Port_Group": ("name", "ports", "acls", "external_ids"),
    "ACL": ("priority", "direction", "match", "action", "external_ids"),
    "Address_Set": ("name", "addresses", "external_ids"),
    "Logical_Router": ("name", "ports", "static_routes", "nat", "load_balancer", "enabled", "options", "external_ids"),
    "Logical_Router_Port": ("name", "mac", "networks", "enabled", "gateway_chassis", "ipv6_ra_configs", "options", "external_ids"),
    "Gateway_Chassis": ("name", "chassis_name", "priority", "external_ids"),
    "Logical_Router_Static_Route": ("ip_prefix", "nexthop", "output_port", "external_ids"),
    "NAT": ("type", "external_ip", "logical_ip", "external_ids"),
    "Load_Balancer": ("name", "vips", "protocol", "options", "external_ids"),
    "QoS": ("priority", "direction", "match", "action", "bandwidth", "external_ids"),
    "NB_Global": ("nb_cfg", "connections", "external_ids"),
    "Connection": ("target", "inactivity_probe", "external_ids"),
}  # fmt: skip


class Northbound:
    """The index of our rows, kept by the row events of the replica."""

    def __init__(self) -> None:
        self._uuids: dict[tuple[str, str], UUID] = {}
        self._scopes: dict[str, set[tuple[str, str]]] = {}

    def on_row(self, event: str, row: Any) -> None:
        """A row has come, changed or gone."""
        table = row._table.name
        marks = _map(row, "external_ids") if "external_ids" in TABLES.get(table, ()) else {}
        name = (table, marks.get(KEY, ""))
        if not name[1]:
            return
        members = self._scopes.setdefault(marks.get(SCOPE, ""), set())
        if event == ovs_idl.ROW_DELETE:
            if self._uuids.get(name) == row.uuid:
                del self._uuids[name]
                members.discard(name)
        else:
            self._uuids[name] = row.uuid
            members.add(name)

    def find(self, replica: Replica, name: tuple[str, str]) -> Any:
        """The row of ours by name, or None."""
        uuid = self._uuids.get(name)
        return None if uuid is None else replica.tables[name[0]].rows.get(uuid)

    def observe(self, replica: Replica, scopes: Collection[Scope] | None) -> dict[tuple[str, str], Row]:
        """Our rows, of some scopes or all. Of all, it is looked up what really hangs where."""
        if scopes is None:
            names: set[tuple[str, str]] = set(self._uuids)
            held = self._held(replica)
        else:
            names = {name for scope in scopes for name in self._scopes.get(str(scope), ())}
            held = None
        found = {}
        for name in names:
            raw = self.find(replica, name)
            if raw is None or (marks := _map(raw, "external_ids")).get(KEY) != name[1]:
                continue
            if scopes is not None and Scope(*marks[SCOPE].split("/", 1)) not in scopes:
                continue
            parents = read_parents(marks.get(PARENTS, "")) if held is None else frozenset(held.get(raw.uuid, ()))
            found[name] = self._read(replica, raw, name, marks, parents)
        return found

    def _held(self, replica: Replica) -> dict[UUID, set[Parent]]:
        held: dict[UUID, set[Parent]] = {}
        for table, columns in CHILDREN.items():
            for raw in replica.tables[table].rows.values():
                key = _map(raw, "external_ids").get(KEY)
                if key is None:
                    continue
                for column in columns:
                    parent = Parent(table, column, key)
                    for atom in raw._data[column].values:
                        held.setdefault(atom.value, set()).add(parent)
        return held

    def _read(self, replica: Replica, raw: Any, name: tuple[str, str], marks: dict[str, str], parents: frozenset[Parent]) -> Row:
        columns = {}
        for column in raw._table.columns:
            if column not in CHILDREN.get(name[0], ()):
                columns[column] = _value(replica, raw, column)
        columns["external_ids"] = {k: v for k, v in marks.items() if k not in _MARKS}
        return Row(*name, Scope(*marks[SCOPE].split("/", 1)), columns, parents, int(marks.get(REVISION, 0)))

    def apply(self, replica: Replica, changes: Sequence[Change]) -> list[tuple[str, str]]:
        """One transaction. Names of the rows left alone: what is there is newer."""
        transaction = ovs_idl.Transaction(replica)
        transaction.add_comment("synnefo")
        writer = _Writer(self, replica, transaction)
        try:
            for change in changes:
                writer.write(change)
            writer.hang()
            commit(transaction)
        finally:
            transaction.abort()
        if writer.lost:
            log.warning("northbound_references_lost", names=[f"{t}/{k}" for t, k in sorted(writer.lost)][:20])
        return writer.stale


class _Writer:
    """Changes on their way into a transaction."""

    def __init__(self, northbound: Northbound, replica: Replica, transaction: Any) -> None:
        self.stale: list[tuple[str, str]] = []
        self.lost: set[tuple[str, str]] = set()  # referred to, and not there
        self._northbound = northbound
        self._replica = replica
        self._transaction = transaction
        self._new: dict[tuple[str, str], Any] = {}
        self._gone: set[tuple[str, str]] = set()
        self._joins: list[tuple[Parent, Any]] = []
        self._leaves: list[tuple[Parent, Any]] = []

    def write(self, change: Change) -> None:
        if isinstance(change, Delete):
            raw = self._northbound.find(self._replica, (change.table, change.key))
            if raw is not None:
                self._gone.add((change.table, change.key))
                self._leaves += [(parent, raw) for parent in change.parents]
                raw.delete()
        elif isinstance(change, Insert):
            raw = self._transaction.insert(self._replica.tables[change.row.table])
            self._new[change.row.name] = raw
            self._set(raw, change.row, change.row.columns)
            self._joins += [(parent, raw) for parent in change.row.parents]
        else:
            self._update(change)

    def _update(self, change: Update) -> None:
        raw = self._northbound.find(self._replica, change.row.name)
        if raw is None:
            return
        # Whoever else writes here between our reading and the commit makes the commit fail.
        raw.verify("external_ids")
        if int(_map(raw, "external_ids").get(REVISION, 0)) > change.row.revision:
            self.stale.append(change.row.name)
            return
        self._set(raw, change.row, {**change.columns, "external_ids": change.row.columns["external_ids"]})
        self._joins += [(parent, raw) for parent in change.joins]
        self._leaves += [(parent, raw) for parent in change.leaves]

    def _set(self, raw: Any, row: Row, columns: Mapping[str, Any]) -> None:
        for column, value in columns.items():
            if column == "external_ids":
                raw.external_ids = {**value, **row.marks()}
            elif column in raw._table.columns:
                setattr(raw, column, self._python(value))

    def _python(self, value: Any) -> Any:
        if isinstance(value, frozenset):
            return [v for v in map(self._python, value) if v is not None]
        if isinstance(value, Ref):
            return self._target((value.table, value.key))
        return dict(value) if isinstance(value, Mapping) else value

    def _target(self, name: tuple[str, str]) -> Any:
        raw = self._new.get(name) or self._northbound.find(self._replica, name)
        if raw is None or name in self._gone:
            self.lost.add(name)
            return None
        return raw

    def hang(self) -> None:
        """Put rows into their parents and take them out: after all rows are there."""
        fresh: dict[tuple[tuple[str, str], str], list[Any]] = {}
        for parent, raw in self._joins:
            name = (parent.table, parent.key)
            target = self._target(name)
            if target is None:
                continue
            if name in self._new:
                fresh.setdefault((name, parent.column), []).append(raw)
            else:
                target.addvalue(parent.column, raw)
        for (name, column), raws in fresh.items():
            setattr(self._new[name], column, raws)
        for parent, raw in self._leaves:
            name = (parent.table, parent.key)
            target = None if name in self._gone else self._northbound.find(self._replica, name)
            if target is not None:
                target.delvalue(parent.column, raw)


def _map(raw: Any, column: str) -> dict[str, str]:
    return {k.value: v.value for k, v in raw._data[column].values.items()}


def _value(replica: Replica, raw: Any, column: str) -> Any:
    """A column as `Row` has it: a scalar, a frozenset or a dict."""
    kind = raw._table.columns[column].type
    values = raw._data[column].values
    if kind.is_map():
        return {k.value: v.value for k, v in values.items()}
    if kind.key.ref_table_name:
        return frozenset(_references(replica, kind.key.ref_table_name, values))
    if kind.is_scalar():
        return next(iter(values)).value
    return frozenset(atom.value for atom in values)


def _references(replica: Replica, table: str, values: Any) -> Iterator[Ref]:
    for atom in values:
        target = replica.tables[table].rows.get(atom.value) if table in replica.tables else None
        if target is not None:
            yield Ref(table, _map(target, "external_ids").get(KEY, ""))
