"""Bodies of the servers API at 2.1."""

from __future__ import annotations

import base64
import binascii
import ipaddress
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints, field_validator, model_validator

from synnefo_common.ids import is_uuid
from synnefo_compute.api.base import Name, StrictBody, Text, boolean

Bool = Annotated[bool, BeforeValidator(boolean)]
Uuid = Annotated[str, StringConstraints(max_length=64)]
MetaKey = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[a-zA-Z0-9-_:. ]{1,255}$")]
MetaValue = Annotated[Text, StringConstraints(max_length=255)]
Metadata = dict[MetaKey, MetaValue]
USER_DATA_MAX = 65535


def _ip(text: str, version: int) -> str:
    if text == "":
        return text
    if ipaddress.ip_address(text).version != version:
        raise ValueError(f"must be an IPv{version} address")
    return text


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
        if text is not None:
            ipaddress.ip_address(text)
        return text


class SecurityGroupRef(StrictBody):
    """A group by name or id."""

    name: Annotated[Text, StringConstraints(min_length=1, max_length=255)]


class BlockDevice(StrictBody):
    """An item of `block_device_mapping_v2`."""

    source_type: Literal["image", "volume", "snapshot", "blank"]
    uuid: StrictUuid | None = None
    boot_index: int | str | None = None
    destination_type: Literal["local", "volume"] | None = None
    delete_on_termination: Bool = False
    volume_size: int | str | None = None
    device_name: Annotated[str, StringConstraints(max_length=255)] | None = None
    device_type: str | None = None
    disk_bus: str | None = None
    guest_format: str | None = None
    no_device: Any = None

    @field_validator("boot_index", "volume_size")
    @classmethod
    def _integer(cls, value: Any) -> int | None:
        if value is None or value in ("", "None"):
            return None
        number = int(value)
        if not -1 <= number <= 2**31 - 1:
            raise ValueError("out of range")
        return number

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
    flavorRef: Annotated[str | int, Field(union_mode="left_to_right")]
    imageRef: str | None = None
    networks: list[NetworkRequest] | None = None
    key_name: Annotated[str, StringConstraints(max_length=255)] | None = None
    metadata: Metadata = Field(default_factory=dict)
    security_groups: list[SecurityGroupRef] = Field(default_factory=list)
    user_data: Annotated[str, StringConstraints(max_length=USER_DATA_MAX)] | None = None
    config_drive: Bool | None = None
    availability_zone: Annotated[Text, StringConstraints(min_length=1, max_length=255)] | None = None
    block_device_mapping_v2: list[BlockDevice] = Field(default_factory=list)
    min_count: int | str = 1
    max_count: int | str | None = None
    return_reservation_id: Bool = False
    accessIPv4: str = ""
    accessIPv6: str = ""
    adminPass: Annotated[str, StringConstraints(max_length=255)] | None = None
    disk_config: Annotated[Literal["AUTO", "MANUAL"], Field(alias="OS-DCF:diskConfig")] = "MANUAL"

    @field_validator("imageRef")
    @classmethod
    def _image(cls, text: str | None) -> str | None:
        if text in (None, ""):
            return None
        tail = text.rsplit("/", 1)[-1]
        if not is_uuid(tail):
            raise ValueError("Invalid imageRef provided")
        return tail

    @field_validator("flavorRef")
    @classmethod
    def _flavor(cls, value: Any) -> str:
        text = str(value).rsplit("/", 1)[-1]
        if not text:
            raise ValueError("must name a flavor")
        return text

    @field_validator("user_data")
    @classmethod
    def _base64(cls, text: str | None) -> str | None:
        if text is not None:
            try:
                base64.b64decode(text, validate=True)
            except (binascii.Error, ValueError):
                raise ValueError("must be base64") from None
        return text

    @field_validator("accessIPv4")
    @classmethod
    def _v4(cls, text: str) -> str:
        return _ip(text, 4)

    @field_validator("accessIPv6")
    @classmethod
    def _v6(cls, text: str) -> str:
        return _ip(text, 6)

    @field_validator("min_count", "max_count")
    @classmethod
    def _count(cls, value: Any) -> int | None:
        if value is None:
            return None
        number = int(value)
        if not 1 <= number <= 1000:
            raise ValueError("must be 1 to 1000")
        return number

    @model_validator(mode="after")
    def _counts(self) -> ServerCreate:
        if self.max_count is None:
            self.max_count = self.min_count
        if int(self.min_count) > int(self.max_count):
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

    flavorRef: str | int
    disk_config: Annotated[Literal["AUTO", "MANUAL"] | None, Field(alias="OS-DCF:diskConfig")] = None


class CreateImage(StrictBody):
    """`createImage`."""

    name: Name
    metadata: Metadata = Field(default_factory=dict)


class ConsoleOutput(StrictBody):
    """`os-getConsoleOutput`."""

    length: int | str | None = None

    @field_validator("length")
    @classmethod
    def _length(cls, value: Any) -> int | None:
        if value is None:
            return None
        number = int(value)
        if not -1 <= number <= 2**31 - 1:
            raise ValueError("out of range")
        return None if number == -1 else number


class ResetState(StrictBody):
    """`os-resetState`."""

    state: Literal["active", "error"]


class MetadataBody(StrictBody):
    """POST and PUT of /metadata."""

    metadata: Metadata


class MetaItemBody(StrictBody):
    """PUT of /metadata/{key}."""

    meta: Annotated[Metadata, Field(min_length=1, max_length=1)]
