"""Bodies of ports."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import orjson
from pydantic import AfterValidator, Field

from synnefo_network.api.schemas.base import MAX_BULK, Body, Bool, IpVersion, Owned, Tags, Text, Text255, Uuid, Uuids, Wrapper

VnicType = Literal[
    "normal",
    "direct",
    "direct-physical",
    "macvtap",
    "baremetal",
    "virtio-forwarder",
    "smart-nic",
    "vdpa",
    "accelerator-direct",
    "accelerator-direct-physical",
    "remote-managed",
]


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    try:
        text = orjson.dumps(value)
    except TypeError:
        raise ValueError("must be plain JSON") from None
    if len(text) > 4095:
        raise ValueError("binding:profile value too large")
    if b"\\u0000" in text:
        raise ValueError("must not contain NUL characters")
    return value


Profile = Annotated[dict[str, Any], AfterValidator(_plain)]


class FixedIp(Body):
    subnet_id: Uuid | None = None
    ip_address: Text | None = None


class AddressPair(Body):
    ip_address: Text
    mac_address: Text | None = None


class DhcpOption(Body):
    opt_name: Text255 = Field(min_length=1)
    opt_value: Text255 | None = None
    ip_version: IpVersion = 4


class PortCreate(Owned):
    network_id: Uuid
    name: Text255 = ""
    description: Text255 | None = ""
    admin_state_up: Bool = True
    mac_address: Text | None = None
    fixed_ips: list[FixedIp] | None = None
    device_id: Text255 | None = ""
    device_owner: Text255 | None = ""
    security_groups: Uuids | None = None
    port_security_enabled: Bool = True
    qos_policy_id: Uuid | None = None
    allowed_address_pairs: list[AddressPair] | None = None
    extra_dhcp_opts: list[DhcpOption] | None = Field(None, max_length=50)
    vnic_type: VnicType = Field("normal", alias="binding:vnic_type")
    host_id: Text255 | None = Field("", alias="binding:host_id")
    profile: Profile | None = Field(None, alias="binding:profile")
    tags: Tags = Field(default_factory=list)


class PortUpdate(Body):
    name: Text255 = ""
    description: Text255 = ""
    admin_state_up: Bool = True
    mac_address: Text | None = None
    fixed_ips: list[FixedIp] = Field(default_factory=list)
    device_id: Text255 | None = ""
    device_owner: Text255 | None = ""
    security_groups: Uuids | None = None
    port_security_enabled: Bool = True
    qos_policy_id: Uuid | None = None
    allowed_address_pairs: list[AddressPair] | None = None
    extra_dhcp_opts: list[DhcpOption] | None = Field(None, max_length=50)
    vnic_type: VnicType = Field("normal", alias="binding:vnic_type")
    host_id: Text255 | None = Field("", alias="binding:host_id")
    profile: Profile | None = Field(None, alias="binding:profile")


class PortCreateBody(Wrapper):
    port: PortCreate | None = None
    ports: list[PortCreate] | None = Field(None, min_length=1, max_length=MAX_BULK)


class PortUpdateBody(Wrapper):
    port: PortUpdate
