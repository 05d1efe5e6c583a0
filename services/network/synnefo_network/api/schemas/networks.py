"""Bodies of networks."""

from __future__ import annotations

from pydantic import Field

from synnefo_network.api.schemas.base import MAX_BULK, Body, Bool, Int, Owned, Tags, Text255, Uuid, Wrapper


class NetworkCreate(Owned):
    name: Text255 = ""
    description: Text255 | None = ""
    admin_state_up: Bool = True
    shared: Bool = False
    external: Bool = Field(False, alias="router:external")
    is_default: Bool = False
    drained: Bool = Field(False, alias="synnefo:drained")
    direct_floating_ips: Bool = Field(False, alias="synnefo:direct_floating_ips")
    port_security_enabled: Bool = True
    mtu: Int = Field(0, ge=0)
    qos_policy_id: Uuid | None = None
    availability_zone_hints: list[Text255] = Field(default_factory=list, max_length=20)
    network_type: Text255 | None = Field(None, alias="provider:network_type", max_length=32)
    physical_network: Text255 | None = Field(None, alias="provider:physical_network", max_length=64)
    segmentation_id: Int | None = Field(None, alias="provider:segmentation_id", ge=0)
    tags: Tags = Field(default_factory=list)


class NetworkUpdate(Body):
    name: Text255 = ""
    description: Text255 = ""
    admin_state_up: Bool = True
    shared: Bool = False
    external: Bool = Field(False, alias="router:external")
    is_default: Bool = False
    drained: Bool = Field(False, alias="synnefo:drained")
    direct_floating_ips: Bool = Field(False, alias="synnefo:direct_floating_ips")
    port_security_enabled: Bool = True
    mtu: Int = Field(0, ge=0)
    qos_policy_id: Uuid | None = None
    network_type: Text255 = Field("", alias="provider:network_type", max_length=32)
    physical_network: Text255 | None = Field(None, alias="provider:physical_network", max_length=64)
    segmentation_id: Int | None = Field(None, alias="provider:segmentation_id", ge=0)


class NetworkCreateBody(Wrapper):
    network: NetworkCreate | None = None
    networks: list[NetworkCreate] | None = Field(None, min_length=1, max_length=MAX_BULK)


class NetworkUpdateBody(Wrapper):
    network: NetworkUpdate
