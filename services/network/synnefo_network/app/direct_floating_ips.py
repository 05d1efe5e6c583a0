"""Floating IPs that sit on a server's NIC itself: the port is on the external network and has the floating address, without NAT.

A network does so if its `synnefo:direct_floating_ips` is set. The address passes from the port that keeps the floating IP to
the NIC, and back when the NIC goes (db.floating_ips.dissociate).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from synnefo_common.db import UnitOfWork
from synnefo_network.app.services import Services
from synnefo_network.db import floating_ips as db
from synnefo_network.domain.addresses import parse_ip
from synnefo_network.domain.errors import NoFreeFloatingIP, StaleRow
from synnefo_network.domain.port import PortSpec


def needs_floating_ip(project_id: str, device_owner: str, network: Any) -> bool:
    """Whether a port's IPv4 addresses are to be floating IPs: those of tenants on such a network are."""
    return bool(network.direct_floating_ips) and project_id not in ("", network.project_id) and not device_owner.startswith("network:")


def split_addresses(spec: PortSpec, subnets: Sequence[Any]) -> tuple[list[tuple[str | None, str | None]], list[Mapping[str, str]] | None]:
    """The floating IPs that a port asks for, as (address, subnet id), and the rest of its `fixed_ips`."""
    fours = {s.id for s in subnets if s.ip_version == 4}
    if spec.fixed_ips is None:
        return ([(None, None)] if fours else []), None
    floating: list[tuple[str | None, str | None]] = []
    rest: list[Mapping[str, str]] = []
    for fixed in spec.fixed_ips:
        address, subnet_id = fixed.get("ip_address"), fixed.get("subnet_id")
        if (address and parse_ip(address).version == 4) or (not address and subnet_id in fours):
            floating.append((address or None, subnet_id or None))
        else:
            rest.append(fixed)
    return floating, rest


async def claim(
    uow: UnitOfWork, svc: Services, spec: PortSpec, port_id: str, asked: Sequence[tuple[str | None, str | None]]
) -> list[dict[str, str]]:
    """Give the port a free floating IP of its project for each that it asks for; the addresses. Raises NoFreeFloatingIP."""
    held = []
    status = svc.driver.immediate_status(is_bound=True, admin_state_up=True) or "DOWN"
    for address, subnet_id in asked:
        free = await db.free_floating_ip(uow, spec.project_id, spec.network_id, address=address, subnet_id=subnet_id)
        if free is None:
            which = f"The floating IP {address}" if address else "A floating IP"
            raise NoFreeFloatingIP(
                f"{which} of network {spec.network_id} that is the project's own and not in use is needed: ports on this network have their "
                "addresses from floating IPs."
            )
        if not await db.sit_on_port(uow, free, port_id, status=status):
            raise StaleRow
        held.append({"subnet_id": free.subnet_id, "ip_address": free.floating_ip_address})
    return held
