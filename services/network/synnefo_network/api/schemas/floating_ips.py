"""Bodies of floating IPs."""

from __future__ import annotations

from pydantic import Field

from synnefo_network.api.schemas.base import MAX_BULK, Body, Owned, Tags, Text, Text255, Uuid, Wrapper


class FloatingIpCreate(Owned):
    floating_network_id: Uuid
    floating_ip_address: Text | None = None
    subnet_id: Uuid | None = None
    port_id: Uuid | None = None
    fixed_ip_address: Text | None = None
    qos_policy_id: Uuid | None = None
    description: Text255 | None = ""
    tags: Tags = Field(default_factory=list)


class FloatingIpUpdate(Body):
    port_id: Uuid | None = None
    fixed_ip_address: Text | None = None
    qos_policy_id: Uuid | None = None
    description: Text255 | None = ""


class FloatingIpCreateBody(Wrapper):
    floatingip: FloatingIpCreate | None = None
    floatingips: list[FloatingIpCreate] | None = Field(None, min_length=1, max_length=MAX_BULK)


class FloatingIpUpdateBody(Wrapper):
    floatingip: FloatingIpUpdate
