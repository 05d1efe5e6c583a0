"""What a list call asks for, and which attributes of a resource can be filtered and sorted by. Not for SQL or HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """How a query value is read."""

    TEXT = "text"
    BOOL = "bool"
    INT = "int"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class Resource:
    """One collection: its wire names, and attribute → (column, kind).

    `special` filters are read by the resource's own query.
    """

    name: str
    plural: str
    attributes: Mapping[str, tuple[str, Kind]]
    special: frozenset[str] = frozenset()
    path: str = ""  # below /v2.0, if it is not the plural with hyphens

    @property
    def url(self) -> str:
        return f"/v2.0/{self.path or self.plural.replace('_', '-')}"


STANDARD: dict[str, tuple[str, Kind]] = {
    "id": ("id", Kind.TEXT),
    "name": ("name", Kind.TEXT),
    "description": ("description", Kind.TEXT),
    "project_id": ("project_id", Kind.TEXT),
    "tenant_id": ("project_id", Kind.TEXT),
    "revision_number": ("revision", Kind.INT),
    "created_at": ("created_at", Kind.TIME),
    "updated_at": ("updated_at", Kind.TIME),
}
TAG_FILTERS = frozenset({"tags", "tags-any", "not-tags", "not-tags-any"})


@dataclass(frozen=True, slots=True)
class ListQuery:
    """Filters are AND of attributes.

    OR of one attribute's values; a page is `limit` rows after (or before) `marker`.
    """

    filters: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    tags: tuple[tuple[str, tuple[str, ...]], ...] = ()
    sort: tuple[tuple[str, str], ...] = ()
    limit: int | None = None
    marker: str | None = None
    reverse: bool = False
    fields: frozenset[str] = frozenset()
    changed_since: int | None = None


EVERYTHING = ListQuery()

NETWORKS = Resource(
    "network",
    "networks",
    {
        **STANDARD,
        "status": ("status", Kind.TEXT),
        "admin_state_up": ("admin_state_up", Kind.BOOL),
        "shared": ("shared", Kind.BOOL),
        "router:external": ("is_external", Kind.BOOL),
        "is_default": ("is_default", Kind.BOOL),
        "synnefo:drained": ("is_drained", Kind.BOOL),
        "synnefo:direct_floating_ips": ("direct_floating_ips", Kind.BOOL),
        "mtu": ("mtu", Kind.INT),
        "qos_policy_id": ("qos_policy_id", Kind.TEXT),
        "port_security_enabled": ("port_security_enabled", Kind.BOOL),
        "provider:network_type": ("network_type", Kind.TEXT),
        "provider:physical_network": ("physical_network", Kind.TEXT),
        "provider:segmentation_id": ("segmentation_id", Kind.INT),
    },
)
SUBNETS = Resource(
    "subnet",
    "subnets",
    {
        **STANDARD,
        "network_id": ("network_id", Kind.TEXT),
        "ip_version": ("ip_version", Kind.INT),
        "cidr": ("cidr", Kind.TEXT),
        "gateway_ip": ("gateway_ip", Kind.TEXT),
        "enable_dhcp": ("enable_dhcp", Kind.BOOL),
        "ipv6_ra_mode": ("ipv6_ra_mode", Kind.TEXT),
        "ipv6_address_mode": ("ipv6_address_mode", Kind.TEXT),
        "subnetpool_id": ("subnetpool_id", Kind.TEXT),
    },
    special=frozenset({"shared", "router:external"}),
)
PORTS = Resource(
    "port",
    "ports",
    {
        **STANDARD,
        "network_id": ("network_id", Kind.TEXT),
        "status": ("status", Kind.TEXT),
        "admin_state_up": ("admin_state_up", Kind.BOOL),
        "mac_address": ("mac_address", Kind.TEXT),
        "device_id": ("device_id", Kind.TEXT),
        "device_owner": ("device_owner", Kind.TEXT),
        "binding:host_id": ("host_id", Kind.TEXT),
        "binding:vnic_type": ("vnic_type", Kind.TEXT),
        "qos_policy_id": ("qos_policy_id", Kind.TEXT),
        "port_security_enabled": ("port_security_enabled", Kind.BOOL),
    },
    special=frozenset({"fixed_ips", "security_groups"}),
)
SECURITY_GROUPS = Resource(
    "security_group",
    "security_groups",
    {**STANDARD, "stateful": ("stateful", Kind.BOOL), "shared": ("shared", Kind.BOOL)},
)
SECURITY_GROUP_RULES = Resource(
    "security_group_rule",
    "security_group_rules",
    {
        **{k: v for k, v in STANDARD.items() if k != "name"},
        "security_group_id": ("security_group_id", Kind.TEXT),
        "direction": ("direction", Kind.TEXT),
        "ethertype": ("ethertype", Kind.TEXT),
        "protocol": ("protocol", Kind.TEXT),
        "remote_group_id": ("remote_group_id", Kind.TEXT),
        "remote_address_group_id": ("remote_address_group_id", Kind.TEXT),
        "remote_ip_prefix": ("remote_ip_prefix", Kind.TEXT),
        "port_range_min": ("port_range_min", Kind.INT),
        "port_range_max": ("port_range_max", Kind.INT),
    },
)
DEFAULT_SECURITY_GROUP_RULES = Resource(
    "default_security_group_rule",
    "default_security_group_rules",
    {
        **{k: v for k, v in STANDARD.items() if k not in ("name", "project_id", "tenant_id")},
        "direction": ("direction", Kind.TEXT),
        "ethertype": ("ethertype", Kind.TEXT),
        "protocol": ("protocol", Kind.TEXT),
        "remote_ip_prefix": ("remote_ip_prefix", Kind.TEXT),
        "remote_group_id": ("remote_group_id", Kind.TEXT),
        "remote_address_group_id": ("remote_address_group_id", Kind.TEXT),
        "port_range_min": ("port_range_min", Kind.INT),
        "port_range_max": ("port_range_max", Kind.INT),
        "used_in_default_sg": ("used_in_default_sg", Kind.BOOL),
        "used_in_non_default_sg": ("used_in_non_default_sg", Kind.BOOL),
    },
)
FLOATING_IPS = Resource(
    "floatingip",
    "floatingips",
    {
        **{k: v for k, v in STANDARD.items() if k != "name"},
        "status": ("status", Kind.TEXT),
        "floating_network_id": ("floating_network_id", Kind.TEXT),
        "floating_ip_address": ("floating_ip_address", Kind.TEXT),
        "port_id": ("port_id", Kind.TEXT),
        "router_id": ("router_id", Kind.TEXT),
        "fixed_ip_address": ("fixed_ip_address", Kind.TEXT),
    },
)
PORT_FORWARDINGS = Resource(
    "port_forwarding",
    "port_forwardings",
    {
        "id": ("id", Kind.TEXT),
        "description": ("description", Kind.TEXT),
        "protocol": ("protocol", Kind.TEXT),
        "external_port": ("external_port", Kind.INT),
        "internal_port": ("internal_port", Kind.INT),
        "internal_port_id": ("internal_port_id", Kind.TEXT),
        "internal_ip_address": ("internal_ip_address", Kind.TEXT),
    },
)
ROUTERS = Resource(
    "router",
    "routers",
    {
        **STANDARD,
        "status": ("status", Kind.TEXT),
        "admin_state_up": ("admin_state_up", Kind.BOOL),
        "distributed": ("distributed", Kind.BOOL),
        "ha": ("ha", Kind.BOOL),
    },
)
ADDRESS_SCOPES = Resource(
    "address_scope",
    "address_scopes",
    {**STANDARD, "ip_version": ("ip_version", Kind.INT), "shared": ("shared", Kind.BOOL)},
)
SUBNET_POOLS = Resource(
    "subnetpool",
    "subnetpools",
    {
        **STANDARD,
        "ip_version": ("ip_version", Kind.INT),
        "min_prefixlen": ("min_prefixlen", Kind.INT),
        "default_prefixlen": ("default_prefixlen", Kind.INT),
        "max_prefixlen": ("max_prefixlen", Kind.INT),
        "default_quota": ("default_quota", Kind.INT),
        "is_default": ("is_default", Kind.BOOL),
        "shared": ("shared", Kind.BOOL),
        "address_scope_id": ("address_scope_id", Kind.TEXT),
    },
)
ADDRESS_GROUPS = Resource("address_group", "address_groups", {**STANDARD})
RBAC_POLICIES = Resource(
    "rbac_policy",
    "rbac_policies",
    {
        "id": ("id", Kind.TEXT),
        "project_id": ("project_id", Kind.TEXT),
        "tenant_id": ("project_id", Kind.TEXT),
        "object_type": ("object_type", Kind.TEXT),
        "object_id": ("object_id", Kind.TEXT),
        "action": ("action", Kind.TEXT),
        "target_tenant": ("target_project", Kind.TEXT),
    },
)
QOS_POLICIES = Resource(
    "policy",
    "policies",
    {**STANDARD, "shared": ("shared", Kind.BOOL), "is_default": ("is_default", Kind.BOOL)},
    path="qos/policies",
)
BY_PLURAL = {
    r.plural: r
    for r in (
        NETWORKS,
        SUBNETS,
        PORTS,
        SECURITY_GROUPS,
        SECURITY_GROUP_RULES,
        DEFAULT_SECURITY_GROUP_RULES,
        FLOATING_IPS,
        ROUTERS,
        ADDRESS_SCOPES,
        SUBNET_POOLS,
        ADDRESS_GROUPS,
        RBAC_POLICIES,
        QOS_POLICIES,
    )
}
