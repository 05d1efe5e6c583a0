"""`network_data.json`: a server's interfaces as its cloud-init configures them, where no DHCP server or router tells more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from typing import Any


def network_data(ports: Sequence[Mapping[str, Any]], subnets: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Links, networks and services of the ports, in their order. `subnets`: by id, as the network service tells of them."""
    links: list[dict[str, Any]] = []
    networks: list[dict[str, Any]] = []
    services: list[dict[str, str]] = []
    for port in ports:
        link = f"tap{port['id'][:11]}"
        links.append(
            {"id": link, "vif_id": port["id"], "type": "ovs", "mtu": port.get("mtu"), "ethernet_mac_address": port["mac_address"]}
        )
        seen: set[str] = set()
        versions: set[int] = set()
        for address in port.get("fixed_ips") or ():
            subnet = subnets.get(address["subnet_id"])
            if subnet is None:
                continue
            is_first = subnet["id"] not in seen
            # DHCP gives one address of each kind; further ones the guest sets itself.
            may_ask = subnet["ip_version"] not in versions
            networks.append(
                {
                    "id": f"network{len(networks)}", "link": link, "network_id": port["network_id"],
                    **_network(subnet, address["ip_address"], may_ask=may_ask, has_routes=is_first),
                }
            )  # fmt: skip
            seen.add(subnet["id"])
            versions.add(subnet["ip_version"])
            services += [dns for dns in _dns(subnet) if dns not in services]
    return {"links": links, "networks": networks, "services": services}


def _network(subnet: Mapping[str, Any], address: str, *, may_ask: bool, has_routes: bool) -> dict[str, Any]:
    version, mode = subnet["ip_version"], subnet.get("ipv6_address_mode")
    if version == 4 and subnet["enable_dhcp"] and may_ask:
        return {"type": "ipv4_dhcp"}
    # An IPv6 subnet without an address mode is served by nobody, whatever it says of DHCP.
    kind = f"ipv6_{mode}" if version == 6 and mode and subnet["enable_dhcp"] and may_ask else f"ipv{version}"
    return {
        "type": kind, "ip_address": address, "netmask": str(ip_network(subnet["cidr"]).netmask), "routes": _routes(subnet) if has_routes else [],
        "services": _dns(subnet),
    }  # fmt: skip


def _routes(subnet: Mapping[str, Any]) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    if subnet.get("gateway_ip"):
        nowhere = "0.0.0.0" if subnet["ip_version"] == 4 else "::"
        found.append({"network": nowhere, "netmask": nowhere, "gateway": subnet["gateway_ip"]})
    for route in subnet.get("host_routes") or ():
        to = ip_network(route["destination"], strict=False)
        found.append({"network": str(to.network_address), "netmask": str(to.netmask), "gateway": route["nexthop"]})
    return found


def _dns(subnet: Mapping[str, Any]) -> list[dict[str, str]]:
    return [{"type": "dns", "address": server} for server in subnet.get("dns_nameservers") or ()]
