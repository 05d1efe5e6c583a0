"""What the routes share."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends
from pydantic import AfterValidator

from synnefo_common.errors import NotFound
from synnefo_common.web import services
from synnefo_network.app.services import Services

Svc = Annotated[Services, Depends(services)]


def _path_id(text: str) -> str:
    if "\0" in text:
        raise NotFound("The resource could not be found.")
    return text


PathId = Annotated[str, AfterValidator(_path_id)]


def created(one: str, many: str, *, is_bulk: bool, items: list[dict[str, Any]]) -> dict[str, Any]:
    """The body of a create answer: as the request, one or a list."""
    return {many: items} if is_bulk else {one: items[0]}


ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"description": "The request breaks a rule of the API; the message says which."},
    401: {"description": "No valid token."},
    403: {"description": "Visible, but not allowed."},
    404: {"description": "Not there, or not visible."},
    409: {"description": "In use, a duplicate, exhausted, or over quota."},
    412: {"description": "If-Match names another revision."},
}
