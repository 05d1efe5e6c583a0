"""The interfaces of a router: ports on its project's subnets, added and removed by subnet or by port."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from synnefo_common.db import UnitOfWork
from synnefo_common.web import Context
from synnefo_network.app import ports, routers, subnets
from synnefo_network.app.addresses import allocate
from synnefo_network.app.networks import charged
from synnefo_network.app.port_create import make_ports
from synnefo_network.app.services import Services, authorize, seen_by
from synnefo_network.db import networks as db_networks
from synnefo_network.db import ports as db_ports
from synnefo_network.db import routers as db
from synnefo_network.db import subnets as db_subnets
from synnefo_network.db.listing import update_row
from synnefo_network.domain.errors import BadResource, PortInUse
from synnefo_network.domain.port import PortSpec, Want
from synnefo_network.domain.router import INTERFACE_OWNER, check_overlap, check_routes_without
from synnefo_network.domain.router_errors import (
    RouterInterfaceInUseByFloatingIP,
    RouterInterfaceNotFound,
    RouterInterfaceNotFoundForSubnet,
    SubnetMismatchForPort,
)


def _answer(router: Any, *, network_id: str, port_id: str, subnet_ids: Sequence[str]) -> dict[str, Any]:
    return {
        "id": router.id,
        "tenant_id": router.project_id,
        "project_id": router.project_id,
        "network_id": network_id,
        "port_id": port_id,
        "subnet_id": subnet_ids[0],
        "subnet_ids": list(subnet_ids),
    }


def _named(given: dict[str, Any]) -> tuple[str | None, str | None]:
    return given.get("port_id"), given.get("subnet_id")


async def add_interface(svc: Services, ctx: Context, router_id: str, given: dict[str, Any]) -> dict[str, Any]:
    """Connect a subnet with the router: by a new port at its gateway address, or by a port that is there.

    Raises RouterNotFound, SubnetNotFound, PortNotFound, PortInUse, BadResource (overlaps too), IpAddressInUse, QuotaExceeded.
    """
    port_id, subnet_id = _named(given)
    if port_id and subnet_id:
        raise BadResource("router", "Cannot specify both subnet-id and port-id.")
    if not port_id and not subnet_id:
        raise BadResource("router", "Either subnet_id or port_id must be specified.")
    async with svc.db.read() as uow:
        router = await routers.load(uow, ctx, router_id)
        authorize(ctx, "add_router_interface", {"project_id": router.project_id})
    if port_id:
        return await svc.write(lambda uow: _add_port(uow, svc, ctx, router_id, port_id))

    async def work(uow: UnitOfWork, commissions: list[Any]) -> dict[str, Any]:
        answer, is_new = await _add_subnet(uow, svc, ctx, router_id, str(subnet_id))
        for commission in commissions if is_new else ():  # otherwise a port that was there took the address
            svc.quota.accept(uow, commission)
        return answer

    added: dict[str, Any] = await charged(svc, ctx, {router.project_id: {ports.QUOTA: 1}}, work)
    return added


async def _hold(uow: UnitOfWork, ctx: Context, router_id: str) -> tuple[Row[Any], list[Row[Any]]]:
    """The router with a new revision, its row held, and its addresses."""
    router = await update_row(uow, db.routers, await routers.load(uow, ctx, router_id), {})
    return router, (await db.addresses_of(uow, [router_id]))[router_id]


async def _add_subnet(uow: UnitOfWork, svc: Services, ctx: Context, router_id: str, subnet_id: str) -> tuple[dict[str, Any], bool]:
    router, connected = await _hold(uow, ctx, router_id)
    subnet, network = await subnets.load(uow, ctx, subnet_id)
    viewer = seen_by(ctx)
    if viewer is not None and viewer not in (subnet.project_id, network.project_id) and not network.shared:
        raise BadResource("router", f"Cannot add interface to router because subnet {subnet_id} is not owned by the project.")
    if not subnet.gateway_ip:
        raise BadResource("router", "Subnet for router interface must have a gateway IP.")
    if subnet.ip_version == 6 and subnet.ipv6_ra_mode is None and subnet.ipv6_address_mode is not None:
        raise BadResource(
            "router", f"IPv6 subnet {subnet_id} configured to receive RAs from an external router cannot be added to a router."
        )
    check_overlap([subnet], connected)
    await db_networks.touch_network(uow, network.id)
    shared_port = _port_for_ipv6(subnet, network, connected)
    if shared_port is not None:
        await allocate(uow, svc, [Want(shared_port, (subnet,), subnet.gateway_ip)], network_id=network.id)
        return _answer(router, network_id=network.id, port_id=shared_port, subnet_ids=[subnet_id]), False
    spec = PortSpec(
        project_id=router.project_id,
        network_id=network.id,
        id=svc.ids.uuid(),
        device_id=router_id,
        device_owner=INTERFACE_OWNER,
        fixed_ips=(),
    )
    (made,) = await make_ports(uow, svc, [spec], networks={network.id: network}, subnets={network.id: [subnet]}, sees_all=True)
    # The gateway address may be any of the subnet, also one that no pool has and one that SLAAC would not make.
    await allocate(uow, svc, [Want(made.row.id, (subnet,), subnet.gateway_ip)], network_id=network.id)
    await db.add_port(uow, router_id, made.row.id, is_gateway=False)
    return _answer(router, network_id=network.id, port_id=made.row.id, subnet_ids=[subnet_id]), True


def _port_for_ipv6(subnet: Any, network: Any, connected: Sequence[Any]) -> str | None:
    """All IPv6 subnets of a network share one port of the router."""
    if subnet.ip_version != 6:
        return None
    return next((c.port_id for c in connected if not c.is_gateway and c.network_id == network.id and ":" in (c.ip_address or "")), None)


async def _add_port(uow: UnitOfWork, svc: Services, ctx: Context, router_id: str, port_id: str) -> dict[str, Any]:
    router, connected = await _hold(uow, ctx, router_id)
    port, network = await ports.load(uow, ctx, port_id)
    authorize(ctx, "update_port", ports.port_target(port, network))
    if port.device_id or port.is_bound or port.device_owner not in ("", INTERFACE_OWNER):
        raise PortInUse(
            f"Unable to complete operation on port {port_id} for network {port.network_id}. Port already has an attached device {port.device_id}."
        )
    held = (await db_ports.addresses_of(uow, [port_id]))[port_id]
    if not held:
        raise BadResource("router", "Router port must have at least one fixed IP.")
    within = {s.id: s for s in (await db_subnets.subnets_of(uow, [port.network_id]))[port.network_id]}
    chosen = [within[i] for i in dict.fromkeys(h["subnet_id"] for h in held)]
    if sum(1 for s in chosen if s.ip_version == 4) > 1:
        raise BadResource("router", "Cannot have multiple IPv4 subnets on router port.")
    check_overlap(chosen, connected)
    status = svc.driver.immediate_status(is_bound=True, admin_state_up=port.admin_state_up) or port.status
    await update_row(uow, db_ports.ports, port, {"device_id": router_id, "device_owner": INTERFACE_OWNER, "status": status})
    await db.add_port(uow, router_id, port_id, is_gateway=False)
    return _answer(router, network_id=port.network_id, port_id=port_id, subnet_ids=[s.id for s in chosen])


async def remove_interface(svc: Services, ctx: Context, router_id: str, given: dict[str, Any]) -> dict[str, Any]:
    """Take a subnet from the router; its port is deleted unless it has addresses of others.

    Raises RouterNotFound, RouterInterfaceNotFound, RouterInterfaceNotFoundForSubnet, SubnetMismatchForPort, and the two faults of use.
    """
    port_id, subnet_id = _named(given)
    if not port_id and not subnet_id:
        raise BadResource("router", "Either subnet_id or port_id must be specified.")

    async def work(uow: UnitOfWork) -> dict[str, Any]:
        authorize(ctx, "remove_router_interface", {"project_id": (await routers.load(uow, ctx, router_id)).project_id})
        router, connected = await _hold(uow, ctx, router_id)
        inside = [c for c in connected if not c.is_gateway]
        gone = _leaving(router_id, inside, port_id=port_id, subnet_id=subnet_id)
        used = await db.floating_subnets(uow, router_id)
        for address in gone:
            if address.subnet_id in used:
                raise RouterInterfaceInUseByFloatingIP(
                    f"Router interface for subnet {address.subnet_id} on router {router_id} cannot be deleted, "
                    "as it is required by one or more floating IPs."
                )
        left = [c for c in connected if c not in gone]
        check_routes_without(router.routes, left, gone=[g for g in gone if g.subnet_id is not None], router_id=router_id)
        if any(c.port_id == gone[0].port_id for c in left):
            await db_ports.release_addresses(uow, gone[0].port_id, [(g.subnet_id, g.ip_address) for g in gone])
        else:
            row = await db_ports.get_port(uow, gone[0].port_id, project_id=None)
            await ports.remove_ports(uow, svc, [row], user_id=ctx.user_id)
        subnet_ids = [g.subnet_id for g in gone if g.subnet_id is not None]
        return _answer(router, network_id=gone[0].network_id, port_id=gone[0].port_id, subnet_ids=subnet_ids or [subnet_id or ""])

    return await svc.write(work)


def _leaving(router_id: str, inside: Sequence[Any], *, port_id: str | None, subnet_id: str | None) -> list[Any]:
    """The addresses that go: of the port, or of the subnet."""
    if port_id:
        gone = [c for c in inside if c.port_id == port_id]
        if not gone:
            raise RouterInterfaceNotFound(f"Router {router_id} does not have an interface with id {port_id}")
        if subnet_id and subnet_id not in {c.subnet_id for c in gone}:
            raise SubnetMismatchForPort(f"Subnet on port {port_id} does not match the requested subnet {subnet_id}.")
        return gone
    gone = [c for c in inside if c.subnet_id == subnet_id]
    if not gone:
        raise RouterInterfaceNotFoundForSubnet(f"Router {router_id} has no interface on subnet {subnet_id}")
    return gone
