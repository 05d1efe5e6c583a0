"""To which address of which port a floating IP leads, and through which router."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synnefo_common.db import UnitOfWork
from synnefo_common.web import Context
from synnefo_network.app import ports
from synnefo_network.app.services import Services, authorize, seen_by
from synnefo_network.db import floating_ips as db
from synnefo_network.db import ports as db_ports
from synnefo_network.db import routers as db_routers
from synnefo_network.db import subnets as db_subnets
from synnefo_network.domain.errors import BadResource, StaleRow
from synnefo_network.domain.router import pick_router
from synnefo_network.domain.router_errors import ExternalGatewayForFloatingIPNotFound, FloatingIPPortAlreadyAssociated, PortHasPortForwarding

NOWHERE: dict[str, Any] = {"port_id": None, "fixed_ip_address": None, "router_id": None}


async def find_association(
    uow: UnitOfWork, svc: Services, ctx: Context, given: Mapping[str, Any], *, owner: str, network_id: str, row: Any = None
) -> dict[str, Any]:
    """The columns of an association; its router is held until the transaction ends. `row`: the floating IP, if it is there already.

    Raises PortNotFound, BadResource, ExternalGatewayForFloatingIPNotFound, FloatingIPPortAlreadyAssociated.
    """
    port_id, wanted = given.get("port_id"), given.get("fixed_ip_address")
    if not port_id:
        if wanted:
            raise BadResource("floatingip", "fixed_ip_address cannot be specified without a port_id.")
        return {**NOWHERE, "status": _status(svc, is_associated=False)}
    port, network = await ports.load(uow, ctx, port_id)
    if port.project_id != owner and seen_by(ctx) is not None:
        raise BadResource("floatingip", f"Port {port_id} is associated with a different tenant than the floating IP and cannot be bound.")
    authorize(ctx, "get_port", ports.port_target(port, network))
    address = await fixed_address(uow, port_id, wanted)
    router_id = await find_router(uow, port_id, address["subnet_id"], network_id)
    other = await db.other_floating_ip(uow, row, port_id=port_id, fixed_ip_address=address["ip_address"], network_id=network_id)
    if other is not None:
        raise FloatingIPPortAlreadyAssociated(
            f"Cannot associate floating IP with port {port_id} using fixed IP {address['ip_address']}, "
            f"as that fixed IP already has a floating IP {other} on external network {network_id}."
        )
    if await db.is_forwarded_to(uow, port_id, address["ip_address"]):
        raise PortHasPortForwarding(f"Cannot associate floating IP to port {port_id} because it already has a Port Forwarding binding.")
    return {
        "port_id": port_id,
        "fixed_ip_address": address["ip_address"],
        "router_id": router_id,
        "status": _status(svc, is_associated=True),
    }


def _status(svc: Services, *, is_associated: bool) -> str:
    return svc.driver.immediate_status(is_bound=is_associated, admin_state_up=True) or "DOWN"


async def fixed_address(uow: UnitOfWork, port_id: str, wanted: str | None) -> dict[str, str]:
    """The port's address by name, or its only IPv4 address. Raises BadResource."""
    held = (await db_ports.addresses_of(uow, [port_id]))[port_id]
    if wanted:
        found = [h for h in held if h["ip_address"] == wanted]
        if not found:
            raise BadResource("floatingip", f"Port {port_id} does not have fixed ip {wanted}.")
        if ":" in wanted:
            raise BadResource("floatingip", f"Cannot process floating IP association with {wanted}, since that is not an IPv4 address.")
        return found[0]
    found = [h for h in held if ":" not in h["ip_address"]]
    if not found:
        raise BadResource("floatingip", f"Cannot add floating IP to port {port_id} that has no fixed IPv4 addresses.")
    if len(found) > 1:
        raise BadResource(
            "floatingip", f"Port {port_id} has multiple fixed IPv4 addresses. "
            "Must provide a specific IPv4 address when assigning a floating IP."
        )
    return found[0]


async def find_router(uow: UnitOfWork, port_id: str, subnet_id: str, network_id: str) -> str:
    """The router between subnet and external network, held. Raises ExternalGatewayForFloatingIPNotFound."""
    subnet = await db_subnets.get_subnet(uow, subnet_id, project_id=None)
    gateway_ip = None if subnet is None else subnet.gateway_ip
    router_id = pick_router(await db_routers.routers_between(uow, subnet_id, network_id), gateway_ip=gateway_ip)
    if router_id is None:
        raise ExternalGatewayForFloatingIPNotFound(
            f"External network {network_id} is not reachable from subnet {subnet_id}. Therefore, cannot associate Port {port_id} with a Floating IP."
        )
    await db_routers.lock_router(uow, router_id)
    if router_id not in {r.router_id for r in await db_routers.routers_between(uow, subnet_id, network_id)}:
        raise StaleRow  # it lost its interface or gateway before we held it
    return router_id
