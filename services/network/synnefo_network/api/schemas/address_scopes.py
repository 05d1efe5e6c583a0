"""Bodies of address scopes."""

from __future__ import annotations

from pydantic import Field

from synnefo_network.api.schemas.base import MAX_BULK, Body, Bool, IpVersion, Owned, Tags, Text255, Wrapper


class AddressScopeCreate(Owned):
    name: Text255 = ""
    description: Text255 | None = ""
    ip_version: IpVersion
    shared: Bool = False
    tags: Tags = Field(default_factory=list)


class AddressScopeUpdate(Body):
    name: Text255 = ""
    description: Text255 = ""
    shared: Bool = False


class AddressScopeCreateBody(Wrapper):
    address_scope: AddressScopeCreate | None = None
    address_scopes: list[AddressScopeCreate] | None = Field(None, min_length=1, max_length=MAX_BULK)


class AddressScopeUpdateBody(Wrapper):
    address_scope: AddressScopeUpdate
