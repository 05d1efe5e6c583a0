"""Floating IPs and their port forwardings: tables and queries. The address itself is held by a port of the external network."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    Row,
    String,
    Table,
    UniqueConstraint,
    and_,
    delete,
    or_,
    select,
    true,
    update,
)

from synnefo_common.db import UnitOfWork
from synnefo_network.db.address_history import end_rows
from synnefo_network.db.base import metadata
from synnefo_network.db.columns import standard_columns
from synnefo_network.db.ports import ip_allocations, ports
from synnefo_network.db.subnets import subnets

floating_ips = Table(
    "floating_ips",
    metadata,
    *standard_columns(named=False),
    Column("floating_network_id", String(36), ForeignKey("networks.id"), nullable=False, index=True),
    Column("floating_ip_address", String(64), nullable=False),
    Column("floating_port_id", String(36), ForeignKey("ports.id"), nullable=False, unique=True),
    Column("status", String(16), nullable=False),
    Column("port_id", String(36), ForeignKey("ports.id", name="fk_floating_ips_port_id")),
    Column("fixed_ip_address", String(64)),
    Column("router_id", String(36), index=True),
    Column("qos_policy_id", String(36), ForeignKey("qos_policies.id", name="fk_floating_ips_qos_policy_id"), index=True),
    Index("uq_floating_ips_fixed", "port_id", "fixed_ip_address", "floating_network_id", unique=True),
)
port_forwardings = Table(
    "port_forwardings",
    metadata,
    *standard_columns(named=False),
    Column("floatingip_id", String(36), ForeignKey("floating_ips.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("protocol", String(8), nullable=False),
    Column("external_port", Integer, nullable=False),
    Column("internal_port", Integer, nullable=False),
    Column("internal_port_id", String(36), ForeignKey("ports.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("internal_ip_address", String(64), nullable=False),
    UniqueConstraint("floatingip_id", "protocol", "external_port", name="uq_port_forwardings_external"),
    UniqueConstraint("floatingip_id", "protocol", "internal_port_id", "internal_ip_address", "internal_port", name="uq_port_forwardings_internal"),
)


async def get_floating_ip(uow: UnitOfWork, floating_ip_id: str, *, project_id: str | None) -> Row[Any] | None:
    f = floating_ips
    return await uow.one(select(f).where(f.c.id == floating_ip_id, f.c.project_id == project_id if project_id is not None else true()))


async def get_floating_ips(uow: UnitOfWork, ids: Collection[str]) -> dict[str, Row[Any]]:
    """Whoever's they are, by id."""
    return {row.id: row for row in await uow.all(select(floating_ips).where(floating_ips.c.id.in_(ids)))}


async def addresses_to(uow: UnitOfWork, port_ids: Collection[str]) -> dict[str, list[str]]:
    """Port id → floating addresses that lead to the port."""
    f = floating_ips
    found: dict[str, list[str]] = {}
    for row in await uow.all(select(f.c.port_id, f.c.floating_ip_address).where(f.c.port_id.in_(port_ids)).order_by(f.c.floating_ip_address)):
        found.setdefault(row.port_id, []).append(row.floating_ip_address)
    return found


async def fixed_addresses(uow: UnitOfWork, port_id: str) -> set[str]:
    """The port's addresses to which floating IPs or port forwardings lead."""
    f, p = floating_ips, port_forwardings
    led = select(f.c.fixed_ip_address.label("a")).where(f.c.port_id == port_id)
    forwarded = select(p.c.internal_ip_address.label("a")).where(p.c.internal_port_id == port_id)
    return {row.a for row in await uow.all(led.union(forwarded))}


async def other_floating_ip(uow: UnitOfWork, row: Row[Any] | None, *, port_id: str, fixed_ip_address: str, network_id: str) -> str | None:
    """The floating IP of the network that leads to the address already, if it is another."""
    f = floating_ips
    found: str | None = await uow.scalar(
        select(f.c.id).where(
            f.c.port_id == port_id,
            f.c.fixed_ip_address == fixed_ip_address,
            f.c.floating_network_id == network_id,
            f.c.id != row.id if row is not None else true(),
        )
    )
    return found


async def dissociate(uow: UnitOfWork, port_ids: Collection[str]) -> list[str]:
    """Take floating IPs and port forwardings from ports; the ids of the floating IPs that led to them."""
    f, p = floating_ips, port_forwardings
    nothing = {"port_id": None, "fixed_ip_address": None, "router_id": None, "status": "DOWN"}
    now = uow.db.clock.now_us()
    let_go = update(f).where(f.c.port_id.in_(port_ids)).values(**nothing, revision=f.c.revision + 1, updated_at=now)
    led = await uow.all(let_go.returning(f.c.id, f.c.floating_ip_address, f.c.floating_network_id, f.c.floating_port_id))
    for row in led:  # of one that sat on the port itself the address goes back to its keeper
        of_network = select(subnets.c.id).where(subnets.c.network_id == row.floating_network_id)
        a = ip_allocations.c
        sat = and_(a.port_id.in_(port_ids), a.ip_address == row.floating_ip_address, a.subnet_id.in_(of_network))
        await uow.run(update(ip_allocations).where(sat).values(port_id=row.floating_port_id))
    gone = await uow.all(delete(p).where(p.c.internal_port_id.in_(port_ids)).returning(p.c.floatingip_id))
    if gone:
        await forget_idle(uow, {row.floatingip_id for row in gone})
    return [row.id for row in led]


