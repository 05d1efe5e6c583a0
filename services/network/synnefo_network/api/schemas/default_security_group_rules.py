"""Bodies of the templates of security group rules."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from synnefo_network.api.schemas.base import MAX_BULK, Bool, Owned, Text, Text255, Uuid, Wrapper


class DefaultSecurityGroupRuleCreate(Owned):
    """As of a rule, but for no group; the remote group PARENT is the one that the rule comes into."""

    direction: Literal["ingress", "egress"]
    ethertype: Any = "IPv4"
    protocol: str | int | None = None
    port_range_min: str | int | None = None
    port_range_max: str | int | None = None
    remote_ip_prefix: Text | None = None
    remote_group_id: Literal["PARENT"] | Uuid | None = None
    remote_address_group_id: Uuid | None = None
    used_in_default_sg: Bool = False
    used_in_non_default_sg: Bool = True
    description: Text255 | None = ""


class DefaultSecurityGroupRuleCreateBody(Wrapper):
    default_security_group_rule: DefaultSecurityGroupRuleCreate | None = None
    default_security_group_rules: list[DefaultSecurityGroupRuleCreate] | None = Field(None, min_length=1, max_length=MAX_BULK)
