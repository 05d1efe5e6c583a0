"""What all bodies share: which strings and numbers may come in at all, names, ids, extra attributes."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints, model_validator

_MAX_DEPTH = 32
_RESERVED = frozenset({"id", "links"})

Name64 = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"\S")]
Name255 = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"\S")]
Id = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9-]+$")]
Text = Annotated[str, StringConstraints(max_length=65535)]
Password = Annotated[str, StringConstraints(max_length=4096)]
Bool = StrictBool
Limit = Annotated[int, Field(strict=True, ge=-1, le=2**31 - 1)]
Options = dict[str, Any]


def check_json(value: Any, depth: int = 0) -> None:
    """Raise ValueError for what no database keeps: NUL characters, lone surrogates, huge numbers, absurd nesting."""
    if depth > _MAX_DEPTH:
        raise ValueError(f"the body is nested deeper than {_MAX_DEPTH} levels")
    if isinstance(value, str):
        if "\x00" in value:
            raise ValueError("strings must not contain NUL characters")
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise ValueError("strings must be valid Unicode") from None
    elif isinstance(value, bool) or value is None:
        return
    elif isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise ValueError("numbers must fit into 64 bits")
    elif isinstance(value, dict):
        for key, item in value.items():
            check_json(key, depth + 1)
            check_json(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            check_json(item, depth + 1)


class Body(BaseModel):
    """A whole body: one key with the resource in it. Other keys are passed over, as Keystone does."""

    @model_validator(mode="before")
    @classmethod
    def _storable(cls, data: Any) -> Any:
        check_json(data)
        return data


class Resource(BaseModel):
    """A resource in a body, with extra attributes of any name."""

    model_config = ConfigDict(extra="allow")

    def extras(self) -> dict[str, Any]:
        """The attributes that the API does not know."""
        return {k: v for k, v in (self.model_extra or {}).items() if k not in _RESERVED}

    def changes(self, *names: str) -> dict[str, Any]:
        """Those of the named fields that the caller gave."""
        return {name: getattr(self, name) for name in names if name in self.model_fields_set}


class Exact(BaseModel):
    """A resource without extra attributes."""

    model_config = ConfigDict(extra="forbid")

    def changes(self, *names: str) -> dict[str, Any]:
        """Those of the named fields that the caller gave."""
        return {name: getattr(self, name) for name in names if name in self.model_fields_set}
