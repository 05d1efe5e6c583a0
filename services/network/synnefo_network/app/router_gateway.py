"""The way out of a router: its port on an external network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synnefo_common.db import UnitOfWork
from synnefo_common.web import Context
from synnefo_network.app.port_create import make_ports
from synnefo_network.app.port_update import replace_addresses
from synnefo_network.app.services import Services, authorize_attributes, seen_by
from synnefo_network.db import networks as db_networks
from synnefo_network.db import ports as db_ports
from synnefo_network.db import routers as db
from synnefo_network.db import subnets as db_subnets
from synnefo_network.domain.errors import BadResource, NetworkNotFound
from synnefo_network.domain.policy import RULES
from synnefo_network.domain.port import PortSpec
from synnefo_network.domain.router import GATEWAY_OWNER, check_overlap
from synnefo_network.domain.router_errors import RouterExternalGatewayInUseByFloatingIp

_RULES = {r.name: r for r in RULES}


def authorize_gateway(ctx: Context, action: str, info: Mapping[str, Any] | None, target: Mapping[str, Any]) -> None:
    """The rules of what is inside `external_gateway_info`. Raises PolicyNotAuthorized."""
    inside = {f"external_gateway_info:{k}": v for k, v in (info or {}).items() if v is not None}
    authorize_attributes(ctx, action, inside, target, rules=_RULES)


async def change_gateway(uow: UnitOfWork, svc: Services, ctx: Context, router: Any, info: Mapping[str, Any] | None) -> None:
    """Make the gateway as `info` says; None or {} takes it away. The router's row is held by the caller.

    Raises NetworkNotFound, BadResource, RouterExternalGatewayInUseByFloatingIp, the faults of allocation.
    """
    connected = (await db.addresses_of(uow, [router.id]))[router.id]
    current = next((c for c in connected if c.is_gateway), None)
    network_id = info.get("network_id") if info else None
    if info and not network_id:
        if current is None:
            raise BadResource("router", "external_gateway_info needs network_id.")
        network_id = current.network_id
    if current is not None and current.network_id != network_id:
        if await db.has_floating_ips(uow, router.id):
            raise RouterExternalGatewayInUseByFloatingIp(
                f"Gateway cannot be updated for router {router.id}, since a gateway to external network {current.network_id} "
                "is required by one or more floating IPs."
            )
        await db_ports.delete_ports(uow, [current.port_id])
        current = None
    if not info or not network_id:
        return
    wanted = info.get("external_fixed_ips") or None
    if current is None:
        await _make_gateway(uow, svc, ctx, router, network_id, wanted=wanted)
    elif wanted is not None:
        port = await db_ports.get_port(uow, current.port_id, project_id=None)
        assert port is not None
        held = (await db_ports.addresses_of(uow, [port.id]))[port.id]
        await replace_addresses(uow, svc, port, held, wanted=wanted)


async def _make_gateway(uow: UnitOfWork, svc: Services, ctx: Context, router: Any, network_id: str, *, wanted: Any) -> None:
    networks = await db_networks.get_networks(uow, [network_id], project_id=seen_by(ctx))
    if network_id not in networks:
        raise NetworkNotFound(network_id)
    if not networks[network_id].is_external:
        raise BadResource("router", f"Network {network_id} is not an external network.")
    subnets = await db_subnets.subnets_of(uow, [network_id])
    inside = (await db.addresses_of(uow, [router.id], is_gateway=False))[router.id]
    check_overlap(subnets[network_id], inside)
    spec = PortSpec(project_id="", network_id=network_id, fixed_ips=wanted, device_id=router.id, device_owner=GATEWAY_OWNER)
    (made,) = await make_ports(uow, svc, [spec], networks=networks, subnets=subnets, sees_all=True)
    if subnets[network_id] and not made.fixed_ips:
        raise BadResource("router", f"No IPs available for external network {network_id}.")
    await db.add_port(uow, router.id, made.row.id, is_gateway=True)
