"""Types that the bodies share. Neutron refuses attributes that it does not know; so do these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from synnefo_common.ids import is_uuid

MAX_BULK = 500  # of one request


def _no_control(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain NUL characters")
    return text


def _uuid(text: str) -> str:
    if not is_uuid(text):
        raise ValueError(f"'{text[:60]}' is not a valid UUID")
    return text


def _tag(text: str) -> str:
    if not text or any(ord(c) < 32 for c in text) or "," in text:
        raise ValueError("a tag must not be empty nor contain commas or control characters")
    return text


def _ip_version(number: int) -> int:
    if number not in (4, 6):
        raise ValueError(f"{number} is not in [4, 6]")
    return number


def _unique(items: list[str]) -> list[str]:
    if len(set(items)) != len(items):
        raise ValueError("Duplicate items in the list")
    return items


def _lenient_bool(value: Any) -> Any:
    """Booleans as words and numbers, but no others than Neutron takes."""
    if isinstance(value, str) and value.lower() in ("true", "false", "1", "0", "t", "f", "yes", "no", "on", "off"):
        return value.lower() in ("true", "1", "t", "yes", "on")
    if isinstance(value, (bool, int)) and value in (0, 1):
        return bool(value)
    raise ValueError(f"{ascii(value)[:60]} cannot be converted to boolean")


def _lenient_int(value: Any) -> Any:
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise ValueError(f"'{value}' is not an integer")
    return value


Text255 = Annotated[str, Field(max_length=255), AfterValidator(_no_control)]
Text = Annotated[str, Field(max_length=1024), AfterValidator(_no_control)]
Uuid = Annotated[str, Field(max_length=36), AfterValidator(_uuid)]
ProjectId = Annotated[str, Field(max_length=64), AfterValidator(_no_control)]
Bool = Annotated[bool, BeforeValidator(_lenient_bool)]
Int = Annotated[int, BeforeValidator(_lenient_int), Field(ge=-(2**31), le=2**31 - 1)]
IpVersion = Annotated[Int, AfterValidator(_ip_version)]
Tag = Annotated[str, Field(max_length=255), AfterValidator(_tag)]
Uuids = Annotated[list[Uuid], AfterValidator(_unique)]
Tags = Annotated[list[Tag], Field(max_length=50), AfterValidator(_unique)]


class Body(BaseModel):
    """The inside of a request body."""

    model_config = ConfigDict(extra="forbid", populate_by_name=False)

    def given(self) -> dict[str, Any]:
        """What the caller sent, by wire name."""
        return self.model_dump(exclude_unset=True, by_alias=True)


class Owned(Body):
    """Create bodies: the owner under both of its names."""

    tenant_id: ProjectId | None = None
    project_id: ProjectId | None = None


class Wrapper(BaseModel):
    """The outside: one key, the resource's name. In a list each may stand by itself or under its own name once more."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _unwrap(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {key: [_inside(item, cls.model_fields) for item in value] if isinstance(value, list) else value for key, value in data.items()}


def _inside(item: Any, names: Mapping[str, Any]) -> Any:
    if isinstance(item, dict) and len(item) == 1:
        ((name, inside),) = item.items()
        return inside if name in names else item
    return item


def bulk(one: Any, many: Any) -> list[dict[str, Any]]:
    """The bodies of a create call that takes one or a list. Raises BadRequest."""
    from synnefo_common.errors import BadRequest

    if (one is None) == (many is None):
        raise BadRequest("Unable to find the resource in the request body, or there is more than one form of it.")
    return [body.given() for body in (many if one is None else [one])]
