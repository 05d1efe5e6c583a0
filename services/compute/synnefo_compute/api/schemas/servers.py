"""Bodies of the servers API at 2.1."""

from __future__ import annotations

import base64
import binascii
import ipaddress
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, field_validator, model_validator

from synnefo_common.ids import is_uuid
from synnefo_compute.api.base import Name, Reference, StrictBody, Text, boolean, integer

Bool = Annotated[bool, BeforeValidator(boolean)]
ShortText = Annotated[Text, StringConstraints(max_length=255)]
MetaKey = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[a-zA-Z0-9-_:. ]{1,255}$")]
MetaValue = Annotated[Text, StringConstraints(max_length=255)]
Metadata = dict[MetaKey, MetaValue]
USER_DATA_MAX = 65535
_MAX = 2**31 - 1


def _ip(text: str, version: int) -> str:
    if text == "":
        return text
    address = ipaddress.ip_address(text)
    if address.version != version or "%" in text:
        raise ValueError(f"must be an IPv{version} address")
    return str(address)


def _number(low: int, high: int) -> BeforeValidator:
    """A number between these, or a string of one."""

    def check(value: Any) -> Any:
        if value is None:
            return None
        number = integer(value)
        if not low <= number <= high:
            raise ValueError(f"must be {low} to {high}")
        return number

    return BeforeValidator(check)


Count = Annotated[int | None, _number(1, 1000)]


def _base64(text: str) -> str:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("must be base64") from None
    return text


class InjectedFile(StrictBody):
    """An item of `personality`. How large they may be is a quota."""

    path: Annotated[Text, StringConstraints(min_length=1, max_length=4096)]
    contents: Annotated[str, AfterValidator(_base64)]


def _uuid(text: Any) -> Any:
    if not isinstance(text, str) or not is_uuid(text):
        raise ValueError("must be a UUID")
    return text


StrictUuid = Annotated[str, BeforeValidator(_uuid)]


class NetworkRequest(StrictBody):
    """An item of `networks`."""

    uuid: StrictUuid | None = None
    port: StrictUuid | None = None
    fixed_ip: Annotated[str, StringConstraints(max_length=45)] | None = None

    @field_validator("fixed_ip")
    @classmethod
    def _address(cls, text: str | None) -> str | None:
        return None if text is None else _ip(text, 6 if ":" in text else 4)


class SecurityGroupRef(StrictBody):
    """A group by name or id."""

    name: Annotated[Text, StringConstraints(min_length=1, max_length=255)]


def _boot_index(value: Any) -> Any:
    """Any negative number means: not bootable."""
    return None if value in (None, "", "None") else max(-1, integer(value))


def _volume_size(value: Any) -> Any:
    return None if value in (None, "", "None") else integer(value)


class BlockDevice(StrictBody):
    """An item of `block_device_mapping_v2`."""

    source_type: Literal["image", "volume", "snapshot", "blank"]
    uuid: StrictUuid | None = None
    boot_index: Annotated[Annotated[int, Field(le=_MAX)] | None, BeforeValidator(_boot_index)] = None
    destination_type: Literal["local", "volume"] | None = None
    delete_on_termination: Bool = False
    volume_size: Annotated[Annotated[int, Field(ge=0, le=_MAX)] | None, BeforeValidator(_volume_size)] = None
    device_name: ShortText | None = None
    device_type: ShortText | None = None
    disk_bus: ShortText | None = None
    guest_format: ShortText | None = None
    no_device: Any = None

    @model_validator(mode="after")
    def _has_source(self) -> BlockDevice:
        if self.source_type != "blank" and self.uuid is None:
            raise ValueError(f"block device of source_type {self.source_type} needs a uuid")
        if self.source_type == "blank" and not self.volume_size:
            raise ValueError("a blank block device needs a volume_size")
        return self


