"""Bodies of subnet pools."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from synnefo_network.api.schemas.base import MAX_BULK, Body, Bool, Int, Owned, Tags, Text, Text255, Uuid, Wrapper

Length = Annotated[Int, Field(ge=0, le=128)]
Prefixes = Annotated[list[Text], Field(max_length=200)]


class SubnetPoolCreate(Owned):
    name: Text255 = Field(min_length=1)
    description: Text255 | None = ""
    prefixes: Prefixes
    min_prefixlen: Length | None = None
    default_prefixlen: Length | None = None
    max_prefixlen: Length | None = None
    default_quota: Int | None = Field(None, ge=0)
    is_default: Bool = False
    shared: Bool = False
    address_scope_id: Uuid | None = None
    tags: Tags = Field(default_factory=list)


class SubnetPoolUpdate(Body):
    name: Text255 = Field("", min_length=1)
    description: Text255 = ""
    prefixes: Prefixes = Field(default_factory=list)
    min_prefixlen: Length = 0
    default_prefixlen: Length = 0
    max_prefixlen: Length = 0
    default_quota: Int | None = Field(None, ge=0)
    is_default: Bool = False
    address_scope_id: Uuid | None = None


class SubnetPoolCreateBody(Wrapper):
    subnetpool: SubnetPoolCreate | None = None
    subnetpools: list[SubnetPoolCreate] | None = Field(None, min_length=1, max_length=MAX_BULK)


class SubnetPoolUpdateBody(Wrapper):
    subnetpool: SubnetPoolUpdate


class PrefixesBody(Body):
    prefixes: Prefixes
