"""Use cases of subnets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, select

from synnefo_common.clock import iso
from synnefo_common.db import UnitOfWork
from synnefo_common.web import Context
from synnefo_network.app.addresses import allocate
from synnefo_network.app.networks import charged
from synnefo_network.app.port_events import emit_updated
from synnefo_network.app.services import Services, authorize, check_revision, new_owner, seen_by, standard_values
from synnefo_network.app.subnet_allocation import allocate_cidr, names_pool
from synnefo_network.db import networks as db_networks
from synnefo_network.db import ports as db_ports
from synnefo_network.db import routers as db_routers
from synnefo_network.db import subnets as db
from synnefo_network.db.listing import insert_row, list_rows, unpack_tags, update_row
from synnefo_network.domain import subnet as rules
from synnefo_network.domain.addresses import check_pools, eui64, is_automatic, parse_cidr, parse_ip
from synnefo_network.domain.errors import (
    GatewayIpInUse,
    InvalidInput,
    NetworkNotFound,
    NetworkSubnetPoolAffinityError,
    SubnetInUse,
    SubnetNotFound,
)
from synnefo_network.domain.listing import SUBNETS, ListQuery
from synnefo_network.domain.port import Want

QUOTA = "network.subnets"


def _target(row: Any, network: Any) -> dict[str, Any]:
    return {
        "project_id": row.project_id,
        "network_project_id": network.project_id,
        "network_shared": network.shared,
        "network_external": network.is_external,
    }


def _view(row: Any, *, is_external: bool) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "tenant_id": row.project_id,
        "project_id": row.project_id,
        "network_id": row.network_id,
        "ip_version": row.ip_version,
        "subnetpool_id": row.subnetpool_id,
        "service_types": row.service_types,
        "enable_dhcp": row.enable_dhcp,
        "ipv6_ra_mode": row.ipv6_ra_mode,
        "ipv6_address_mode": row.ipv6_address_mode,
        "gateway_ip": row.gateway_ip,
        "cidr": row.cidr,
        "allocation_pools": row.allocation_pools,
        "host_routes": row.host_routes,
        "dns_nameservers": row.dns_nameservers,
        "router:external": is_external,
        "description": row.description,
        "tags": unpack_tags(row.tags),
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
        "revision_number": row.revision,
    }


async def list_subnets(
    svc: Services, ctx: Context, query: ListQuery, *, shared: Sequence[bool] = (), external: Sequence[bool] = ()
) -> list[dict[str, Any]]:
    """The subnets that the caller sees; `shared` and `external` filter by the network."""
    where = [db.visible(seen_by(ctx))]
    n = db_networks.networks
    for column, wanted in ((n.c.shared, shared), (n.c.is_external, external)):
        if wanted:
            where.append(db.subnets.c.network_id.in_(select(n.c.id).where(column.in_(wanted))))
    async with svc.db.read() as uow:
        rows = await list_rows(uow, SUBNETS, db.subnets, query=query, where=where)
        if rows is None:
            raise SubnetNotFound(query.marker or "")
        externals = await db_networks.externals_among(uow, {r.network_id for r in rows}) if rows else set()
    return [_view(row, is_external=row.network_id in externals) for row in rows]


async def show_subnet(svc: Services, ctx: Context, subnet_id: str) -> dict[str, Any]:
    """Raises SubnetNotFound."""
    async with svc.db.read() as uow:
        row, network = await load(uow, ctx, subnet_id)
    return _view(row, is_external=network.is_external)


async def load(uow: UnitOfWork, ctx: Context, subnet_id: str) -> tuple[Row[Any], Row[Any]]:
    """The row and its network's, if the caller sees them. Raises SubnetNotFound."""
    row = await db.get_subnet(uow, subnet_id, project_id=seen_by(ctx))
    network = None if row is None else await db_networks.get_network(uow, row.network_id, project_id=None, viewer=seen_by(ctx))
    if row is None or network is None:
        raise SubnetNotFound(subnet_id)
    authorize(ctx, "get_subnet", _target(row, network), hidden=SubnetNotFound(subnet_id))
    return row, network