class ServerCreate(StrictBody):
    """`server` of POST /servers."""

    name: Name
    flavorRef: Reference
    imageRef: str | None = None
    networks: list[NetworkRequest] | None = None
    key_name: ShortText | None = None
    metadata: Metadata = Field(default_factory=dict)
    security_groups: list[SecurityGroupRef] = Field(default_factory=list)
    user_data: Annotated[str, StringConstraints(max_length=USER_DATA_MAX)] | None = None
    config_drive: Bool | None = None
    availability_zone: Annotated[Text, StringConstraints(min_length=1, max_length=255)] | None = None
    block_device_mapping_v2: list[BlockDevice] = Field(default_factory=list)
    min_count: Count = None
    max_count: Count = None
    return_reservation_id: Bool = False
    accessIPv4: str = ""
    accessIPv6: str = ""
    adminPass: ShortText | None = None
    personality: list[InjectedFile] = Field(default_factory=list)
    disk_config: Annotated[Literal["AUTO", "MANUAL"], Field(alias="OS-DCF:diskConfig")] = "MANUAL"

    @field_validator("imageRef")
    @classmethod
    def _image(cls, text: str | None) -> str | None:
        if text in (None, ""):
            return text
        tail = text.rsplit("/", 1)[-1]
        if not is_uuid(tail):
            raise ValueError("Invalid imageRef provided")
        return tail

    @field_validator("user_data")
    @classmethod
    def _user_data(cls, text: str | None) -> str | None:
        return None if text is None else _base64(text)

    @field_validator("accessIPv4")
    @classmethod
    def _v4(cls, text: str) -> str:
        return _ip(text, 4)

    @field_validator("accessIPv6")
    @classmethod
    def _v6(cls, text: str) -> str:
        return _ip(text, 6)

    @model_validator(mode="after")
    def _consistent(self) -> ServerCreate:
        if self.imageRef == "":  # Nova takes an empty text for "boot from volume" only
            if not self.block_device_mapping_v2:
                raise ValueError("Invalid imageRef provided")
            self.imageRef = None
        if (self.min_count or 1) > (self.max_count or self.min_count or 1):
            raise ValueError("min_count must be <= max_count")
        return self


class CreateBody(StrictBody):
    """POST /servers."""

    server: ServerCreate
    hints: Annotated[dict[str, Any], Field(alias="os:scheduler_hints")] = Field(default_factory=dict)
    hints_old: Annotated[dict[str, Any], Field(alias="OS-SCH-HNT:scheduler_hints")] = Field(default_factory=dict)


class ServerUpdate(StrictBody):
    """`server` of PUT /servers/{id}."""

    name: Name | None = None
    accessIPv4: str | None = None
    accessIPv6: str | None = None
    disk_config: Annotated[Literal["AUTO", "MANUAL"] | None, Field(alias="OS-DCF:diskConfig")] = None

    @field_validator("accessIPv4")
    @classmethod
    def _v4(cls, text: str | None) -> str | None:
        return text if text is None else _ip(text, 4)

    @field_validator("accessIPv6")
    @classmethod
    def _v6(cls, text: str | None) -> str | None:
        return text if text is None else _ip(text, 6)


class UpdateBody(StrictBody):
    """PUT /servers/{id}."""

    server: ServerUpdate


class Reboot(StrictBody):
    """`reboot`."""

    type: Literal["SOFT", "HARD", "Soft", "Hard", "soft", "hard"]


class Resize(StrictBody):
    """`resize`."""

    flavorRef: Reference
    disk_config: Annotated[Literal["AUTO", "MANUAL"] | None, Field(alias="OS-DCF:diskConfig")] = None


class CreateImage(StrictBody):
    """`createImage`."""

    name: Name
    metadata: Metadata = Field(default_factory=dict)


class ConsoleOutput(StrictBody):
    """`os-getConsoleOutput`."""

    length: Annotated[int | None, _number(-1, 2**31 - 1)] = None


class ResetState(StrictBody):
    """`os-resetState`."""

    state: Literal["active", "error"]


class MetadataBody(StrictBody):
    """POST and PUT of /metadata."""

    metadata: Metadata


class MetaItemBody(StrictBody):
    """PUT of /metadata/{key}."""

    meta: Annotated[Metadata, Field(min_length=1, max_length=1)]
