"""Ports, the addresses they hold, and their security groups: tables and queries.

`ip_allocations` has a row per address in use; its primary key is what makes an address belong to one port.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Row,
    String,
    Table,
    delete,
    func,
    or_,
    select,
    true,
    update,
)

from synnefo_common.db import JSON, UnitOfWork
from synnefo_common.db.sql import insert_for
from synnefo_network.db.address_history import end_rows
from synnefo_network.db.base import metadata
from synnefo_network.db.columns import standard_columns
from synnefo_network.db.networks import networks

ports = Table(
    "ports",
    metadata,
    *standard_columns(),
    Column("network_id", String(36), ForeignKey("networks.id"), nullable=False, index=True),
    Column("mac_address", String(17), nullable=False, unique=True),  # over the whole cloud
    Column("admin_state_up", Boolean, nullable=False),
    Column("status", String(16), nullable=False),
    Column("device_id", String(255), nullable=False, index=True),
    Column("device_owner", String(255), nullable=False),
    Column("port_security_enabled", Boolean, nullable=False),
    Column("allowed_address_pairs", JSON, nullable=False),
    Column("extra_dhcp_opts", JSON, nullable=False),
    Column("vnic_type", String(64), nullable=False),
    Column("host_id", String(255), nullable=False),
    Column("profile", JSON, nullable=False),
    Column("is_bound", Boolean, nullable=False),  # a server's NIC stands behind it
    Column("is_server_made", Boolean, nullable=False),  # made with a server and deleted with it
    Column("qos_policy_id", String(36), ForeignKey("qos_policies.id", name="fk_ports_qos_policy_id"), index=True),
    Index("ix_ports_is_server_made", "is_server_made", "created_at"),
)
ip_allocations = Table(
    "ip_allocations",
    metadata,
    Column("subnet_id", String(36), ForeignKey("subnets.id"), primary_key=True),
    Column("ip_address", String(64), primary_key=True),
    Column("port_id", String(36), ForeignKey("ports.id", ondelete="CASCADE"), nullable=False, index=True),
)
port_security_groups = Table(
    "port_security_groups",
    metadata,
    Column("port_id", String(36), ForeignKey("ports.id", ondelete="CASCADE"), primary_key=True),
    Column("security_group_id", String(36), ForeignKey("security_groups.id"), primary_key=True, index=True),
)


def visible(project_id: str | None) -> ColumnElement[bool]:
    """Ports that a project sees: its own and all on its networks."""
    if project_id is None:
        return true()
    own_networks = select(networks.c.id).where(networks.c.project_id == project_id)
    return or_(ports.c.project_id == project_id, ports.c.network_id.in_(own_networks))


async def get_port(uow: UnitOfWork, port_id: str, *, project_id: str | None) -> Row[Any] | None:
    """A port that the project sees (None: any)."""
    return await uow.one(select(ports).where(ports.c.id == port_id, visible(project_id)))


async def get_ports(uow: UnitOfWork, ids: Collection[str], *, project_id: str | None) -> dict[str, Row[Any]]:
    if not ids:
        return {}
    rows = await uow.all(select(ports).where(ports.c.id.in_(ids), visible(project_id)))
    return {row.id: row for row in rows}


async def ports_of_device(uow: UnitOfWork, device_id: str) -> Sequence[Row[Any]]:
    return await uow.all(select(ports).where(ports.c.device_id == device_id).order_by(ports.c.created_at, ports.c.id))


async def addresses_of(uow: UnitOfWork, port_ids: Collection[str]) -> dict[str, list[dict[str, str]]]:
    """Port id → [{"subnet_id", "ip_address"}]."""
    found: dict[str, list[dict[str, str]]] = {i: [] for i in port_ids}
    a = ip_allocations
    statement = select(a.c.port_id, a.c.subnet_id, a.c.ip_address).where(a.c.port_id.in_(port_ids)).order_by(a.c.subnet_id, a.c.ip_address)
    for row in await uow.all(statement):
        found[row.port_id].append({"subnet_id": row.subnet_id, "ip_address": row.ip_address})
    return found


async def group_ids_of(uow: UnitOfWork, port_ids: Collection[str]) -> dict[str, list[str]]:
    """Port id → ids of its security groups."""
    found: dict[str, list[str]] = {i: [] for i in port_ids}
    g = port_security_groups
    statement = select(g.c.port_id, g.c.security_group_id).where(g.c.port_id.in_(port_ids)).order_by(g.c.security_group_id)
    for row in await uow.all(statement):
        found[row.port_id].append(row.security_group_id)
    return found


async def take_addresses(uow: UnitOfWork, rows: Sequence[dict[str, str]]) -> set[tuple[str, str]]:
    """Try to take addresses; those got, as (subnet id, address).

    One statement in the order of the key, so that callers who want the same rows wait for each other and never
    deadlock.
    """
    a = ip_allocations
    ordered = sorted(rows, key=lambda r: (r["subnet_id"], r["ip_address"]))
    statement = insert_for(uow.dialect, a).values(ordered).on_conflict_do_nothing().returning(a.c.subnet_id, a.c.ip_address)
    return {(row.subnet_id, row.ip_address) for row in await uow.all(statement)}


async def taken_addresses(uow: UnitOfWork, subnet_id: str) -> set[str]:
    """All addresses in use in a subnet."""
    a = ip_allocations
    return {row[0] for row in await uow.all(select(a.c.ip_address).where(a.c.subnet_id == subnet_id))}


async def release_addresses(uow: UnitOfWork, port_id: str, pairs: Collection[tuple[str, str]]) -> int:
    """Give back addresses of a port."""
    a = ip_allocations
    these = or_(*((a.c.subnet_id == s) & (a.c.ip_address == i) for s, i in pairs))
    return await uow.run(delete(a).where(a.c.port_id == port_id, these))


async def insert_ports(uow: UnitOfWork, rows: Sequence[dict[str, Any]]) -> Sequence[Row[Any]]:
    """Insert ports, in the order of their MACs (see `take_addresses`); the rows of those whose MAC was free."""
    ordered = sorted(rows, key=lambda r: str(r["mac_address"]))
    statement = insert_for(uow.dialect, ports).values(ordered).on_conflict_do_nothing(index_elements=["mac_address"])
    return await uow.all(statement.returning(ports))


async def set_groups(uow: UnitOfWork, pairs: Sequence[tuple[str, str]], *, instead_of: str | None = None) -> None:
    """Put ports into security groups as (port id, group id); first take the port `instead_of` out of all."""
    g = port_security_groups
    if instead_of is not None:
        await uow.run(delete(g).where(g.c.port_id == instead_of))
    if pairs:
        await uow.run(insert_for(uow.dialect, g).values([{"port_id": p, "security_group_id": s} for p, s in pairs]))


async def leave_group(uow: UnitOfWork, port_ids: Collection[str], group_id: str) -> None:
    """Take ports out of a security group."""
    g = port_security_groups
    await uow.run(delete(g).where(g.c.port_id.in_(port_ids), g.c.security_group_id == group_id))


async def owners_on_network(uow: UnitOfWork, network_id: str) -> Sequence[Row[Any]]:
    """Who has ports on a network, once each, as (project_id, device_owner)."""
    return await uow.all(select(ports.c.project_id, ports.c.device_owner).where(ports.c.network_id == network_id).distinct())


async def plain_ports_of(uow: UnitOfWork, network_id: str) -> Sequence[Row[Any]]:
    """The ports of a network as (id, mac_address), without those of routers and floating IPs."""
    t = ports
    plain = select(t.c.id, t.c.mac_address).where(t.c.network_id == network_id, t.c.device_owner.not_like("network:%"))
    return await uow.all(plain.order_by(t.c.id))


async def is_group_used(uow: UnitOfWork, group_id: str) -> bool:
    g = port_security_groups
    return await uow.scalar(select(g.c.port_id).where(g.c.security_group_id == group_id).limit(1)) is not None


async def is_subnet_used(uow: UnitOfWork, subnet_id: str) -> bool:
    a = ip_allocations
    return await uow.scalar(select(a.c.port_id).where(a.c.subnet_id == subnet_id).limit(1)) is not None


async def holder_of(uow: UnitOfWork, subnet_id: str, ip_address: str) -> str | None:
    """The id of the port that has the address."""
    a = ip_allocations
    found: str | None = await uow.scalar(select(a.c.port_id).where(a.c.subnet_id == subnet_id, a.c.ip_address == ip_address))
    return found


async def used_by_subnet(uow: UnitOfWork, subnet_ids: Collection[str]) -> dict[str, int]:
    """Subnet id → how many of its addresses are in use."""
    a = ip_allocations
    rows = await uow.all(select(a.c.subnet_id, func.count().label("used")).where(a.c.subnet_id.in_(subnet_ids)).group_by(a.c.subnet_id))
    return {row.subnet_id: int(row.used) for row in rows}


async def bind_port(uow: UnitOfWork, port_id: str, *, device_id: str, values: dict[str, Any]) -> int:
    """Give a free port to a server; 0 if another has it."""
    t = ports
    free = or_(t.c.device_id == "", t.c.device_id == device_id)
    return await uow.run(
        update(t).where(t.c.id == port_id, free).values(device_id=device_id, revision=t.c.revision + 1, updated_at=uow.db.clock.now_us(), **values)
    )


async def delete_ports(uow: UnitOfWork, ids: Collection[str]) -> Sequence[Row[Any]]:
    """Delete ports and end the history of their addresses; (id, project_id, device_id, device_owner) of those that were there."""
    t = ports
    if ids:
        await end_rows(uow, port_ids=ids)
    return await uow.all(delete(t).where(t.c.id.in_(ids)).returning(t.c.id, t.c.project_id, t.c.device_id, t.c.device_owner))


async def release_subnet(uow: UnitOfWork, subnet_id: str) -> int:
    """Give back all addresses of a subnet."""
    return await uow.run(delete(ip_allocations).where(ip_allocations.c.subnet_id == subnet_id))


async def mac_holder(uow: UnitOfWork, mac: str) -> str | None:
    """The id of the port that has the MAC."""
    found: str | None = await uow.scalar(select(ports.c.id).where(ports.c.mac_address == mac))
    return found


async def unbind_port(uow: UnitOfWork, port_id: str, *, device_id: str, status: str) -> int:
    """Take a port from a server."""
    t = ports
    return await uow.run(
        update(t)
        .where(t.c.id == port_id, t.c.device_id == device_id)
        .values(
            device_id="",
            device_owner="",
            host_id="",
            is_bound=False,
            status=status,
            revision=t.c.revision + 1,
            updated_at=uow.db.clock.now_us(),
        )
    )


async def servers_with_old_ports(uow: UnitOfWork, *, created_before: int, after: str, limit: int) -> list[str]:
    """Ids of servers that ports were made with before a time, in order, after the id `after`."""
    t = ports
    old = t.c.is_server_made & (t.c.created_at < created_before) & (t.c.device_id > after)
    return [row.device_id for row in await uow.all(select(t.c.device_id).where(old).distinct().order_by(t.c.device_id).limit(limit))]
