"""Security groups and address groups: port groups with ACLs, and address sets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from synnefo_network.domain.northbound.rows import CLOUD, DROP_GROUP, Parent, Row, Scope
from synnefo_network.domain.northbound.topology import Topology
from synnefo_network.domain.security_group import protocol_number

_DROP, _ALLOW = 1001, 1002
_PORTS = {6: "tcp", 17: "udp", 132: "sctp"}
_ICMP = {1: "icmp4", 58: "icmp6"}


def group_name(group_id: str) -> str:
    return "pg_" + group_id.replace("-", "_")


def address_set_name(group_id: str, version: int) -> str:
    return f"as_{group_id.replace('-', '_')}_ip{version}"


def drop_rows() -> Iterator[Row]:
    """The group of all ports with port security: nothing passes but DHCP and neighbour discovery, whatever the tenant's rules say."""
    yield Row("Port_Group", DROP_GROUP, CLOUD, {"name": DROP_GROUP, "external_ids": {}})
    out, into = f"inport == @{DROP_GROUP}", f"outport == @{DROP_GROUP}"
    rules = (
        ("drop-out", "from-lport", _DROP, f"{out} && ip", "drop"),
        ("drop-in", "to-lport", _DROP, f"{into} && ip", "drop"),
        ("dhcp4", "from-lport", _ALLOW, f"{out} && ip4 && udp.src == 68 && udp.dst == 67", "allow"),
        ("dhcp6", "from-lport", _ALLOW, f"{out} && ip6 && udp.src == 546 && udp.dst == 547", "allow"),
        # OVN adds these by itself only where some rule of the switch keeps state.
        ("nd-out", "from-lport", _ALLOW, f"{out} && (nd || nd_rs || mldv1 || mldv2)", "allow"),
        ("nd-in", "to-lport", _ALLOW, f"{into} && (nd || nd_ra || mldv1 || mldv2)", "allow"),
    )
    for key, direction, priority, match, action in rules:
        columns = {"direction": direction, "priority": priority, "match": match, "action": action, "external_ids": {}}
        yield Row("ACL", f"{DROP_GROUP}-{key}", CLOUD, columns, frozenset({Parent("Port_Group", "acls", DROP_GROUP)}))


def security_group_rows(topology: Topology, group: Any) -> Iterator[Row]:
    """All rows of a security group."""
    scope, name = Scope("security_group", group.id), group_name(group.id)
    ids = {"neutron:security_group_id": group.id, "synnefo:project_id": group.project_id}
    yield Row("Port_Group", name, scope, {"name": name, "external_ids": ids}, revision=group.revision)
    action = "allow-related" if group.stateful else "allow-stateless"
    for rule in topology.rules.get(group.id, ()):
        direction = "to-lport" if rule.direction == "ingress" else "from-lport"
        columns = {
            "direction": direction, "priority": _ALLOW, "match": match_of(rule, name), "action": action,
            "external_ids": {"neutron:security_group_rule_id": rule.id},
        }  # fmt: skip
        yield Row("ACL", rule.id, scope, columns, frozenset({Parent("Port_Group", "acls", name)}), rule.revision)


def match_of(rule: Any, group: str) -> str:
    """The packets of a rule in OVN's language."""
    is_ingress = rule.direction == "ingress"
    ip = "ip4" if rule.ethertype == "IPv4" else "ip6"
    far = f"{ip}.{'src' if is_ingress else 'dst'}"
    parts = [f"{'outport' if is_ingress else 'inport'} == @{group}", ip]
    if rule.remote_ip_prefix:
        parts.append(f"{far} == {rule.remote_ip_prefix}")
    elif rule.remote_group_id:
        parts.append(f"{far} == ${group_name(rule.remote_group_id)}_{ip}")
    elif rule.remote_address_group_id:
        parts.append(f"{far} == ${address_set_name(rule.remote_address_group_id, int(ip[-1]))}")
    parts += _protocol(rule)
    return " && ".join(parts)


def _protocol(rule: Any) -> list[str]:
    if rule.protocol is None:
        return []
    number = protocol_number(rule.protocol)
    low, high = rule.port_range_min, rule.port_range_max
    if number == 1 and rule.ethertype == "IPv6":
        number = 58  # "icmp" of an IPv6 rule
    if number in _ICMP:
        name = _ICMP[number]
        parts = [name]
        if low is not None:
            parts.append(f"{name}.type == {low}")
        if high is not None:
            parts.append(f"{name}.code == {high}")
        return parts
    if number not in _PORTS:
        return [f"ip.proto == {number}"]
    name = _PORTS[number]
    if low is None or high is None:
        return [name]
    return [name, f"{name}.dst == {low}"] if low == high else [name, f"{name}.dst >= {low}", f"{name}.dst <= {high}"]


def address_group_rows(group: Any) -> Iterator[Row]:
    """The two address sets of an address group."""
    for version in (4, 6):
        name = address_set_name(group.id, version)
        addresses = frozenset(str(a) for a in group.addresses if (":" in str(a)) == (version == 6))
        ids = {"synnefo:address_group_id": group.id}
        columns = {"name": name, "addresses": addresses, "external_ids": ids}
        yield Row("Address_Set", name, Scope("address_group", group.id), columns, revision=group.revision)
