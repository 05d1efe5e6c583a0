"""Routers: logical routers with their ports, gateway chassis, routes, NAT, port forwardings and the QoS of floating IPs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

from synnefo_network.domain.northbound.ports import limits
from synnefo_network.domain.northbound.rows import Parent, Row, Scope
from synnefo_network.domain.northbound.switches import prefix_length, switch_name
from synnefo_network.domain.northbound.topology import Chassis, Topology

# With two, the one that is left has lost all its BFD peers, takes itself for the one cut off, and does nothing.
GATEWAYS = 3
_RA_MODES = {"slaac": "slaac", "dhcpv6-stateful": "dhcpv6_stateful", "dhcpv6-stateless": "dhcpv6_stateless"}
_QOS_PRIORITY = 2003


def router_name(router_id: str) -> str:
    return f"neutron-{router_id}"


def router_rows(topology: Topology, router: Any, chassis: Sequence[Chassis]) -> Iterator[Row]:
    """All rows of a router."""
    scope, name = Scope("router", router.id), router_name(router.id)
    yield Row(
        "Logical_Router", name, scope,
        {
            "name": name, "enabled": frozenset({router.admin_state_up}),
            # Without these a router learns every neighbour of a big external network and forgets none.
            "options": {"always_learn_from_arp_request": "false", "dynamic_neigh_routers": "true", "mac_binding_age_threshold": "300"},
            "external_ids": {"neutron:router_name": router.name, "synnefo:project_id": router.project_id},
        },
        revision=router.revision,
    )  # fmt: skip
    gateway = None
    for port in topology.router_ports.get(router.id, ()):
        yield from _port(topology, router, port, chassis, is_gateway=topology.router_of[port.id].is_gateway)
        if topology.router_of[port.id].is_gateway:
            gateway = port
    yield from _routes(topology, router, gateway)
    if gateway is not None:
        yield from _nat(topology, router, gateway)


def _held(topology: Topology, port: Any) -> Iterator[tuple[str, Any]]:
    """(address, subnet) of a port."""
    subnets = {s.id: s for s in topology.subnets.get(port.network_id, ())}
    for address in topology.addresses.get(port.id, ()):
        if address.subnet_id in subnets:
            yield address.ip_address, subnets[address.subnet_id]


def _port(topology: Topology, router: Any, port: Any, chassis: Sequence[Chassis], *, is_gateway: bool) -> Iterator[Row]:
    network, held = topology.known_networks[port.network_id], list(_held(topology, port))
    if not held:
        return
    scope, name = Scope("router", router.id), f"lrp-{port.id}"
    ra: dict[str, str] = {}
    modes = [s.ipv6_ra_mode for _, s in held if s.ipv6_ra_mode]
    if modes and not is_gateway:
        ra = {"address_mode": _RA_MODES[modes[0]], "send_periodic": "true", "mtu": str(network.mtu)}
        servers = [server for _, s in held if s.ip_version == 6 for server in s.dns_nameservers]
        if servers:
            ra["rdnss"] = servers[0]
    yield Row(
        "Logical_Router_Port", name, scope,
        {
            "name": name, "mac": port.mac_address, "networks": frozenset(f"{address}/{prefix_length(s)}" for address, s in held),
            "enabled": frozenset({port.admin_state_up}), "ipv6_ra_configs": ra, "options": {"gateway_mtu": str(network.mtu)} if is_gateway else {},
            "external_ids": {"neutron:network_name": switch_name(port.network_id), "neutron:router_name": router.id},
        },
        frozenset({Parent("Logical_Router", "ports", router_name(router.id))}), port.revision,
    )  # fmt: skip
    if is_gateway:
        for priority, chosen in zip(range(GATEWAYS, 0, -1), choose_gateways(router.id, network, chassis), strict=False):
            key = f"{name}_{chosen.name}"
            yield Row(
                "Gateway_Chassis", key, scope,
                {"name": key, "chassis_name": chosen.name, "priority": priority, "external_ids": {}},
                frozenset({Parent("Logical_Router_Port", "gateway_chassis", name)}), router.revision,
            )  # fmt: skip


def choose_gateways(router_id: str, network: Any, chassis: Sequence[Chassis]) -> list[Chassis]:
    """Up to three nodes that are marked as gateways and reach the network, the same for a router as long as they are there.

    Where none is marked, all that reach the network. One that does not answer is not taken out: it is not forgotten while it
    restarts, and the others take over by themselves.
    """
    able = [c for c in chassis if not network.physical_network or network.physical_network in c.physical_networks]
    able = [c for c in able if c.is_gateway] or able
    return sorted(able, key=lambda c: hashlib.sha256(f"{router_id}/{c.name}".encode()).digest())[:GATEWAYS]


def _routes(topology: Topology, router: Any, gateway: Any) -> Iterator[Row]:
    scope, parent = Scope("router", router.id), frozenset({Parent("Logical_Router", "static_routes", router_name(router.id))})
    given = {r["destination"] for r in router.routes}
    for _, subnet in _held(topology, gateway) if gateway is not None else ():
        prefix = "0.0.0.0/0" if subnet.ip_version == 4 else "::/0"
        if subnet.gateway_ip and prefix not in given:
            yield Row(
                "Logical_Router_Static_Route", f"{router.id}-{prefix}-{subnet.id}", scope,
                {
                    "ip_prefix": prefix, "nexthop": subnet.gateway_ip, "output_port": frozenset({f"lrp-{gateway.id}"}),
                    "external_ids": {"neutron:is_ext_gw": "true", "neutron:subnet_id": subnet.id},
                },
                parent, router.revision,
            )  # fmt: skip
    for route in router.routes:
        yield Row(
            "Logical_Router_Static_Route", f"{router.id}-{route['destination']}-{route['nexthop']}", scope,
            {"ip_prefix": route["destination"], "nexthop": route["nexthop"], "output_port": frozenset(), "external_ids": {}},
            parent, router.revision,
        )  # fmt: skip


def _nat(topology: Topology, router: Any, gateway: Any) -> Iterator[Row]:
    scope, parent = Scope("router", router.id), frozenset({Parent("Logical_Router", "nat", router_name(router.id))})
    outside = next((address for address, s in _held(topology, gateway) if s.ip_version == 4), None)
    if router.enable_snat and outside is not None:
        for port in topology.router_ports.get(router.id, ()):
            for _, subnet in _held(topology, port):
                if port.id != gateway.id and subnet.ip_version == 4:
                    columns = {"type": "snat", "external_ip": outside, "logical_ip": subnet.cidr, "external_ids": {}}
                    yield Row("NAT", f"snat-{router.id}-{subnet.id}", scope, columns, parent, router.revision)
    for floating in topology.floating_ips.get(router.id, ()):
        if floating.fixed_ip_address:
            ids = {"neutron:fip_id": floating.id, "neutron:fip_port_id": floating.port_id or "", "neutron:router_name": router.id}
            columns = {
                "type": "dnat_and_snat", "external_ip": floating.floating_ip_address, "logical_ip": floating.fixed_ip_address, "external_ids": ids,
            }  # fmt: skip
            yield Row("NAT", f"fip-{floating.id}", scope, columns, parent, floating.revision)
        yield from _forwardings(topology, router, floating)
        yield from _floating_qos(topology, router, gateway, floating)


def _forwardings(topology: Topology, router: Any, floating: Any) -> Iterator[Row]:
    """A load balancer with one back end for each protocol."""
    vips: dict[str, dict[str, str]] = {}
    for forwarding in topology.forwardings.get(floating.id, ()):
        outside = f"{floating.floating_ip_address}:{forwarding.external_port}"
        vips.setdefault(forwarding.protocol, {})[outside] = f"{forwarding.internal_ip_address}:{forwarding.internal_port}"
    for protocol, these in vips.items():
        key = f"pf-floatingip-{floating.id}-{protocol}"
        yield Row(
            "Load_Balancer", key, Scope("router", router.id),
            {
                "name": key, "protocol": frozenset({protocol}), "vips": these, "options": {},
                "external_ids": {"neutron:device_owner": "port_forwarding_plugin", "neutron:fip_id": floating.id},
            },
            frozenset({Parent("Logical_Router", "load_balancer", router_name(router.id))}), floating.revision,
        )  # fmt: skip


def _floating_qos(topology: Topology, router: Any, gateway: Any, floating: Any) -> Iterator[Row]:
    """On the external switch, where the packets of the router pass, at the node that has its gateway."""
    address, resident = floating.floating_ip_address, f'is_chassis_resident("cr-lrp-{gateway.id}")'
    sides = {
        "egress": ("from-lport", f'inport == "{gateway.id}" && ip4.src == {address} && {resident}'),
        "ingress": ("to-lport", f'outport == "{gateway.id}" && ip4.dst == {address} && {resident}'),
    }
    for direction, bandwidth, action in limits(topology.qos_rules.get(floating.qos_policy_id or "", ())):
        lport, match = sides[direction]
        yield Row(
            "QoS", f"fip-{floating.id}-{direction}", Scope("router", router.id),
            {
                "priority": _QOS_PRIORITY, "direction": lport, "match": match, "bandwidth": bandwidth, "action": action,
                "external_ids": {"neutron:fip_id": floating.id},
            },
            frozenset({Parent("Logical_Switch", "qos_rules", switch_name(gateway.network_id))}), floating.revision,
        )  # fmt: skip
