"""Bodies of routers."""

from __future__ import annotations

from pydantic import Field

from synnefo_network.api.schemas.base import MAX_BULK, Body, Bool, Owned, Tags, Text, Text255, Uuid, Wrapper
from synnefo_network.api.schemas.ports import FixedIp
from synnefo_network.api.schemas.subnets import HostRoute


class GatewayInfo(Body):
    network_id: Uuid | None = None
    enable_snat: Bool = True
    external_fixed_ips: list[FixedIp] = Field(default_factory=list, max_length=16)


class RouterCreate(Owned):
    name: Text255 = ""
    description: Text255 | None = ""
    admin_state_up: Bool = True
    external_gateway_info: GatewayInfo | None = None
    distributed: Bool | None = None
    ha: Bool | None = None
    availability_zone_hints: list[Text255] = Field(default_factory=list, max_length=20)
    tags: Tags = Field(default_factory=list)


class RouterUpdate(Body):
    name: Text255 = ""
    description: Text255 = ""
    admin_state_up: Bool = True
    external_gateway_info: GatewayInfo | None = None
    distributed: Bool | None = None
    ha: Bool | None = None
    routes: list[HostRoute] | None = Field(None, max_length=500)


class RouterCreateBody(Wrapper):
    router: RouterCreate | None = None
    routers: list[RouterCreate] | None = Field(None, min_length=1, max_length=MAX_BULK)


class RouterUpdateBody(Wrapper):
    router: RouterUpdate


class InterfaceBody(Body):
    port_id: Uuid | None = None
    subnet_id: Uuid | None = None
    network_id: Text | None = None
    tenant_id: Text | None = None
    project_id: Text | None = None


class Routes(Body):
    routes: list[HostRoute] = Field(max_length=500)


class RoutesBody(Wrapper):
    router: Routes
