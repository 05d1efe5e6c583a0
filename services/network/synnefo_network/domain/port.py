"""What a port may be: the content wanted, the addresses it asks for, checks that need no table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from synnefo_network.domain.addresses import eui64, is_automatic, is_host, parse_cidr, parse_ip, parse_mac
from synnefo_network.domain.errors import (
    AddressPairAndPortSecurityRequired,
    AllocationOnAutoAddressSubnet,
    InvalidInput,
    InvalidIpForNetwork,
    InvalidIpForSubnet,
    PortSecurityAndIPRequiredForSecurityGroups,
)

NETWORK_DEVICE = "network:"
FLOATING_IP_OWNER = "network:floatingip"
_UNDELETABLE = ("network:router_interface", "network:router_gateway", FLOATING_IP_OWNER)


@dataclass(slots=True)
class PortSpec:
    """A port to be made. None means: as the network or the cloud decides."""

    project_id: str
    network_id: str
    id: str | None = None
    name: str = ""
    description: str = ""
    tags: Sequence[str] = ()
    admin_state_up: bool = True
    mac_address: str | None = None
    fixed_ips: Sequence[Mapping[str, str]] | None = None
    security_groups: Sequence[str] | None = None
    device_id: str = ""
    device_owner: str = ""
    port_security_enabled: bool | None = None
    allowed_address_pairs: Sequence[Mapping[str, str]] = ()
    extra_dhcp_opts: Sequence[Mapping[str, Any]] = ()
    vnic_type: str = "normal"
    host_id: str = ""
    profile: Mapping[str, Any] = field(default_factory=dict)
    is_bound: bool = False
    is_server_made: bool = False
    qos_policy_id: str | None = None
    is_forced: bool = False  # every server has it: it asks for no floating IP

    @property
    def is_network_device(self) -> bool:
        return self.device_owner.startswith(NETWORK_DEVICE)


@dataclass(frozen=True, slots=True)
class Want:
    """One address to be had: of one of the subnets, this one or (None) any."""

    port_id: str
    subnets: tuple[Any, ...]
    ip_address: str | None = None


def is_working(device_owner: str, *, is_bound: bool) -> bool:
    """Whether something stands behind a port: a server's NIC, or the router that it belongs to."""
    return is_bound or device_owner in ("network:router_interface", "network:router_gateway")


def is_undeletable(device_owner: str) -> bool:
    """Ports that go only with what they belong to."""
    return device_owner in _UNDELETABLE


def plan_addresses(
    port_id: str,
    mac: str,
    subnets: Sequence[Any],
    *,
    fixed_ips: Sequence[Mapping[str, str]] | None,
    network_id: str,
    most: int,
) -> list[Want]:
    """What to allocate for a port. Raises InvalidInput and its like."""
    if fixed_ips is None:
        return _default_wants(port_id, mac, subnets)
    if len(fixed_ips) > most:
        raise InvalidInput("Exceeded maximum amount of fixed ips per port.")
    wants = [_one_want(port_id, mac, subnets, fixed, network_id=network_id) for fixed in fixed_ips]
    named = [(w.subnets[0].id, w.ip_address) for w in wants if w.ip_address is not None]
    if len(set(named)) != len(named):
        raise InvalidInput("Invalid input for fixed_ips: the same address is given twice.")
    return wants


def _default_wants(port_id: str, mac: str, subnets: Sequence[Any]) -> list[Want]:
    """One IPv4, one IPv6 of those that we hand out, and an address in each subnet where the port makes its own."""
    wants = []
    for version in (4, 6):
        choice = tuple(s for s in subnets if s.ip_version == version and not is_automatic(s))
        if choice:
            wants.append(Want(port_id, choice))
    wants += [Want(port_id, (s,), eui64(_prefix(s), mac)) for s in subnets if is_automatic(s)]
    return wants


def _prefix(subnet: Any) -> Any:
    return parse_cidr(subnet.cidr)


def _one_want(port_id: str, mac: str, subnets: Sequence[Any], fixed: Mapping[str, str], *, network_id: str) -> Want:
    subnet_id, text = fixed.get("subnet_id"), fixed.get("ip_address")
    if not subnet_id and not text:
        raise InvalidInput("IP allocation requires subnet_id or ip_address.")
    subnet = None
    if subnet_id:
        subnet = next((s for s in subnets if s.id == subnet_id), None)
        if subnet is None:
            raise InvalidInput(f"Failed to create port on network {network_id}, because fixed_ips included invalid subnet {subnet_id}.")
    if not text:
        if is_automatic(subnet):
            return Want(port_id, (subnet,), eui64(_prefix(subnet), mac))
        return Want(port_id, (subnet,))
    address = parse_ip(text)
    if subnet is None:
        subnet = next((s for s in subnets if address in _prefix(s)), None)
        if subnet is None:
            raise InvalidIpForNetwork(f"IP address {text} is not a valid IP for any of the subnets on the specified network.")
    if not is_host(_prefix(subnet), address):
        raise InvalidIpForSubnet(f"IP address {text} is not a valid IP for the specified subnet.")
    if is_automatic(subnet) and str(address) != eui64(_prefix(subnet), mac):
        raise AllocationOnAutoAddressSubnet(
            f"IPv6 address {text} can not be directly assigned to a port on subnet {subnet.id} as the subnet is configured for automatic addresses."
        )
    return Want(port_id, (subnet,), str(address))


def read_address_pairs(given: Sequence[Mapping[str, str]], *, port_mac: str, most: int) -> list[dict[str, str]]:
    """Allowed address pairs in canonical form. Raises InvalidInput."""
    if len(given) > most:
        raise InvalidInput(f"The number of allowed address pairs exceeds the maximum {most}.", kind="AllowedAddressPairExhausted")
    pairs = []
    for pair in given:
        text = pair["ip_address"]
        address = str(parse_cidr(text, what="IP address")) if "/" in text else str(parse_ip(text))
        mac = pair.get("mac_address")
        pairs.append({"ip_address": address, "mac_address": parse_mac(mac) if mac else port_mac})
    if len({(p["ip_address"], p["mac_address"]) for p in pairs}) != len(pairs):
        raise InvalidInput("Request contains duplicate address pair.", kind="DuplicateAddressPairInRequest")
    return pairs


def read_dhcp_opts(given: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Extra DHCP options without those that are to be removed (value null)."""
    by_key = {(o["opt_name"], o.get("ip_version") or 4): o for o in given}
    return [
        {"opt_name": name, "opt_value": option["opt_value"], "ip_version": version}
        for (name, version), option in by_key.items()
        if option.get("opt_value") is not None
    ]


def check_security(*, port_security: bool, has_groups: bool, has_pairs: bool) -> None:
    """Without port security there is neither group nor address pair. Raises."""
    if port_security:
        return
    if has_pairs:
        raise AddressPairAndPortSecurityRequired("Port Security must be enabled in order to have allowed address pairs on a port.")
    if has_groups:
        raise PortSecurityAndIPRequiredForSecurityGroups("Port security must be enabled to have security groups on a port.")
