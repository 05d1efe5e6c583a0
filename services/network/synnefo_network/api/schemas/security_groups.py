"""Bodies of security groups and their rules."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from synnefo_network.api.schemas.base import MAX_BULK, Body, Bool, Owned, Tags, Text, Text255, Uuid, Wrapper


class SecurityGroupCreate(Owned):
    name: Text255 = ""
    description: Text255 | None = ""
    stateful: Bool = True
    tags: Tags = Field(default_factory=list)


class SecurityGroupUpdate(Body):
    name: Text255 = ""
    description: Text255 = ""
    stateful: Bool = True


class SecurityGroupRuleCreate(Owned):
    """Protocol, ports and ethertype are judged by the domain, with the error types that clients know."""

    security_group_id: Uuid
    direction: Literal["ingress", "egress"]
    ethertype: Any = "IPv4"
    protocol: str | int | None = None
    port_range_min: str | int | None = None
    port_range_max: str | int | None = None
    remote_ip_prefix: Text | None = None
    remote_group_id: Text | None = None
    remote_address_group_id: Uuid | None = None
    description: Text255 | None = ""


class SecurityGroupCreateBody(Wrapper):
    security_group: SecurityGroupCreate | None = None
    security_groups: list[SecurityGroupCreate] | None = Field(None, min_length=1, max_length=MAX_BULK)


class SecurityGroupUpdateBody(Wrapper):
    security_group: SecurityGroupUpdate


class SecurityGroupRuleCreateBody(Wrapper):
    security_group_rule: SecurityGroupRuleCreate | None = None
    security_group_rules: list[SecurityGroupRuleCreate] | None = Field(None, min_length=1, max_length=MAX_BULK)
