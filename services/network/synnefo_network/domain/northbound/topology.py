"""The part of our database that the northbound rows of some scopes are computed from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Topology:
    """Rows of our tables by id. `routers` and its like hold the scopes; the other fields what they refer to."""

    networks: dict[str, Any] = field(default_factory=dict)
    ports: dict[str, Any] = field(default_factory=dict)
    routers: dict[str, Any] = field(default_factory=dict)
    security_groups: dict[str, Any] = field(default_factory=dict)
    address_groups: dict[str, Any] = field(default_factory=dict)
    known_networks: Mapping[str, Any] = field(default_factory=dict)  # every network that something here is on
    subnets: Mapping[str, Sequence[Any]] = field(default_factory=dict)  # network id → its subnets
    addresses: Mapping[str, Sequence[Any]] = field(default_factory=dict)  # port id → (subnet_id, ip_address)
    groups_of: Mapping[str, Sequence[str]] = field(default_factory=dict)  # port id → security group ids
    router_of: Mapping[str, Any] = field(default_factory=dict)  # port id → (router_id, is_gateway)
    router_ports: Mapping[str, Sequence[Any]] = field(default_factory=dict)  # router id → its ports, as rows of `ports`
    floating_ips: Mapping[str, Sequence[Any]] = field(default_factory=dict)  # router id → floating IPs
    forwardings: Mapping[str, Sequence[Any]] = field(default_factory=dict)  # floating IP id → port forwardings
    rules: Mapping[str, Sequence[Any]] = field(default_factory=dict)  # security group id → rules
    qos_rules: Mapping[str, Sequence[Any]] = field(default_factory=dict)  # policy id → rules


@dataclass(frozen=True, slots=True)
class Chassis:
    """A node that carries packets, as the southbound database shows it."""

    name: str
    hostname: str
    physical_networks: frozenset[str] = frozenset()
    is_gateway: bool = False
    is_alive: bool = True


@dataclass(frozen=True, slots=True)
class Agent:
    """A part of the data plane on one machine, as the API shows it."""

    id: str
    host: str
    agent_type: str
    binary: str
    availability_zone: str = ""
    configurations: Mapping[str, Any] = field(default_factory=dict)