async def create_subnets(svc: Services, ctx: Context, bodies: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """All of them or none. Raises NetworkNotFound, InvalidInput (overlap too), QuotaExceeded, the faults of subnet pools."""
    wanted = [(new_owner(ctx, given), given) for given in bodies]
    for _, given in wanted:
        if not names_pool(given):
            _check_limits(svc, rules.new_values(given))
    owners = Counter(owner for owner, _ in wanted)

    async def work(uow: UnitOfWork, commissions: list[Any]) -> tuple[list[Any], set[str]]:
        rows = []
        for owner, given in wanted:
            whole = {**given, **await allocate_cidr(uow, ctx, given, owner=owner)} if names_pool(given) else given
            values = rules.new_values(whole)
            _check_limits(svc, values)
            standard = standard_values(svc, given, project_id=owner)
            row = {**standard, "name": given.get("name") or "", "network_id": given["network_id"], **values}
            await _add_to_network(uow, ctx, row["network_id"], row)
            await insert_row(uow, db.subnets, row)
            rows.append(row)
        for commission in commissions:
            svc.quota.accept(uow, commission)
        found = {r.id: r for r in await uow.all(select(db.subnets).where(db.subnets.c.id.in_([r["id"] for r in rows])))}
        await _address_ports(uow, svc, [r for r in found.values() if is_automatic(r)])
        return [found[r["id"]] for r in rows], await db_networks.externals_among(uow, {r["network_id"] for r in rows})

    created, externals = await charged(svc, ctx, {o: {QUOTA: n} for o, n in owners.items()}, work)
    return [_view(row, is_external=row.network_id in externals) for row in created]


async def _add_to_network(uow: UnitOfWork, ctx: Context, network_id: str, row: dict[str, Any]) -> None:
    """Authorise, and hold the network's row while looking for overlaps, so that two creates see each other."""
    network = await db_networks.get_network(uow, network_id, project_id=seen_by(ctx))
    if network is None:
        raise NetworkNotFound(network_id)
    target = {
        "project_id": row["project_id"],
        "network_project_id": network.project_id,
        "network_shared": network.shared,
    }
    authorize(ctx, "create_subnet", target)
    rules.check_mtu(network.mtu, {row["ip_version"]})
    if not await db_networks.touch_network(uow, network_id):
        raise NetworkNotFound(network_id)
    others = (await db.subnets_of(uow, [network_id]))[network_id]
    rules.check_overlap(parse_cidr(row["cidr"]), [s.cidr for s in others], network_id=network_id)
    if any(s.ip_version == row["ip_version"] and s.subnetpool_id != row["subnetpool_id"] for s in others):
        raise NetworkSubnetPoolAffinityError("Subnets hosted on the same network must be allocated from the same subnet pool.")


async def _address_ports(uow: UnitOfWork, svc: Services, subnets: Sequence[Any]) -> None:
    """Ports that are on the network already make themselves an address in a new automatic subnet."""
    for subnet in subnets:
        ports = await db_ports.plain_ports_of(uow, subnet.network_id)
        wants = [Want(p.id, (subnet,), eui64(parse_cidr(subnet.cidr), p.mac_address)) for p in ports]
        if wants:
            await allocate(uow, svc, wants, network_id=subnet.network_id)
            await emit_updated(uow, [p.id for p in ports])


def _check_limits(svc: Services, values: dict[str, Any]) -> None:
    for name, kind, most in (
        ("dns_nameservers", "DNSNameServersExhausted", svc.settings.max_dns_nameservers),
        ("host_routes", "HostRoutesExhausted", svc.settings.max_host_routes),
    ):
        if len(values.get(name) or []) > most:
            raise InvalidInput(f"Unable to complete operation: the number of {name} exceeds the limit {most}.", kind=kind)


async def update_subnet(svc: Services, ctx: Context, subnet_id: str, given: dict[str, Any], *, revision: int | None = None) -> dict[str, Any]:
    """Raises SubnetNotFound, InvalidInput, GatewayConflictWithAllocationPools, GatewayIpInUse."""

    async def work(uow: UnitOfWork) -> tuple[Any, bool]:
        row, network = await load(uow, ctx, subnet_id)
        authorize(ctx, "update_subnet", _target(row, network))
        check_revision(row, revision)
        values = _changed_values(row, given)
        _check_limits(svc, values)
        await db_networks.touch_network(uow, row.network_id)
        if values.get("gateway_ip", row.gateway_ip) != row.gateway_ip:
            for interface in await db_routers.interfaces_on(uow, subnet_id):
                if interface.ip_address == row.gateway_ip:
                    raise GatewayIpInUse(f"Current gateway ip {row.gateway_ip} already in use by port {interface.port_id}. Unable to update.")
        return await update_row(uow, db.subnets, row, values), network.is_external

    changed, is_external = await svc.write(work)
    return _view(changed, is_external=is_external)


def _changed_values(row: Any, given: dict[str, Any]) -> dict[str, Any]:
    values = dict(given)
    prefix = parse_cidr(row.cidr)
    if values.get("enable_dhcp") is False and (row.ipv6_ra_mode or row.ipv6_address_mode):
        raise InvalidInput("enable_dhcp cannot be disabled while ipv6_ra_mode or ipv6_address_mode is set.")
    if "dns_nameservers" in values:
        values["dns_nameservers"] = rules.read_nameservers(values["dns_nameservers"] or [])
    if "host_routes" in values:
        values["host_routes"] = rules.read_routes(values["host_routes"] or [], version=row.ip_version)
    if "allocation_pools" in values:
        values["allocation_pools"] = check_pools(values["allocation_pools"] or [], prefix)
    if "service_types" in values:
        values["service_types"] = rules.read_service_types(values["service_types"] or [])
    if values.get("gateway_ip") is not None:
        values["gateway_ip"] = str(parse_ip(values["gateway_ip"]))
    if values.keys() & {"allocation_pools", "gateway_ip"}:
        rules.check_gateway(values.get("gateway_ip", row.gateway_ip), prefix, values.get("allocation_pools", row.allocation_pools))
    return values


async def delete_subnet(svc: Services, ctx: Context, subnet_id: str, *, revision: int | None = None) -> None:
    """Raises SubnetNotFound, SubnetInUse. Addresses that ports made themselves (SLAAC) do not hold a subnet."""

    async def work(uow: UnitOfWork) -> None:
        row, network = await load(uow, ctx, subnet_id)
        authorize(ctx, "delete_subnet", _target(row, network))
        check_revision(row, revision)
        await db_networks.touch_network(uow, row.network_id)
        if await db_routers.interfaces_on(uow, subnet_id):
            raise SubnetInUse(f"Unable to complete operation on subnet {subnet_id}: a router has an interface on it; remove it first.")
        if is_automatic(row):
            await db_ports.release_subnet(uow, subnet_id)
        elif await db_ports.is_subnet_used(uow, subnet_id):
            raise SubnetInUse(
                f"Unable to complete operation on subnet {subnet_id}: One or more ports have an IP allocation from this subnet; delete them first."
            )
        if not await db.delete_subnet(uow, subnet_id):
            raise SubnetNotFound(subnet_id)
        svc.quota.release(uow, project_id=row.project_id, user_id=ctx.user_id, provisions={QUOTA: 1})

    await svc.write(work)
