"""Bodies of the internal calls for servers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from synnefo_network.api.schemas.base import ProjectId, Text, Text255


class ServerNetwork(BaseModel):
    uuid: Text | None = None
    port: Text | None = None
    fixed_ip: Text | None = None
    tag: Text | None = None


class ServerPortsBody(BaseModel):
    project_id: ProjectId
    user_id: ProjectId = ""
    server_name: Text | None = None
    availability_zone: Annotated[Text255, Field(max_length=200)] | None = None
    host: Text255 | None = None
    security_groups: list[Text255] = Field(default_factory=list)
    networks: Literal["auto", "none"] | list[ServerNetwork] = "auto"
    reserved: bool = True


class ServerGroupBody(BaseModel):
    """Whether the ports of a server are to be in a security group, by name or id."""

    project_id: ProjectId
    security_group: Text255
    is_member: bool
