"""Ports: logical switch ports with addresses, port security, DHCP, groups and QoS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from synnefo_network.domain.northbound.groups import group_name
from synnefo_network.domain.northbound.rows import DROP_GROUP, Parent, Ref, Row, Scope
from synnefo_network.domain.northbound.switches import dhcp_options, dhcp_ref, switch_name
from synnefo_network.domain.northbound.topology import Topology

FLOATING_IP_OWNER = "network:floatingip"
# Neutron's names, which are dnsmasq's, and OVN's.
DHCP_NAMES_V4 = {
    "netmask": "netmask", "1": "netmask", "router": "router", "3": "router", "dns-server": "dns_server", "6": "dns_server",
    "log-server": "log_server", "7": "log_server", "lpr-server": "lpr_server", "9": "lpr_server", "domain-name": "domain_name",
    "15": "domain_name", "swap-server": "swap_server", "16": "swap_server", "policy-filter": "policy_filter", "21": "policy_filter",
    "router-solicitation": "router_solicitation", "32": "router_solicitation", "nis-server": "nis_server", "41": "nis_server",
    "ntp-server": "ntp_server", "42": "ntp_server", "server-ip-address": "tftp_server_address", "66": "tftp_server",
    "tftp-server": "tftp_server", "tftp-server-name": "tftp_server", "tftp-server-address": "tftp_server_address", "150": "tftp_server_address",
    "67": "bootfile_name", "bootfile-name": "bootfile_name", "wpad": "wpad", "252": "wpad", "path-prefix": "path_prefix", "210": "path_prefix",
    "mtu": "mtu", "26": "mtu", "lease-time": "lease_time", "51": "lease_time", "T1": "T1", "58": "T1", "T2": "T2", "59": "T2",
    "classless-static-route": "classless_static_route", "121": "classless_static_route", "hostname": "hostname", "12": "hostname",
    "default-ttl": "default_ttl", "23": "default_ttl", "ip-forward-enable": "ip_forward_enable", "19": "ip_forward_enable",
    "ethernet-encap": "ethernet_encap", "36": "ethernet_encap", "tcp-ttl": "tcp_ttl", "37": "tcp_ttl",
    "tcp-keepalive": "tcp_keepalive_interval", "38": "tcp_keepalive_interval", "domain-search": "domain_search_list", "119": "domain_search_list",
}  # fmt: skip
DHCP_NAMES_V6 = {"dns-server": "dns_server", "23": "dns_server", "domain-search": "domain_search", "24": "domain_search"}
_TEXT = frozenset({"domain_name", "bootfile_name", "wpad", "path_prefix", "hostname", "tftp_server", "domain_search_list", "domain_search"})
_QOS_PRIORITY = 2002


def port_rows(topology: Topology, port: Any) -> Iterator[Row]:
    """All rows of a port. A floating IP's port only holds the address: it has none."""
    if port.device_owner == FLOATING_IP_OWNER:
        return
    scope = Scope("port", port.id)
    network = topology.known_networks[port.network_id]
    switch = Parent("Logical_Switch", "ports", switch_name(port.network_id))
    owner = topology.router_of.get(port.id)
    if owner is not None:
        yield _router_side(topology, port, scope, switch, is_gateway=owner.is_gateway)
        return
    addresses = topology.addresses.get(port.id, ())
    whole = " ".join([port.mac_address, *(a.ip_address for a in addresses)])
    parents = {switch}
    if port.port_security_enabled:
        parents.add(Parent("Port_Group", "ports", DROP_GROUP))
        parents |= {Parent("Port_Group", "ports", group_name(g)) for g in topology.groups_of.get(port.id, ())}
    dhcp = {4: frozenset[Any](), 6: frozenset[Any]()}
    for row in _own_dhcp(topology, network, port, scope):
        dhcp[6 if ":" in row.columns["cidr"] else 4] = frozenset({Ref(row.table, row.key)})
        yield row
    disabled = any(o["opt_name"] == "dhcp_disabled" and o["opt_value"] == "true" for o in port.extra_dhcp_opts)
    for version in (4, 6):
        subnet = _first_subnet(topology, port, version)
        if subnet is not None and not dhcp[version] and not disabled and dhcp_options(network, subnet) is not None:
            dhcp[version] = frozenset({dhcp_ref(subnet)})
    yield Row(
        "Logical_Switch_Port", port.id, scope,
        {
            "name": port.id, "type": "", "enabled": frozenset({port.admin_state_up}),
            "addresses": _addresses(port, whole), "port_security": _port_security(port, whole) if port.port_security_enabled else frozenset(),
            "dhcpv4_options": dhcp[4], "dhcpv6_options": dhcp[6], "options": {},
            "external_ids": {
                "neutron:port_name": port.name, "neutron:device_id": port.device_id, "neutron:device_owner": port.device_owner,
                "neutron:project_id": port.project_id, "neutron:network_name": switch_name(port.network_id),
                "neutron:security_group_ids": " ".join(topology.groups_of.get(port.id, ())),
            },
        },
        frozenset(parents), port.revision,
    )  # fmt: skip
    if not port.device_owner.startswith("network:"):
        policy = port.qos_policy_id or network.qos_policy_id
        yield from _qos(topology, port, scope, policy)


