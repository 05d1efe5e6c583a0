"""Answers as bytes, encoded once. Handlers return these; never a bare dict (FastAPI would walk it in Python)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response


def answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON of `body`."""
    return Response(orjson.dumps(body), status_code=status, headers=headers, media_type="application/json")


def empty(status: int = 204, headers: Mapping[str, str] | None = None) -> Response:
    """No body; no content type either."""
    return Response(status_code=status, headers=headers)
