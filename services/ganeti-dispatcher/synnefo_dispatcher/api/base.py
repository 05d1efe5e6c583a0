"""What the dispatcher's routes share."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends

from synnefo_common.web import services
from synnefo_dispatcher.app.core import Dispatcher

Svc = Annotated[Dispatcher, Depends(services)]
SERVER_ID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
TOKEN = r"^[!-~]{1,128}$"
CLUSTER = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$"


def faults(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors of a route, for the document."""
    texts = {
        400: "The request breaks a rule.", 401: "No valid token.", 403: "Not allowed.", 404: "Not known.", 409: "The state forbids it.",
        413: "The body is too large.", 503: "Something it needs does not answer.",
    }  # fmt: skip
    content = {"application/json": {"schema": {"type": "object", "required": ["error"]}}}
    return {status: {"description": texts[status], "content": content} for status in (*statuses, 401, 403, 503)}
