"""What the data plane is computed from: which resources have changed, and all that the rows of some scopes depend on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Row, Table, and_, false, func, literal, or_, select, true, update

from synnefo_common.db import UnitOfWork
from synnefo_network.db.address_groups import address_groups
from synnefo_network.db.floating_ips import floating_ips, port_forwardings
from synnefo_network.db.networks import networks
from synnefo_network.db.ports import ip_allocations, port_security_groups, ports
from synnefo_network.db.qos import qos_rules
from synnefo_network.db.routers import router_ports, routers
from synnefo_network.db.security_groups import security_group_rules, security_groups
from synnefo_network.db.subnets import subnets
from synnefo_network.domain.northbound.rows import Scope
from synnefo_network.domain.northbound.topology import Topology

CHANNEL = "synnefo_network"  # PostgreSQL NOTIFY, inside the transaction: the writer of the data plane wakes at its commit
# Table, its key, its revision, and the id of what it is a part of.
_SCANNED: tuple[tuple[Table, ColumnElement[Any], ColumnElement[Any], ColumnElement[Any]], ...] = (
    (networks, networks.c.id, networks.c.revision, networks.c.id),
    (subnets, subnets.c.id, subnets.c.revision, subnets.c.network_id),
    (ports, ports.c.id, ports.c.revision, ports.c.network_id),
    (routers, routers.c.id, routers.c.revision, routers.c.id),
    (router_ports, router_ports.c.port_id, literal(0), router_ports.c.router_id),
    (floating_ips, floating_ips.c.id, floating_ips.c.revision, floating_ips.c.router_id),
    (port_forwardings, port_forwardings.c.id, port_forwardings.c.revision, port_forwardings.c.floatingip_id),
    (security_groups, security_groups.c.id, security_groups.c.revision, security_groups.c.id),
    (security_group_rules, security_group_rules.c.id, security_group_rules.c.revision, security_group_rules.c.security_group_id),
    (address_groups, address_groups.c.id, address_groups.c.revision, address_groups.c.id),
    (qos_rules, qos_rules.c.id, qos_rules.c.revision, qos_rules.c.policy_id),
)
Scan = Mapping[str, Mapping[str, tuple[int, str | None]]]


async def scan(uow: UnitOfWork) -> Scan:
    """Table → id → (revision, part of): a statement for each table."""
    found: dict[str, dict[str, tuple[int, str | None]]] = {}
    for table, key, revision, owner in _SCANNED:
        rows = await uow.all(select(key.label("k"), revision.label("r"), owner.label("o")))
        found[table.name] = {row.k: (row.r, row.o) for row in rows}
    return found


async def tell(uow: UnitOfWork) -> None:
    """Wake the writer of the data plane in another process when this transaction commits."""
    if uow.dialect == "postgresql":
        await uow.scalar(select(func.pg_notify(CHANNEL, "")))


async def users_of_networks(uow: UnitOfWork, ids: Collection[str]) -> set[Scope]:
    """The ports on the networks, and the routers of those."""
    rows = await uow.all(
        select(ports.c.id, router_ports.c.router_id)
        .select_from(ports.outerjoin(router_ports, router_ports.c.port_id == ports.c.id))
        .where(ports.c.network_id.in_(ids))
    )
    return {Scope("port", r.id) for r in rows} | {Scope("router", r.router_id) for r in rows if r.router_id}


async def users_of_policies(uow: UnitOfWork, ids: Collection[str]) -> set[Scope]:
    """The ports that QoS policies are for, and the routers of floating IPs that they are for."""
    source = ports.join(networks, networks.c.id == ports.c.network_id)
    of_ports = or_(ports.c.qos_policy_id.in_(ids), networks.c.qos_policy_id.in_(ids))
    found = {Scope("port", r.id) for r in await uow.all(select(ports.c.id).select_from(source).where(of_ports))}
    f = floating_ips
    rows = await uow.all(select(f.c.router_id).where(f.c.qos_policy_id.in_(ids), f.c.router_id.is_not(None)))
    return found | {Scope("router", r.router_id) for r in rows}


def _in(column: ColumnElement[Any], ids: Collection[str] | None) -> ColumnElement[bool]:
    if ids is None:
        return true()
    return column.in_(ids) if ids else false()


async def _by_id(uow: UnitOfWork, table: Table, ids: Collection[str] | None) -> dict[str, Row[Any]]:
    if ids is not None and not ids:
        return {}
    return {row.id: row for row in await uow.all(select(table).where(_in(table.c.id, ids)).order_by(table.c.id))}


async def _grouped(uow: UnitOfWork, table: Table, column: str, ids: Collection[str] | None) -> dict[str, list[Row[Any]]]:
    """The rows by the value of a column, in the order of their keys."""
    if ids is not None and not ids:
        return {}
    found: dict[str, list[Row[Any]]] = {}
    for row in await uow.all(select(table).where(_in(table.c[column], ids), table.c[column].is_not(None)).order_by(*table.primary_key.columns)):
        found.setdefault(getattr(row, column), []).append(row)
    return found


async def load(uow: UnitOfWork, scopes: Collection[Scope] | None) -> Topology:
    """All that the rows of the scopes (None: of all) depend on, in a constant number of statements."""

    def ids(kind: str) -> set[str] | None:
        return None if scopes is None else {s.id for s in scopes if s.kind == kind}

    def only(values: Iterable[str]) -> set[str] | None:
        return None if scopes is None else set(values)

    t = Topology()
    t.networks = await _by_id(uow, networks, ids("network"))
    t.ports = await _by_id(uow, ports, ids("port"))
    t.routers = await _by_id(uow, routers, ids("router"))
    t.address_groups = await _by_id(uow, address_groups, ids("address_group"))
    t.security_groups = await _by_id(uow, security_groups, ids("security_group"))
    t.rules = await _grouped(uow, security_group_rules, "security_group_id", ids("security_group"))
    rp = router_ports.c
    of_routers = await uow.all(select(router_ports).where(or_(_in(rp.router_id, ids("router")), _in(rp.port_id, ids("port")))))
    t.router_of = {row.port_id: row for row in of_routers}
    more = {row.port_id for row in of_routers} - t.ports.keys()
    every = {**t.ports, **(await _by_id(uow, ports, more))}
    belonging: dict[str, list[Row[Any]]] = {}
    for row in sorted(of_routers, key=lambda r: str(r.port_id)):
        if row.port_id in every:
            belonging.setdefault(row.router_id, []).append(every[row.port_id])
    t.router_ports = belonging
    t.addresses = await _grouped(uow, ip_allocations, "port_id", only(every))
    members = await _grouped(uow, port_security_groups, "port_id", only(t.ports))
    t.groups_of = {port: [row.security_group_id for row in rows] for port, rows in members.items()}
    missing = {p.network_id for p in every.values()} - t.networks.keys()
    t.known_networks = {**t.networks, **(await _by_id(uow, networks, missing))}
    t.subnets = await _grouped(uow, subnets, "network_id", only(t.known_networks))
    t.floating_ips = await _grouped(uow, floating_ips, "router_id", only(t.routers))
    floating = [f for these in t.floating_ips.values() for f in these]
    t.forwardings = await _grouped(uow, port_forwardings, "floatingip_id", only(f.id for f in floating))
    policies = {row.qos_policy_id for row in (*every.values(), *t.known_networks.values(), *floating) if row.qos_policy_id}
    t.qos_rules = await _grouped(uow, qos_rules, "policy_id", only(policies))
    return t


async def port_statuses(uow: UnitOfWork) -> list[tuple[str, str, bool]]:
    """(id, status, admin_state_up) of all ports but those that only hold a floating IP's address."""
    t = ports
    rows = await uow.all(select(t.c.id, t.c.status, t.c.admin_state_up).where(t.c.device_owner != "network:floatingip"))
    return [(row.id, row.status, row.admin_state_up) for row in rows]


