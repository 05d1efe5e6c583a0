"""Networks and subnets: logical switches, their way to a physical network, their metadata port, and DHCP options."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

from synnefo_network.domain.northbound.rows import Parent, Ref, Row, Scope
from synnefo_network.domain.northbound.topology import Topology

METADATA_ADDRESS = "169.254.169.254"
LEASE_S = 43200
_PHYSICAL = ("flat", "vlan")


def switch_name(network_id: str) -> str:
    return f"neutron-{network_id}"


def metadata_port(network_id: str) -> str:
    """The logical port that a node's metadata proxy plugs."""
    return f"metadata-{network_id}"


def derived_mac(*parts: str) -> str:
    """A locally administered MAC that is always the same for the same thing, and that no port is given."""
    digest = hashlib.sha256("/".join(parts).encode()).digest()
    return ":".join(f"{octet:02x}" for octet in (0x02, *digest[:5]))


def network_rows(topology: Topology, network: Any) -> Iterator[Row]:
    """All rows of a network."""
    scope, name = Scope("network", network.id), switch_name(network.id)
    subnets = topology.subnets.get(network.id, ())
    other_config = {"mcast_snoop": "false"}
    if network.is_external:
        # Else each ARP request on a big external network is copied to every router there.
        other_config["broadcast-arps-to-all-routers"] = "false"
    yield Row(
        "Logical_Switch", name, scope,
        {
            "name": name, "other_config": other_config,
            "external_ids": {"neutron:network_name": network.name, "neutron:mtu": str(network.mtu), "synnefo:project_id": network.project_id},
        },
        revision=network.revision,
    )  # fmt: skip
    here = frozenset({Parent("Logical_Switch", "ports", name)})
    if network.network_type in _PHYSICAL and network.physical_network:
        tag = frozenset({network.segmentation_id}) if network.network_type == "vlan" and network.segmentation_id else frozenset()
        port = f"provnet-{network.id}"
        yield Row(
            "Logical_Switch_Port", port, scope,
            {
                "name": port, "type": "localnet", "addresses": frozenset({"unknown"}), "tag": tag,
                "options": {"network_name": network.physical_network}, "external_ids": {},
            },
            here, network.revision,
        )  # fmt: skip
    if any(s.ip_version == 4 and s.enable_dhcp for s in subnets):
        port = metadata_port(network.id)
        yield Row(
            "Logical_Switch_Port", port, scope,
            {
                "name": port, "type": "localport", "addresses": frozenset({f"{derived_mac('metadata', network.id)} {METADATA_ADDRESS}"}),
                "options": {}, "external_ids": {"neutron:device_owner": "network:distributed"},
            },
            here, network.revision,
        )  # fmt: skip
    for subnet in subnets:
        options = dhcp_options(network, subnet)
        if options is not None:
            yield Row(
                "DHCP_Options", f"subnet-{subnet.id}", scope,
                {"cidr": subnet.cidr, "options": options, "external_ids": {"subnet_id": subnet.id}}, revision=subnet.revision,
            )  # fmt: skip


def dhcp_options(network: Any, subnet: Any) -> dict[str, str] | None:
    """What OVN tells a client of the subnet; None where it tells nothing."""
    if not subnet.enable_dhcp:
        return None
    return _options_v4(network, subnet) if subnet.ip_version == 4 else _options_v6(subnet)


def _options_v4(network: Any, subnet: Any) -> dict[str, str]:
    # The metadata port answers ARP for its address in every network: it is a server id that needs no address of the tenant's.
    options = {
        "server_id": subnet.gateway_ip or METADATA_ADDRESS,
        "server_mac": derived_mac("dhcp", subnet.id),
        "lease_time": str(LEASE_S),
        "mtu": str(network.mtu),
    }
    # A client that is given classless routes ignores the router: the default route is among them then.
    routes = [f"{METADATA_ADDRESS}/32,0.0.0.0"]
    routes += [f"{r['destination']},{r['nexthop']}" for r in subnet.host_routes if ":" not in r["destination"]]
    if subnet.gateway_ip:
        options["router"] = subnet.gateway_ip
        if not any(r.startswith("0.0.0.0/0,") for r in routes):
            routes.append(f"0.0.0.0/0,{subnet.gateway_ip}")
    options["classless_static_route"] = braces(routes)
    if subnet.dns_nameservers:
        options["dns_server"] = braces(subnet.dns_nameservers)
    return options


def _options_v6(subnet: Any) -> dict[str, str] | None:
    if subnet.ipv6_address_mode not in ("dhcpv6-stateful", "dhcpv6-stateless"):
        return None
    options = {"server_id": derived_mac("dhcp", subnet.id)}
    if subnet.dns_nameservers:
        options["dns_server"] = braces(subnet.dns_nameservers)
    if subnet.ipv6_address_mode == "dhcpv6-stateless":
        options["dhcpv6_stateless"] = "true"
    return options


def braces(values: Any) -> str:
    """A list as OVN writes it in an option."""
    return "{" + ", ".join(values) + "}"


def dhcp_ref(subnet: Any) -> Ref:
    """The subnet's row of DHCP options."""
    return Ref("DHCP_Options", f"subnet-{subnet.id}")


def prefix_length(subnet: Any) -> int:
    return ip_network(subnet.cidr).prefixlen
