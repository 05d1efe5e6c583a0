"""What a subnet may be: prefix, gateway, pools, IPv6 modes, name servers and routes."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from synnefo_network.domain.addresses import (
    AUTO_MODES,
    Pool,
    Prefix,
    check_pools,
    default_pools,
    first_host,
    is_host,
    parse_cidr,
    parse_ip,
    pools_hold,
)
from synnefo_network.domain.errors import GatewayConflictWithAllocationPools, InvalidInput, InvalidSubnetServiceType

_DEVICE_OWNER = re.compile("[a-z][a-z0-9_-]*:")  # network:dhcp, compute:nova, compute:
_LEAST_MTU = {4: 68, 6: 1280}


def new_values(given: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a subnet from what the caller gave, defaults filled in. Raises InvalidInput and its like."""
    if given.get("prefixlen") is not None and not given.get("cidr"):
        raise InvalidInput("prefixlen is of use with a subnet pool only: name one, or give the subnet's cidr.")
    if not given.get("cidr"):
        raise InvalidInput("A cidr must be specified in the absence of a subnet pool.")
    prefix = parse_cidr(given["cidr"])
    version = given.get("ip_version", prefix.version)
    if version != prefix.version:
        raise InvalidInput(f"cidr {given['cidr']} does not match the ip_version {version}.")
    enable_dhcp = given.get("enable_dhcp", True)
    _check_prefix(prefix, enable_dhcp=enable_dhcp)
    ra_mode, address_mode = given.get("ipv6_ra_mode"), given.get("ipv6_address_mode")
    _check_modes(prefix, ra_mode, address_mode, enable_dhcp=enable_dhcp)
    gateway = _gateway(given, prefix)
    pools = check_pools(given["allocation_pools"], prefix) if given.get("allocation_pools") else None
    if pools is None:
        pools = default_pools(prefix, None if gateway is None else parse_ip(gateway))
    check_gateway(gateway, prefix, pools)
    return {
        "ip_version": version,
        "cidr": str(prefix),
        "gateway_ip": gateway,
        "enable_dhcp": enable_dhcp,
        "ipv6_ra_mode": ra_mode,
        "ipv6_address_mode": address_mode,
        "allocation_pools": pools,
        "dns_nameservers": read_nameservers(given.get("dns_nameservers") or []),
        "host_routes": read_routes(given.get("host_routes") or [], version=version),
        "service_types": read_service_types(given.get("service_types") or []),
        "subnetpool_id": given.get("subnetpool_id"),
    }


def _gateway(given: Mapping[str, Any], prefix: Prefix) -> str | None:
    if "gateway_ip" in given:
        return None if given["gateway_ip"] is None else str(parse_ip(given["gateway_ip"]))
    return str(first_host(prefix))


def _check_prefix(prefix: Prefix, *, enable_dhcp: bool) -> None:
    if prefix.prefixlen == 0:
        raise InvalidInput("0 is not allowed as CIDR prefix length.")
    if not enable_dhcp:
        return
    if prefix.version == 4 and prefix.prefixlen > 30:
        raise InvalidInput(f"Subnet has a prefix length that is incompatible with DHCP service enabled: {prefix}.")
    if prefix.is_multicast or prefix.is_loopback:
        kind = "Multicast" if prefix.is_multicast else "Loopback"
        raise InvalidInput(f"{kind} IP subnet is not supported if enable_dhcp is True.")


def _check_modes(prefix: Prefix, ra_mode: str | None, address_mode: str | None, *, enable_dhcp: bool) -> None:
    if ra_mode is None and address_mode is None:
        return
    if prefix.version == 4:
        raise InvalidInput("ipv6_ra_mode and ipv6_address_mode are for subnets with ip_version 6.")
    if not enable_dhcp:
        raise InvalidInput("ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False.")
    if ra_mode and address_mode and ra_mode != address_mode:
        raise InvalidInput(f"ipv6_ra_mode set to '{ra_mode}' with ipv6_address_mode set to '{address_mode}' is not valid. They must be the same.")
    if (ra_mode in AUTO_MODES or address_mode in AUTO_MODES) and prefix.prefixlen != 64:
        raise InvalidInput(f"Invalid CIDR {prefix} for IPv6 address mode: EUI-64 addresses need a prefix of /64.")


def check_gateway(gateway: str | None, prefix: Prefix, pools: Sequence[Pool]) -> None:
    """Raises InvalidInput, GatewayConflictWithAllocationPools."""
    if gateway is None:
        return
    address = parse_ip(gateway)
    if address.version != prefix.version:
        raise InvalidInput(f"gateway_ip {gateway} does not match the ip_version {prefix.version}.")
    if address in prefix and not is_host(prefix, address) and prefix.version == 4:
        raise InvalidInput(f"Gateway {gateway} is not valid on subnet {prefix}.")
    if pools_hold(pools, address):
        raise GatewayConflictWithAllocationPools(f"Gateway ip {gateway} conflicts with an allocation pool.")


def check_mtu(mtu: int, versions: Collection[int]) -> None:
    """Whether the network's MTU is enough for subnets of these IP versions. Raises InvalidInput."""
    for version in versions:
        if mtu < _LEAST_MTU[version]:
            raise InvalidInput(
                f"The network's mtu {mtu} is below {_LEAST_MTU[version]}, which IPv{version} needs.", status=409, kind="NetworkMTUSubnetConflict"
            )


def check_overlap(prefix: Prefix, others: Sequence[str], *, network_id: str) -> None:
    """Subnets of one network may not overlap. Raises InvalidInput."""
    for other in others:
        found = parse_cidr(other)
        if found.version == prefix.version and prefix.overlaps(found):
            raise InvalidInput(f"Requested subnet with cidr: {prefix} for network: {network_id} overlaps with another subnet: {other}.")


def read_nameservers(given: Sequence[str]) -> list[str]:
    """Raises InvalidInput."""
    servers = [str(parse_ip(text, what="nameserver")) for text in given]
    if len(set(servers)) != len(servers):
        raise InvalidInput("Invalid input for dns_nameservers: duplicate nameserver.")
    return servers


def read_service_types(given: Sequence[str]) -> list[str]:
    """Device owners whose ports get addresses here, or the beginnings of theirs. Raises InvalidSubnetServiceType."""
    for text in given:
        if not _DEVICE_OWNER.match(text):
            raise InvalidSubnetServiceType(f"Subnet service type '{text[:60]}' does not correspond to a valid device owner.")
    return list(dict.fromkeys(given))


def subnets_for(subnets: Sequence[Any], device_owner: str) -> list[Any]:
    """The subnets that serve ports of the owner: those of its type, then those of no type."""
    of_type = [s for s in subnets if any(device_owner.startswith(t) if t.endswith(":") else device_owner == t for t in s.service_types)]
    return [*of_type, *(s for s in subnets if not s.service_types)]


def read_routes(given: Sequence[Mapping[str, str]], *, version: int) -> list[dict[str, str]]:
    """Raises InvalidInput."""
    routes = []
    for route in given:
        destination = parse_cidr(route["destination"], what="host route destination")
        nexthop = parse_ip(route["nexthop"], what="host route nexthop")
        if destination.version != version or nexthop.version != version:
            raise InvalidInput(f"Host route {route['destination']} via {route['nexthop']} does not match ip_version {version}.")
        routes.append({"destination": str(destination), "nexthop": str(nexthop)})
    if len({(r["destination"], r["nexthop"]) for r in routes}) != len(routes):
        raise InvalidInput("Invalid input for host_routes: duplicate host route.")
    return routes
