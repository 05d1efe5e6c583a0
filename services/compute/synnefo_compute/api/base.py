"""What compute's routes share: the service object, the project a caller may see, strict bodies."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends
from pydantic import AfterValidator, BaseModel, ConfigDict

from synnefo_common.web import Context, services
from synnefo_compute.app.core import Compute

Svc = Annotated[Compute, Depends(services)]


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


def boolean(value: Any) -> bool:
    """Nova's booleans: true, "True", "1", … Raises ValueError."""
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, str)) and str(value).lower() in ("1", "true", "t", "yes", "y", "on"):
        return True
    if isinstance(value, (int, str)) and str(value).lower() in ("0", "false", "f", "no", "n", "off"):
        return False
    raise ValueError("must be a boolean")
