"""Bodies of port forwardings."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from synnefo_network.api.schemas.base import Body, Int, Text, Text255, Uuid, Wrapper

Port = Annotated[Int, Field(ge=1, le=65535)]


class PortForwardingCreate(Body):
    protocol: Literal["tcp", "udp"]
    external_port: Port
    internal_port: Port
    internal_port_id: Uuid
    internal_ip_address: Text | None = None
    description: Text255 | None = ""


class PortForwardingUpdate(Body):
    protocol: Literal["tcp", "udp"] = "tcp"
    external_port: Port = 1
    internal_port: Port = 1
    internal_port_id: Uuid = ""
    internal_ip_address: Text | None = None
    description: Text255 = ""


class PortForwardingCreateBody(Wrapper):
    port_forwarding: PortForwardingCreate


class PortForwardingUpdateBody(Wrapper):
    port_forwarding: PortForwardingUpdate
