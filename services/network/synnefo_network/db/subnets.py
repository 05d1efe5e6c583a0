"""Subnets: table and queries."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from types import SimpleNamespace
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    ForeignKey,
    Integer,
    Row,
    String,
    Table,
    delete,
    or_,
    select,
    true,
)

from synnefo_common.db import JSON, UnitOfWork
from synnefo_network.db.base import metadata
from synnefo_network.db.columns import standard_columns
from synnefo_network.db.networks import columns as network_columns
from synnefo_network.db.networks import networks
from synnefo_network.db.networks import visible as visible_networks
from synnefo_network.db.ports import ip_allocations, ports

subnets = Table(
    "subnets",
    metadata,
    *standard_columns(),
    Column("network_id", String(36), ForeignKey("networks.id"), nullable=False, index=True),
    Column("ip_version", Integer, nullable=False),
    Column("cidr", String(64), nullable=False),
    Column("gateway_ip", String(64)),
    Column("enable_dhcp", Boolean, nullable=False),
    Column("ipv6_ra_mode", String(32)),
    Column("ipv6_address_mode", String(32)),
    Column("allocation_pools", JSON, nullable=False),
    Column("dns_nameservers", JSON, nullable=False),
    Column("host_routes", JSON, nullable=False),
    Column("service_types", JSON, nullable=False, server_default="[]"),
    Column("subnetpool_id", String(36), ForeignKey("subnetpools.id", name="fk_subnets_subnetpool_id"), index=True),
)


def visible(project_id: str | None) -> ColumnElement[bool]:
    """Subnets that a project sees: its own, and those of networks that it owns, that are shared or external."""
    if project_id is None:
        return true()
    seen = select(networks.c.id).where(visible_networks(project_id))
    return or_(subnets.c.project_id == project_id, subnets.c.network_id.in_(seen))


async def get_subnet(uow: UnitOfWork, subnet_id: str, *, project_id: str | None) -> Row[Any] | None:
    """A subnet that the project sees (None: any)."""
    return await uow.one(select(subnets).where(subnets.c.id == subnet_id, visible(project_id)))


async def subnets_of(uow: UnitOfWork, network_ids: Collection[str]) -> dict[str, list[Row[Any]]]:
    """Network id → its subnets, oldest first."""
    found: dict[str, list[Row[Any]]] = {i: [] for i in network_ids}
    for row in await uow.all(select(subnets).where(subnets.c.network_id.in_(network_ids)).order_by(subnets.c.created_at, subnets.c.id)):
        found[row.network_id].append(row)
    return found


async def networks_with_subnets(uow: UnitOfWork, ids: Collection[str], *, viewer: str) -> tuple[dict[str, Row[Any]], dict[str, list[Any]]]:
    """Networks by id, whoever's they are, and the subnets of each, oldest first: one statement. `shared` is as the viewer sees it."""
    columns = [c.label(f"s_{c.name}") for c in subnets.c]
    statement = select(*network_columns(viewer), *columns).outerjoin(subnets, subnets.c.network_id == networks.c.id).where(networks.c.id.in_(ids))
    found: dict[str, Row[Any]] = {}
    within: dict[str, list[Any]] = {}
    for row in await uow.all(statement.order_by(subnets.c.created_at, subnets.c.id)):
        found[row.id] = row
        mine = within.setdefault(row.id, [])
        if row.s_id is not None:
            mine.append(SimpleNamespace(**{c.name: getattr(row, f"s_{c.name}") for c in subnets.c}))
    return found, within


async def subnets_of_device(uow: UnitOfWork, device_id: str) -> Sequence[Row[Any]]:
    """The subnets in which the device's ports have addresses."""
    held = select(ip_allocations.c.subnet_id).join(ports, ports.c.id == ip_allocations.c.port_id).where(ports.c.device_id == device_id)
    return await uow.all(select(subnets).where(subnets.c.id.in_(held)).order_by(subnets.c.id))


async def subnet_ids_of(uow: UnitOfWork, network_ids: Collection[str]) -> dict[str, list[str]]:
    """Network id → ids of its subnets."""
    found: dict[str, list[str]] = {i: [] for i in network_ids}
    statement = select(subnets.c.network_id, subnets.c.id).where(subnets.c.network_id.in_(network_ids))
    for row in await uow.all(statement.order_by(subnets.c.created_at, subnets.c.id)):
        found[row.network_id].append(row.id)
    return found


async def delete_subnet(uow: UnitOfWork, subnet_id: str) -> int:
    return await uow.run(delete(subnets).where(subnets.c.id == subnet_id))


async def delete_subnets_of(uow: UnitOfWork, network_id: str) -> Sequence[Row[Any]]:
    """Delete all subnets of a network; their owners, a row each."""
    return await uow.all(delete(subnets).where(subnets.c.network_id == network_id).returning(subnets.c.id, subnets.c.project_id))


async def shared_subnets(uow: UnitOfWork) -> Sequence[Row[Any]]:
    """Subnets of external and of shared networks, with `network_name`."""
    within = subnets.join(networks, networks.c.id == subnets.c.network_id)
    of_all = or_(networks.c.is_external, networks.c.shared)
    return await uow.all(select(subnets, networks.c.name.label("network_name")).select_from(within).where(of_all).order_by(subnets.c.id))