async def set_port_status(uow: UnitOfWork, ids: Collection[str], status: str) -> dict[str, Row[Any]]:
    """Write what is; the ports that had another status. The revision is what the user wants and stays."""
    t = ports
    changed = update(t).where(t.c.id.in_(ids), t.c.status != status).values(status=status, updated_at=uow.db.clock.now_us())
    return {row.id: row for row in await uow.all(changed.returning(t))}


async def set_floating_ip_statuses(uow: UnitOfWork, synced: Mapping[str, tuple[int, str | None]]) -> int:
    """Floating IPs that lead somewhere and whose router or port has been written are ACTIVE."""
    f = floating_ips
    waiting = await uow.all(select(f.c.id, f.c.revision, f.c.router_id).where(_waits()))
    ready = [row.id for row in waiting if synced.get(row.id) == (row.revision, row.router_id)]
    if not ready:
        return 0
    return await uow.run(update(f).where(f.c.id.in_(ready), _waits()).values(status="ACTIVE", updated_at=uow.db.clock.now_us()))


async def has_waiting_floating_ips(uow: UnitOfWork) -> bool:
    """Whether some floating IP leads somewhere and does not say so."""
    f = floating_ips
    return await uow.scalar(select(f.c.id).where(_waits()).limit(1)) is not None


def _waits() -> ColumnElement[bool]:
    f = floating_ips
    return and_(f.c.status == "DOWN", or_(f.c.router_id.is_not(None), f.c.port_id.is_not(None)))
