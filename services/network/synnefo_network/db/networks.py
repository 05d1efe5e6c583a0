"""Networks: table and queries."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    Row,
    String,
    Table,
    and_,
    delete,
    false,
    func,
    or_,
    select,
    true,
    update,
)

from synnefo_common.db import JSON, UnitOfWork
from synnefo_network.db.base import metadata
from synnefo_network.db.columns import standard_columns
from synnefo_network.db.rbac_policies import given_to, seen_columns, shared_with

networks = Table(
    "networks",
    metadata,
    *standard_columns(),
    Column("admin_state_up", Boolean, nullable=False),
    Column("status", String(16), nullable=False),
    Column("shared", Boolean, nullable=False),
    Column("is_external", Boolean, nullable=False),
    Column("is_default", Boolean, nullable=False),
    Column("port_security_enabled", Boolean, nullable=False),
    Column("mtu", Integer, nullable=False),
    Column("network_type", String(32), nullable=False),
    Column("physical_network", String(64)),
    Column("segmentation_id", Integer),
    Column("segment", String(128), unique=True),  # "<type>/<physical network>/<id>" where only one network may have it
    Column("availability_zone_hints", JSON, nullable=False),
    Column("qos_policy_id", String(36), ForeignKey("qos_policies.id", name="fk_networks_qos_policy_id"), index=True),
    Column("is_drained", Boolean, nullable=False, server_default=false()),  # gives out no new addresses
    Column("direct_floating_ips", Boolean, nullable=False, server_default=false()),  # tenants' ports on it have floating IPs as addresses
    Index("ix_networks_shared", "shared"),
    Index("ix_networks_is_external", "is_external"),
)


def visible(project_id: str | None) -> ColumnElement[bool]:
    """Networks that a project sees: its own, those shared with it and external ones; None sees all."""
    if project_id is None:
        return true()
    return or_(networks.c.project_id == project_id, networks.c.id.in_(given_to("network", project_id)))


def columns(project_id: str | None) -> list[Any]:
    """The columns of a network; `shared` as the project sees it."""
    return seen_columns(networks, "network", project_id)


async def get_network(uow: UnitOfWork, network_id: str, *, project_id: str | None, viewer: str | None = None) -> Row[Any] | None:
    """A network that the project sees (None: any); `shared` as the viewer sees it."""
    return await uow.one(select(*columns(project_id or viewer)).where(networks.c.id == network_id, visible(project_id)))


async def get_networks(uow: UnitOfWork, ids: Collection[str], *, project_id: str | None) -> dict[str, Row[Any]]:
    """Those of the networks that the project sees, by id."""
    rows = await uow.all(select(*columns(project_id)).where(networks.c.id.in_(ids), visible(project_id)))
    return {row.id: row for row in rows}


async def externals_among(uow: UnitOfWork, ids: Collection[str]) -> set[str]:
    """Ids of those of the networks that are external."""
    return {row.id for row in await uow.all(select(networks.c.id).where(networks.c.id.in_(ids), networks.c.is_external))}


async def attachable_networks(uow: UnitOfWork, project_id: str) -> Sequence[Row[Any]]:
    """Networks that a server without a named network may get: the project's own ones and shared ones."""
    own_or_shared = or_(networks.c.project_id == project_id, shared_with(networks, "network", project_id))
    return await uow.all(select(*columns(project_id)).where(own_or_shared, networks.c.admin_state_up).order_by(networks.c.created_at, networks.c.id))


async def touch_network(uow: UnitOfWork, network_id: str) -> int:
    """A new revision.

    On PostgreSQL the row stays locked until the transaction ends, which serialises its subnets' changes.
    """
    t = networks
    return await uow.run(update(t).where(t.c.id == network_id).values(revision=t.c.revision + 1, updated_at=uow.db.clock.now_us()))


async def delete_network(uow: UnitOfWork, network_id: str) -> int:
    return await uow.run(delete(networks).where(networks.c.id == network_id))


async def default_external(uow: UnitOfWork, *, other_than: str) -> str | None:
    """The external network marked as default, if another."""
    t = networks
    found: str | None = await uow.scalar(select(t.c.id).where(and_(t.c.is_default, t.c.is_external, t.c.id != other_than)))
    return found


async def count_by_project(uow: UnitOfWork, project_id: str) -> int:
    return int(await uow.scalar(select(func.count()).select_from(networks).where(networks.c.project_id == project_id)))


async def vlans_on(uow: UnitOfWork, physical_network: str) -> set[int]:
    """The VLANs that networks have on the physical network."""
    t = networks
    wanted = select(t.c.segmentation_id).where(t.c.network_type == "vlan", t.c.physical_network == physical_network)
    return {row.segmentation_id for row in await uow.all(wanted)}


async def holds_segment(uow: UnitOfWork, segment: str, *, other_than: str) -> bool:
    """Whether another network has the segment."""
    t = networks
    return await uow.scalar(select(t.c.id).where(t.c.segment == segment, t.c.id != other_than)) is not None
