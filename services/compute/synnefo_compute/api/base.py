"""What compute's routes share: the service object, the project a caller may see, strict bodies."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import Depends, Request
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from synnefo_common.errors import BadRequest
from synnefo_common.web import Context, services
from synnefo_compute.app.core import Compute

Svc = Annotated[Compute, Depends(services)]


def clean_query(request: Request) -> None:
    """A NUL character can match nothing, and PostgreSQL refuses it. Raises BadRequest."""
    if b"%00" in request.scope["query_string"]:
        raise BadRequest("NUL characters are not allowed in the query.")


CLEAN_QUERY = Depends(clean_query)


class StrictBody(BaseModel):
    """A body in which an unknown key is an error, as Nova's schemas have it."""

    model_config = ConfigDict(extra="forbid", str_max_length=65536)


def project_filter(ctx: Context) -> str | None:
    """The project whose rows the caller sees; None (all) for an administrator."""
    return None if ctx.is_admin else ctx.project


def _clean(text: str) -> str:
    if any(ord(c) < 32 and c not in "\t\n\r" for c in text) or any(0xD800 <= ord(c) <= 0xDFFF for c in text):
        raise ValueError("control characters are not allowed")
    return text


def _clean_name(text: str) -> str:
    if not text or len(text) > 255:
        raise ValueError("must be 1 to 255 characters long")
    if text != text.strip() or not text.isprintable():
        raise ValueError("must be printable and may not begin or end with white space")
    return text


Text = Annotated[str, AfterValidator(_clean)]
Name = Annotated[str, AfterValidator(_clean_name)]


def _reference(value: Any) -> Any:
    """An id, perhaps as a number or as the end of a URL, as old clients send flavors."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ValueError("must be an id")  # noqa: TRY004 - pydantic turns ValueError alone into a refusal
    text = str(value).rsplit("/", 1)[-1]
    if not 0 < len(text) <= 255:
        raise ValueError("must be an id of 1 to 255 characters")
    return text


Reference = Annotated[Text, BeforeValidator(_reference)]


def integer(value: Any) -> int:
    """A number, or one in a string, as Nova takes them. Raises ValueError."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,20}", value, flags=re.ASCII):
        return int(value)
    raise ValueError("must be an integer")


def boolean(value: Any) -> bool:
    """Nova's booleans: true, "True", "1", … Raises ValueError."""
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, str)) and str(value).lower() in ("1", "true", "t", "yes", "y", "on"):
        return True
    if isinstance(value, (int, str)) and str(value).lower() in ("0", "false", "f", "no", "n", "off"):
        return False
    raise ValueError("must be a boolean")
