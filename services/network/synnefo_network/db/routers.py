"""Routers, and which ports are theirs: tables and queries.

`router_ports` is the truth of what belongs to a router. The port's `device_id` shows it, but its owner may write there.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Boolean, Column, ForeignKey, Row, String, Table, delete, insert, select, true, union

from synnefo_common.db import JSON, UnitOfWork
from synnefo_network.db.base import metadata
from synnefo_network.db.columns import standard_columns
from synnefo_network.db.floating_ips import floating_ips, port_forwardings
from synnefo_network.db.ports import ip_allocations, ports
from synnefo_network.db.subnets import subnets

routers = Table(
    "routers",
    metadata,
    *standard_columns(),
    Column("admin_state_up", Boolean, nullable=False),
    Column("status", String(16), nullable=False),
    Column("distributed", Boolean, nullable=False),
    Column("ha", Boolean, nullable=False),
    Column("enable_snat", Boolean, nullable=False),
    Column("routes", JSON, nullable=False),
    Column("availability_zone_hints", JSON, nullable=False),
)
router_ports = Table(
    "router_ports",
    metadata,
    Column("port_id", String(36), ForeignKey("ports.id", ondelete="CASCADE"), primary_key=True),
    Column("router_id", String(36), ForeignKey("routers.id"), nullable=False, index=True),
    Column("is_gateway", Boolean, nullable=False),
)


async def get_router(uow: UnitOfWork, router_id: str, *, project_id: str | None) -> Row[Any] | None:
    """A router of the project (None: of any)."""
    r = routers
    return await uow.one(select(r).where(r.c.id == router_id, r.c.project_id == project_id if project_id is not None else true()))


async def lock_router(uow: UnitOfWork, router_id: str) -> bool:
    """Hold the router until the transaction ends: its ports and floating IPs change one after the other. False if it is gone."""
    return await uow.scalar(select(routers.c.id).where(routers.c.id == router_id).with_for_update()) is not None


async def add_port(uow: UnitOfWork, router_id: str, port_id: str, *, is_gateway: bool) -> None:
    """Make a port the router's."""
    await uow.run(insert(router_ports).values(port_id=port_id, router_id=router_id, is_gateway=is_gateway))


async def addresses_of(uow: UnitOfWork, router_ids: Collection[str], *, is_gateway: bool | None = None) -> dict[str, list[Row[Any]]]:
    """Router id → (port_id, network_id, is_gateway, subnet_id, ip_address, cidr, gateway_ip) of each address.

    A port without addresses has one row whose subnet_id is None.
    """
    rp, a, s = router_ports, ip_allocations, subnets
    source = rp.join(ports, ports.c.id == rp.c.port_id).outerjoin(a, a.c.port_id == ports.c.id).outerjoin(s, s.c.id == a.c.subnet_id)
    statement = (
        select(rp.c.router_id, rp.c.port_id, rp.c.is_gateway, ports.c.network_id, a.c.subnet_id, a.c.ip_address, s.c.cidr, s.c.gateway_ip)
        .select_from(source)
        .where(rp.c.router_id.in_(router_ids), rp.c.is_gateway.is_(is_gateway) if is_gateway is not None else true())
        .order_by(ports.c.created_at, ports.c.id, a.c.subnet_id, a.c.ip_address)
    )
    found: dict[str, list[Row[Any]]] = {i: [] for i in router_ids}
    for row in await uow.all(statement):
        found[row.router_id].append(row)
    return found


async def router_of_port(uow: UnitOfWork, port_id: str) -> Row[Any] | None:
    """(router_id, is_gateway) of a router's port."""
    rp = router_ports
    return await uow.one(select(rp.c.router_id, rp.c.is_gateway).where(rp.c.port_id == port_id))


async def routers_between(uow: UnitOfWork, subnet_id: str, external_network_id: str) -> Sequence[Row[Any]]:
    """Routers with an interface on the subnet and their gateway on the network, as (router_id, ip_address on the subnet)."""
    inside, outside, a = router_ports.alias("inside"), router_ports.alias("outside"), ip_allocations
    source = inside.join(a, a.c.port_id == inside.c.port_id).join(outside, outside.c.router_id == inside.c.router_id)
    source = source.join(ports, ports.c.id == outside.c.port_id)
    return await uow.all(
        select(inside.c.router_id, a.c.ip_address)
        .select_from(source)
        .where(a.c.subnet_id == subnet_id, inside.c.is_gateway.is_(False), outside.c.is_gateway, ports.c.network_id == external_network_id)
        .order_by(inside.c.router_id)
    )


async def interfaces_on(uow: UnitOfWork, subnet_id: str) -> Sequence[Row[Any]]:
    """Ports of routers with an address in the subnet, as (port_id, router_id, ip_address)."""
    rp, a = router_ports, ip_allocations
    return await uow.all(
        select(rp.c.port_id, rp.c.router_id, a.c.ip_address)
        .select_from(rp.join(a, a.c.port_id == rp.c.port_id))
        .where(a.c.subnet_id == subnet_id)
        .order_by(rp.c.port_id)
    )


async def floating_subnets(uow: UnitOfWork, router_id: str) -> set[str]:
    """Ids of the subnets to whose addresses floating IPs lead through the router."""
    f, p, a = floating_ips, port_forwardings, ip_allocations
    led = f.join(a, (a.c.port_id == f.c.port_id) & (a.c.ip_address == f.c.fixed_ip_address))
    forwarded = f.join(p, p.c.floatingip_id == f.c.id)
    forwarded = forwarded.join(a, (a.c.port_id == p.c.internal_port_id) & (a.c.ip_address == p.c.internal_ip_address))
    both = [select(a.c.subnet_id).select_from(source).where(f.c.router_id == router_id) for source in (led, forwarded)]
    return {row.subnet_id for row in await uow.all(union(*both))}


async def has_floating_ips(uow: UnitOfWork, router_id: str) -> bool:
    f = floating_ips
    return await uow.scalar(select(f.c.id).where(f.c.router_id == router_id).limit(1)) is not None


async def delete_router(uow: UnitOfWork, router_id: str) -> int:
    return await uow.run(delete(routers).where(routers.c.id == router_id))
