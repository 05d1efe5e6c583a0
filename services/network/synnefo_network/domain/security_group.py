"""What a security group rule may say, and the rules that a new group starts with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from ipaddress import ip_interface
from typing import Any

from synnefo_common.ids import uuid5
from synnefo_network.domain.addresses import parse_cidr
from synnefo_network.domain.errors import (
    SecurityGroupConflict,
    SecurityGroupEthertypeConflictWithProtocol,
    SecurityGroupInvalidIcmpValue,
    SecurityGroupInvalidPortRange,
    SecurityGroupInvalidPortValue,
    SecurityGroupInvalidProtocolForPort,
    SecurityGroupMissingIcmpType,
    SecurityGroupMultipleRemoteEntites,
    SecurityGroupProtocolRequiredWithPorts,
    SecurityGroupRuleInvalidEtherType,
    SecurityGroupRuleInvalidProtocol,
    SecurityGroupRuleParameterConflict,
)

DEFAULT = "default"
PARENT = "PARENT"  # as the remote group of a template: the group that the rule comes into
PROTOCOLS = {
    "ah": 51,
    "dccp": 33,
    "egp": 8,
    "esp": 50,
    "gre": 47,
    "hopopt": 0,
    "icmp": 1,
    "icmpv6": 58,
    "igmp": 2,
    "ip": 0,
    "ipip": 4,
    "ipv6-encap": 41,
    "ipv6-frag": 44,
    "ipv6-icmp": 58,
    "ipv6-nonxt": 59,
    "ipv6-opts": 60,
    "ipv6-route": 43,
    "ospf": 89,
    "pgm": 113,
    "rsvp": 46,
    "sctp": 132,
    "tcp": 6,
    "udp": 17,
    "udplite": 136,
    "vrrp": 112,
}
_ANY = (None, "", "any", "-1", -1)
_WITH_PORTS = ("tcp", "udp", "dccp", "sctp", "udplite")
_PORT_NUMBERS = {PROTOCOLS[p] for p in _WITH_PORTS}
_ICMP = {1, 58}
_ONLY_V6 = {58, 41, 44, 59, 60, 43}


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule's content in canonical form."""

    direction: str
    ethertype: str
    protocol: str | None = None
    port_range_min: int | None = None
    port_range_max: int | None = None
    remote_ip_prefix: str | None = None
    remote_group_id: str | None = None
    remote_address_group_id: str | None = None

    @property
    def fingerprint(self) -> str:
        """Equal for rules that mean the same: unique within a group."""
        number = None if self.protocol is None else protocol_number(self.protocol)
        prefix = None if self.remote_ip_prefix is None else str(parse_cidr(self.remote_ip_prefix))
        parts = (
            self.direction,
            self.ethertype,
            number,
            self.port_range_min,
            self.port_range_max,
            prefix,
            self.remote_group_id,
            *([self.remote_address_group_id] if self.remote_address_group_id else []),
        )
        return "|".join("" if p is None else str(p) for p in parts)

    def columns(self) -> dict[str, Any]:
        """The row's columns that the content fills."""
        return asdict(self) | {"fingerprint": self.fingerprint}


def protocol_number(protocol: str) -> int:
    """The IP protocol number of a name or number that `read_rule` let through."""
    return int(protocol) if protocol.isdigit() else PROTOCOLS[protocol]


def read_rule(given: dict[str, Any]) -> Rule:
    """Check what a caller wants and bring it into canonical form. Raises the typed InvalidInput faults."""
    ethertype = _read_ethertype(given.get("ethertype", "IPv4"))
    protocol = _read_protocol(given.get("protocol"), ethertype=ethertype)
    low, high = _read_port(given.get("port_range_min")), _read_port(given.get("port_range_max"))
    if sum(1 for name in ("remote_ip_prefix", "remote_group_id", "remote_address_group_id") if given.get(name)) > 1:
        raise SecurityGroupMultipleRemoteEntites("Only one of remote_ip_prefix, remote_group_id or remote_address_group_id may be provided.")
    prefix = given.get("remote_ip_prefix") or None
    if prefix is not None:
        prefix = _read_prefix(prefix, ethertype=ethertype)
    _check_ports(protocol, low, high)
    return Rule(
        direction=given["direction"],
        ethertype=ethertype,
        protocol=protocol,
        port_range_min=low,
        port_range_max=high,
        remote_ip_prefix=prefix,
        remote_group_id=given.get("remote_group_id") or None,
        remote_address_group_id=given.get("remote_address_group_id") or None,
    )


def _read_ethertype(value: Any) -> str:
    for known in ("IPv4", "IPv6"):
        if isinstance(value, str) and value.lower() == known.lower():
            return known
    raise SecurityGroupRuleInvalidEtherType(f"Security group rule for ethertype {str(value)[:20]!r} not supported: use IPv4 or IPv6.")