async def forget_idle(uow: UnitOfWork, floating_ip_ids: Collection[str]) -> int:
    """Take floating IPs from their routers that lead nowhere any more."""
    f = floating_ips
    values = {"router_id": None, "status": "DOWN", "revision": f.c.revision + 1, "updated_at": uow.db.clock.now_us()}
    return await uow.run(update(f).where(f.c.id.in_(floating_ip_ids), f.c.port_id.is_(None), ~_forwards()).values(**values))


def _forwards() -> ColumnElement[bool]:
    return select(port_forwardings.c.id).where(port_forwardings.c.floatingip_id == floating_ips.c.id).exists()


async def is_forwarded_to(uow: UnitOfWork, port_id: str, ip_address: str) -> bool:
    """Whether a port forwarding leads to the address of the port."""
    p = port_forwardings
    there = select(p.c.id).where(p.c.internal_port_id == port_id, p.c.internal_ip_address == ip_address)
    return await uow.scalar(there.limit(1)) is not None


async def port_details(uow: UnitOfWork, port_ids: Collection[str]) -> dict[str, Row[Any]]:
    """What a floating IP shows of its port, by the port's id."""
    p = ports.c
    shown = select(p.id, p.name, p.network_id, p.mac_address, p.admin_state_up, p.status, p.device_id, p.device_owner)
    return {row.id: row for row in await uow.all(shown.where(p.id.in_(port_ids)))}


async def forwardings_of(uow: UnitOfWork, floating_ip_ids: Collection[str]) -> dict[str, list[Row[Any]]]:
    """Floating IP id → its port forwardings, oldest first."""
    found: dict[str, list[Row[Any]]] = {i: [] for i in floating_ip_ids}
    p = port_forwardings
    for row in await uow.all(select(p).where(p.c.floatingip_id.in_(floating_ip_ids)).order_by(p.c.created_at, p.c.id)):
        found[row.floatingip_id].append(row)
    return found


async def get_forwarding(uow: UnitOfWork, floating_ip_id: str, forwarding_id: str) -> Row[Any] | None:
    p = port_forwardings
    return await uow.one(select(p).where(p.c.id == forwarding_id, p.c.floatingip_id == floating_ip_id))


async def same_forwarding(uow: UnitOfWork, values: dict[str, Any], *, other_than: str) -> str | None:
    """What another forwarding has in common with this one: "external", "internal" or nothing."""
    p = port_forwardings
    rows = await uow.all(select(p).where(p.c.floatingip_id == values["floatingip_id"], p.c.protocol == values["protocol"], p.c.id != other_than))
    inside = ("internal_port_id", "internal_ip_address", "internal_port")
    for row in rows:
        if row.external_port == values["external_port"]:
            return "external"
        if all(getattr(row, name) == values[name] for name in inside):
            return "internal"
    return None


async def delete_forwarding(uow: UnitOfWork, forwarding_id: str) -> int:
    return await uow.run(delete(port_forwardings).where(port_forwardings.c.id == forwarding_id))


async def delete_floating_ip(uow: UnitOfWork, floating_ip_id: str) -> Row[Any] | None:
    """Delete it unless it sits on a port; (project_id, floating_port_id, port_id), or None if it was not there."""
    f = floating_ips
    await end_rows(uow, floating_ip_ids=[floating_ip_id])
    free = or_(f.c.port_id.is_(None), f.c.router_id.is_not(None))
    return await uow.one(delete(f).where(f.c.id == floating_ip_id, free).returning(f.c.project_id, f.c.floating_port_id, f.c.port_id))


async def delete_floating_ips_of(uow: UnitOfWork, network_id: str) -> Sequence[Row[Any]]:
    """Delete those of an external network that lead nowhere; (id, project_id, floating_port_id) of each."""
    f = floating_ips
    gone = delete(f).where(f.c.floating_network_id == network_id, f.c.port_id.is_(None), ~_forwards())
    rows = await uow.all(gone.returning(f.c.id, f.c.project_id, f.c.floating_port_id))
    if rows:
        await end_rows(uow, floating_ip_ids=[row.id for row in rows])
    return rows


async def free_floating_ip(uow: UnitOfWork, project_id: str, network_id: str, *, address: str | None, subnet_id: str | None) -> Row[Any] | None:
    """The project's oldest floating IP of the network that leads nowhere, with `subnet_id`; this address or any, of this subnet or any."""
    f, a = floating_ips, ip_allocations
    idle = select(f, a.c.subnet_id).join(a, and_(a.c.port_id == f.c.floating_port_id, a.c.ip_address == f.c.floating_ip_address))
    idle = idle.where(f.c.project_id == project_id, f.c.floating_network_id == network_id, f.c.port_id.is_(None), f.c.router_id.is_(None))
    if address is not None:
        idle = idle.where(f.c.floating_ip_address == address)
    if subnet_id is not None:
        idle = idle.where(a.c.subnet_id == subnet_id)
    return await uow.one(idle.order_by(f.c.created_at, f.c.id).limit(1))


async def sit_on_port(uow: UnitOfWork, row: Row[Any], port_id: str, *, status: str) -> bool:
    """Pass the address of a floating IP to a port of its network; whether nobody was quicker."""
    f, a = floating_ips, ip_allocations
    values = {"port_id": port_id, "fixed_ip_address": row.floating_ip_address, "status": status, "revision": f.c.revision + 1}
    unchanged = and_(f.c.id == row.id, f.c.revision == row.revision)
    if not await uow.run(update(f).where(unchanged).values(**values, updated_at=uow.db.clock.now_us())):
        return False
    held = and_(a.c.subnet_id == row.subnet_id, a.c.ip_address == row.floating_ip_address, a.c.port_id == row.floating_port_id)
    return await uow.run(update(a).where(held).values(port_id=port_id)) == 1
