"""Tags of any resource that has them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from sqlalchemy import Table

from synnefo_common.db import UnitOfWork
from synnefo_common.web import Context
from synnefo_network.app import (
    address_groups,
    address_scopes,
    floating_ips,
    networks,
    ports,
    qos_policies,
    routers,
    security_groups,
    subnet_pools,
    subnets,
)
from synnefo_network.app.services import Services, authorize
from synnefo_network.app.sharing import Shareable, load_shareable
from synnefo_network.db.floating_ips import floating_ips as floating_ips_table
from synnefo_network.db.listing import pack_tags, unpack_tags, update_row
from synnefo_network.db.networks import networks as networks_table
from synnefo_network.db.ports import ports as ports_table
from synnefo_network.db.routers import routers as routers_table
from synnefo_network.db.security_groups import security_groups as security_groups_table
from synnefo_network.db.subnets import subnets as subnets_table
from synnefo_network.domain.errors import NotFound, TagNotFound

Loaded = tuple[Any, dict[str, Any]]
Load = Callable[[UnitOfWork, Context, str], Awaitable[Loaded]]


async def _network(uow: UnitOfWork, ctx: Context, row_id: str) -> Loaded:
    row = await networks.load(uow, ctx, row_id)
    return row, {"project_id": row.project_id}


async def _subnet(uow: UnitOfWork, ctx: Context, row_id: str) -> Loaded:
    row, network = await subnets.load(uow, ctx, row_id)
    return row, {"project_id": row.project_id, "network_project_id": network.project_id}


async def _port(uow: UnitOfWork, ctx: Context, row_id: str) -> Loaded:
    row, network = await ports.load(uow, ctx, row_id)
    return row, ports.port_target(row, network)


async def _group(uow: UnitOfWork, ctx: Context, row_id: str) -> Loaded:
    row = await security_groups.load(uow, ctx, row_id)
    return row, {"project_id": row.project_id, "shared": row.shared}


async def _floating_ip(uow: UnitOfWork, ctx: Context, row_id: str) -> Loaded:
    row = await floating_ips.load(uow, ctx, row_id)
    return row, {"project_id": row.project_id}


async def _router(uow: UnitOfWork, ctx: Context, row_id: str) -> Loaded:
    row = await routers.load(uow, ctx, row_id)
    return row, {"project_id": row.project_id}


def _shareable(kind: Shareable) -> Load:
    async def load(uow: UnitOfWork, ctx: Context, row_id: str) -> Loaded:
        row = await load_shareable(uow, ctx, kind, row_id)
        return row, kind.target(row)

    return load


RESOURCES: dict[str, tuple[str, Table, Load]] = {
    "networks": ("network", networks_table, _network),
    "subnets": ("subnet", subnets_table, _subnet),
    "ports": ("port", ports_table, _port),
    "security-groups": ("security_group", security_groups_table, _group),
    "floatingips": ("floatingip", floating_ips_table, _floating_ip),
    "address-scopes": ("address_scope", address_scopes.KIND.table, _shareable(address_scopes.KIND)),
    "subnetpools": ("subnetpool", subnet_pools.KIND.table, _shareable(subnet_pools.KIND)),
    "address-groups": ("address_group", address_groups.KIND.table, _shareable(address_groups.KIND)),
    "policies": ("policy", qos_policies.KIND.table, _shareable(qos_policies.KIND)),
    "routers": ("router", routers_table, _router),
}


def _resource(collection: str) -> tuple[str, Table, Load]:
    try:
        return RESOURCES[collection]
    except KeyError:
        raise NotFound("The resource could not be found.") from None


async def show_tags(svc: Services, ctx: Context, collection: str, row_id: str) -> list[str]:
    """Raises the resource's NotFound."""
    _, _, load = _resource(collection)
    async with svc.db.read() as uow:
        row, _ = await load(uow, ctx, row_id)
    return unpack_tags(row.tags)


async def show_tag(svc: Services, ctx: Context, collection: str, row_id: str, tag: str) -> None:
    """Raises TagNotFound."""
    if tag not in await show_tags(svc, ctx, collection, row_id):
        raise TagNotFound(f"Tag {tag} could not be found.")


async def change_tags(svc: Services, ctx: Context, collection: str, row_id: str, *, change: Callable[[list[str]], Sequence[str]]) -> list[str]:
    """Replace the tags by `change(tags)`; what they are then. Raises what `change` raises."""
    name, table, load = _resource(collection)

    async def work(uow: UnitOfWork) -> list[str]:
        row, target = await load(uow, ctx, row_id)
        authorize(ctx, f"update_{name}", target)
        before = unpack_tags(row.tags)
        packed = pack_tags(change(before))
        if packed != row.tags:
            await update_row(uow, table, row, {"tags": packed})
        return unpack_tags(packed)

    return await svc.write(work)