def _read_protocol(value: Any, *, ethertype: str) -> str | None:
    if value in _ANY:
        return None
    text = str(value).lower()
    if not ((text.isascii() and text.isdigit() and int(text[:4]) <= 255 and len(text) <= 3) or text in PROTOCOLS):
        raise SecurityGroupRuleInvalidProtocol(
            f"Security group rule protocol {text[:40]!r} not supported: use one of {', '.join(PROTOCOLS)}, any, or a number from 0 to 255."
        )
    if ethertype == "IPv4" and protocol_number(text) in _ONLY_V6:
        raise SecurityGroupEthertypeConflictWithProtocol(f"Invalid ethertype {ethertype} for protocol {text}.")
    return text


def _read_port(value: Any) -> int | None:
    if value is None:
        return None
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65535):
        raise SecurityGroupInvalidPortValue(f"Invalid value for port {text[:40]}: it must be 0 to 65535.")
    return int(text)


def _read_prefix(text: str, *, ethertype: str) -> str:
    """Host bits stay, as the caller wrote them; `fingerprint` cuts them off."""
    whole = text if "/" in text else f"{text}/{128 if ':' in text else 32}"
    if parse_cidr(whole, what="remote_ip_prefix").version != int(ethertype[-1]):
        raise SecurityGroupRuleParameterConflict(f"Conflicting value ethertype {ethertype} for CIDR {text}.")
    return str(ip_interface(whole))


def _check_ports(protocol: str | None, low: int | None, high: int | None) -> None:
    if low is None and high is None:
        return
    if protocol is None:
        raise SecurityGroupProtocolRequiredWithPorts("Must also specify protocol if port range is given.")
    number = protocol_number(protocol)
    if number in _ICMP:
        for name, attribute, value in (("port_range_min", "type", low), ("port_range_max", "code", high)):
            if value is not None and value > 255:
                raise SecurityGroupInvalidIcmpValue(f"Invalid value for ICMP {attribute} ({name}) {value}. It must be 0 to 255.")
        if low is None:
            raise SecurityGroupMissingIcmpType(f"ICMP code (port-range-max) {high} is provided but ICMP type (port-range-min) is missing.")
    elif number not in _PORT_NUMBERS:
        raise SecurityGroupInvalidProtocolForPort(
            f"Ports cannot be specified for protocol {protocol}. Ports are only supported for {', '.join(_WITH_PORTS)}."
        )
    elif low is None or high is None or low > high:
        raise SecurityGroupInvalidPortRange("For TCP/UDP protocols, port_range_min must be <= port_range_max, and both are needed.")
    elif low == 0 and number in (6, 17):
        raise SecurityGroupInvalidPortValue("Invalid value for port 0: it must be 1 to 65535.")


def check_stateful(groups: Iterable[Any]) -> None:
    """The groups of one port are all stateful or all stateless. Raises SecurityGroupConflict."""
    if len({group.stateful for group in groups}) > 1:
        raise SecurityGroupConflict("Cannot apply both stateful and stateless security groups on the same port at the same time.")


def default_group_id(project_id: str) -> str:
    """The id of a project's default group: known without asking, so that creating it twice makes one."""
    return uuid5("synnefo.security_group.default", project_id)


def first_templates() -> list[dict[str, Any]]:
    """The templates of a new cloud, as rows: all traffic out; into the default group also everything from its own members."""
    rules = [Rule("egress", f"IPv{v}") for v in (4, 6)] + [Rule("ingress", f"IPv{v}", remote_group_id=PARENT) for v in (4, 6)]
    return [
        {
            "id": uuid5("synnefo.default_security_group_rule", rule.fingerprint),
            "project_id": "",
            "description": f"Legacy default SG rule for {rule.direction} traffic",  # the words by which clients know them
            "tags": "",
            "revision": 0,
            "created_at": number,
            "updated_at": number,
            **template_columns(rule, in_default=True, in_others=rule.direction == "egress"),
        }
        for number, rule in enumerate(rules)
    ]


def template_columns(rule: Rule, *, in_default: bool, in_others: bool) -> dict[str, Any]:
    """What a template's row says of its rule and where it is used."""
    parent = rule.remote_group_id == PARENT
    return asdict(rule) | {
        "remote_group_id": None if parent else rule.remote_group_id,
        "remote_is_parent": parent,
        "used_in_default_sg": in_default,
        "used_in_non_default_sg": in_others,
        "default_key": rule.fingerprint if in_default else None,
        "non_default_key": rule.fingerprint if in_others else None,
    }


def rules_from(templates: Iterable[Any], group_id: str) -> list[Rule]:
    """The rules that a new group gets from templates (rows)."""
    return [
        Rule(
            direction=t.direction,
            ethertype=t.ethertype,
            protocol=t.protocol,
            port_range_min=t.port_range_min,
            port_range_max=t.port_range_max,
            remote_ip_prefix=t.remote_ip_prefix,
            remote_group_id=group_id if t.remote_is_parent else t.remote_group_id,
            remote_address_group_id=t.remote_address_group_id,
        )
        for t in templates
    ]