def _router_side(topology: Topology, port: Any, scope: Scope, switch: Parent, *, is_gateway: bool) -> Row:
    """The end of a router's port in the switch."""
    options = {"router-port": f"lrp-{port.id}"}
    if is_gateway:
        # The gateway tells the outside of the addresses that it answers for when it moves.
        options |= {"nat-addresses": "router", "exclude-lb-vips-from-garp": "false"}
    return Row(
        "Logical_Switch_Port", port.id, scope,
        {
            "name": port.id, "type": "router", "addresses": frozenset({"router"}), "enabled": frozenset({port.admin_state_up}),
            "port_security": frozenset(), "options": options,
            "external_ids": {"neutron:device_owner": port.device_owner, "neutron:device_id": port.device_id},
        },
        frozenset({switch}), port.revision,
    )  # fmt: skip


def _addresses(port: Any, whole: str) -> frozenset[str]:
    """Where the switch sends what is for the port. Without port security also what is for nobody else."""
    found = {whole}
    if not port.port_security_enabled:
        return frozenset({*found, "unknown"})
    found |= {p["mac_address"] for p in port.allowed_address_pairs if p["mac_address"] != port.mac_address}
    return frozenset(found)


def _port_security(port: Any, whole: str) -> frozenset[str]:
    """What the port may send from: its own addresses, and those of the pairs of the same MAC with them."""
    by_mac: dict[str, list[str]] = {port.mac_address: whole.split(" ")[1:]}
    for pair in port.allowed_address_pairs:
        by_mac.setdefault(pair["mac_address"], []).append(str(pair["ip_address"]))
    return frozenset(" ".join([mac, *dict.fromkeys(addresses)]) for mac, addresses in by_mac.items())


def _first_subnet(topology: Topology, port: Any, version: int) -> Any:
    subnets = {s.id: s for s in topology.subnets.get(port.network_id, ())}
    for address in topology.addresses.get(port.id, ()):
        subnet = subnets.get(address.subnet_id)
        if subnet is not None and subnet.ip_version == version:
            return subnet
    return None


def _own_dhcp(topology: Topology, network: Any, port: Any, scope: Scope) -> Iterator[Row]:
    """DHCP options of a port that has extra ones: its subnet's with those over them."""
    for version, names in ((4, DHCP_NAMES_V4), (6, DHCP_NAMES_V6)):
        extra = known_dhcp_options(port.extra_dhcp_opts, version, names)
        subnet = _first_subnet(topology, port, version)
        options = None if subnet is None or not extra else dhcp_options(network, subnet)
        if options is not None:
            yield Row(
                "DHCP_Options", f"port-{port.id}-{version}", scope,
                {"cidr": subnet.cidr, "options": {**options, **extra}, "external_ids": {"subnet_id": subnet.id, "port_id": port.id}},
                revision=port.revision,
            )  # fmt: skip


def known_dhcp_options(options: Sequence[Mapping[str, Any]], version: int, names: Mapping[str, str]) -> dict[str, str]:
    """The extra options that OVN can give, under its names. Text stands in quotes of its own."""
    found: dict[str, str] = {}
    for option in options:
        name = names.get(str(option["opt_name"]).removeprefix("option:").removeprefix("option6:"))
        if name is not None and (option.get("ip_version") or 4) == version:
            value = str(option["opt_value"])
            found[name] = f'"{value}"' if name in _TEXT else f"{{{value}}}" if "," in value else value
    return found


def _qos(topology: Topology, port: Any, scope: Scope, policy: str | None) -> Iterator[Row]:
    side = {"egress": ("from-lport", "inport"), "ingress": ("to-lport", "outport")}
    for direction, bandwidth, action in limits(topology.qos_rules.get(policy or "", ())):
        lport, which = side[direction]
        yield Row(
            "QoS", f"port-{port.id}-{direction}", scope,
            {
                "priority": _QOS_PRIORITY, "direction": lport, "match": f'{which} == "{port.id}"',
                "bandwidth": bandwidth, "action": action, "external_ids": {"neutron:port_id": port.id},
            },
            frozenset({Parent("Logical_Switch", "qos_rules", switch_name(port.network_id))}), port.revision,
        )  # fmt: skip


def limits(rules: Sequence[Any]) -> Iterator[tuple[str, dict[str, int], dict[str, int]]]:
    """(direction, bandwidth, action) of a policy: at most one row for each direction, as OVN lets only one match."""
    bandwidth: dict[str, dict[str, int]] = {}
    action: dict[str, dict[str, int]] = {}
    for rule in rules:
        if rule.type == "bandwidth_limit" and rule.max_kbps:
            # A policer with a small burst lets TCP through at a fraction of the rate.
            bandwidth[rule.direction or "egress"] = {"rate": rule.max_kbps, "burst": rule.max_burst_kbps or rule.max_kbps}
        elif rule.type == "dscp_marking" and rule.dscp_mark is not None:
            action["egress"] = {"dscp": rule.dscp_mark}
    for direction in sorted({*bandwidth, *action}):
        yield direction, bandwidth.get(direction, {}), action.get(direction, {})
