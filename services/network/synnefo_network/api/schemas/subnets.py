"""Bodies of subnets."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from synnefo_network.api.schemas.base import MAX_BULK, Body, Bool, Int, Owned, Tags, Text, Text255, Uuid, Wrapper

Mode = Literal["slaac", "dhcpv6-stateful", "dhcpv6-stateless"]


class AllocationPool(Body):
    start: Text
    end: Text


class HostRoute(Body):
    destination: Text
    nexthop: Text


class SubnetCreate(Owned):
    network_id: Uuid
    cidr: Text | None = None
    ip_version: Int = Field(4, ge=4, le=6)
    name: Text255 = ""
    description: Text255 | None = ""
    gateway_ip: Text | None = None
    allocation_pools: list[AllocationPool] | None = Field(None, max_length=100)
    dns_nameservers: list[Text] | None = None
    host_routes: list[HostRoute] | None = None
    enable_dhcp: Bool = True
    ipv6_ra_mode: Mode | None = None
    ipv6_address_mode: Mode | None = None
    service_types: list[Text255] | None = Field(None, max_length=50)
    subnetpool_id: Text | None = None
    use_default_subnetpool: Bool = False
    prefixlen: Int | None = Field(None, ge=0)
    tags: Tags = Field(default_factory=list)


class SubnetUpdate(Body):
    name: Text255 = ""
    description: Text255 = ""
    gateway_ip: Text | None = None
    allocation_pools: list[AllocationPool] = Field(default_factory=list, max_length=100)
    dns_nameservers: list[Text] | None = None
    host_routes: list[HostRoute] | None = None
    enable_dhcp: Bool = True
    service_types: list[Text255] | None = Field(None, max_length=50)


class SubnetCreateBody(Wrapper):
    subnet: SubnetCreate | None = None
    subnets: list[SubnetCreate] | None = Field(None, min_length=1, max_length=MAX_BULK)


class SubnetUpdateBody(Wrapper):
    subnet: SubnetUpdate
