"""Values that several bodies have: Cinder's loose booleans and sizes, names, metadata."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

MAX_INT = 2**31 - 1
_TRUE = {"true", "1", "on", "yes", "y", "t"}
_FALSE = {"false", "0", "off", "no", "n", "f"}
_KEY = re.compile(r"^[a-zA-Z0-9\-_:. /]{1,255}$")


def _bool(value: Any) -> Any:
    if isinstance(value, str) and value.lower() in _TRUE | _FALSE:
        return value.lower() in _TRUE
    if not isinstance(value, bool):
        raise ValueError("must be true or false")  # noqa: TRY004 - pydantic takes a ValueError
    return value


def _size(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,10}", value, re.ASCII):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_INT:
        raise ValueError(f"must be a whole number from 1 to {MAX_INT}")
    return value


def _clean(value: str) -> str:
    if "\x00" in value:
        raise ValueError("must not have NUL characters")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("must be valid Unicode") from None
    return value


def _uuid_text(value: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}", value):
        raise ValueError("must be a UUID")
    return value


def _metadata(value: Any) -> Any:
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str) or not _KEY.match(key):
                raise ValueError("metadata keys have 1 to 255 letters, digits, -_:. / or spaces")
            if not isinstance(item, str) or len(item) > 255:
                raise ValueError(f"metadata {key} must be text of at most 255 characters")
            _clean(item)
    return value


LooseBool = Annotated[bool, BeforeValidator(_bool)]
SizeGib = Annotated[int, BeforeValidator(_size), Field(json_schema_extra={"minimum": 1, "maximum": MAX_INT})]
Text = Annotated[str, Field(max_length=255), AfterValidator(_clean)]
Name = Annotated[str, AfterValidator(str.strip), Field(max_length=255), AfterValidator(_clean)]
Uuid = Annotated[str, AfterValidator(_uuid_text)]
Metadata = Annotated[dict[str, str], BeforeValidator(_metadata)]
