"""Answers as they leave: headers in Swift's order of things, bodies as bytes or as a stream. No decisions here."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from html import escape
from http import HTTPStatus
from typing import Any

from starlette.types import Receive, Scope, Send

from synnefo_archipelago import StoreError, StoreFull
from synnefo_common.errors import Fault, QuotaExceeded
from synnefo_object.domain.errors import STANDARD_TEXT, SwiftFault

HTML = "text/html; charset=UTF-8"
TEXT = "text/plain; charset=utf-8"


class Answer:
    """An ASGI response. With `stream`, `length` bytes come from it and `gone` tells when the client went away."""

    background = None

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        content_type: str | None = None,
        stream: AsyncIterator[bytes] | None = None,
        length: int | None = None,
        gone: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.status_code = status
        self.headers: dict[str, str] = dict(headers or {})
        self.body = body
        self.content_type = content_type
        self.stream = stream
        self.length = length
        self.gone = gone

    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        raw = [(n.lower().encode("latin-1", "replace"), _value(v)) for n, v in self.headers.items()]
        if self.content_type is not None:
            raw.append((b"content-type", _value(self.content_type)))
        if self.length != -1:
            raw.append((b"content-length", str(len(self.body) if self.length is None else self.length).encode()))
        return raw

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start: dict[str, Any] = {
            "type": "http.response.start",
            "status": self.status_code,
            "headers": self.raw_headers(),
        }
        if scope["method"] == "HEAD" or self.stream is None:
            body = b"" if scope["method"] == "HEAD" else self.body
            await send(start)
            await send({"type": "http.response.body", "body": body})
            return
        # The first piece before the status line: damage that shows at once is an error answer, not a broken one.
        stream = self.stream
        piece = await anext(stream, None)
        await send(start)
        scope["swift.started"] = True
        watch = asyncio.ensure_future(self.gone()) if self.gone is not None else None
        try:
            while piece is not None:
                if watch is not None and watch.done():
                    break
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                piece = await anext(stream, None)
            else:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            if watch is not None:
                watch.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await watch
            close = getattr(stream, "aclose", None)
            if close is not None:
                await close()


def close_unless_read(scope: Scope, answer: Answer) -> None:
    """Who waits with the body for a «100 Continue» and gets an answer instead will not send it: the connection is of no more use."""
    if not scope.get("object.read") and any(name == b"expect" for name, _ in scope["headers"]):
        answer.headers["Connection"] = "close"


def _value(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape").replace(b"\r", b" ").replace(b"\n", b" ")


def title_of(status: int) -> str:
    """The reason phrase."""
    if status == 499:
        return "Client Disconnect"
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def render_fault(fault: Fault) -> Answer:
    """Swift's page for a status, or the exact text."""
    status = 413 if isinstance(fault, QuotaExceeded) else fault.http_status
    headers = dict(fault.headers)
    kind = headers.pop("Content-Type", None)
    text = fault.text if isinstance(fault, SwiftFault) else fault.message
    if text is not None and status not in (304,):
        return Answer(status, headers, text.encode("utf-8", "replace"), content_type=kind or TEXT)
    page = f"<html><h1>{title_of(status)}</h1><p>{escape(STANDARD_TEXT.get(status, ''), quote=False)}</p></html>"
    return Answer(status, headers, page.encode(), content_type=kind or HTML)


def store_fault(error: StoreError) -> SwiftFault:
    """What the block store's trouble is to a client."""
    return SwiftFault(507) if isinstance(error, StoreFull) else SwiftFault(503, headers={"Retry-After": "5"})
