"""Bodies of address groups."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from synnefo_network.api.schemas.base import MAX_BULK, Body, Owned, Tags, Text, Text255, Wrapper

Addresses = Annotated[list[Text], Field(max_length=1000)]


class AddressGroupCreate(Owned):
    name: Text255 = ""
    description: Text255 | None = ""
    addresses: Addresses | None = None
    tags: Tags = Field(default_factory=list)


class AddressGroupUpdate(Body):
    name: Text255 = ""
    description: Text255 = ""


class AddressGroupCreateBody(Wrapper):
    address_group: AddressGroupCreate | None = None
    address_groups: list[AddressGroupCreate] | None = Field(None, min_length=1, max_length=MAX_BULK)


class AddressGroupUpdateBody(Wrapper):
    address_group: AddressGroupUpdate


class AddressesBody(Body):
    addresses: Addresses
