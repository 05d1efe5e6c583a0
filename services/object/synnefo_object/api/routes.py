"""Which call is which: Swift's paths are told apart here and not by FastAPI, whose patterns know neither names with
line ends nor trailing slashes. `api.document` declares the operations for the OpenAPI document.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from synnefo_archipelago import CorruptData, StoreError
from synnefo_common.errors import Fault
from synnefo_common.log import get_logger
from synnefo_object.api import accounts, containers, cors, objects
from synnefo_object.api.answers import Answer, close_unless_read, render_fault, store_fault
from synnefo_object.api.document import PATHS, PUBLIC, TOP
from synnefo_object.api.pithos import links
from synnefo_object.api.pithos.choose import choose
from synnefo_object.api.pithos.containers import show_top
from synnefo_object.api.request import SwiftRequest
from synnefo_object.app.services import Services
from synnefo_object.domain.errors import SwiftFault
from synnefo_object.domain.paths import Target

log = get_logger(__name__)
Handler = Callable[[SwiftRequest], Awaitable[Answer]]

HANDLERS: tuple[dict[str, Handler], ...] = (
    {
        "GET": accounts.show_account,
        "HEAD": accounts.show_account,
        "POST": accounts.post_account,
        "PUT": accounts.put_account,
        "DELETE": accounts.delete_account,
        "OPTIONS": cors.preflight,
    },
    {
        "GET": containers.show_container,
        "HEAD": containers.show_container,
        "POST": containers.post_container,
        "PUT": containers.put_container,
        "DELETE": containers.delete_container,
        "OPTIONS": cors.preflight,
    },
    {
        "GET": objects.show_object,
        "HEAD": objects.show_object,
        "POST": objects.post_object,
        "PUT": objects.put_object,
        "DELETE": objects.delete_object,
        "COPY": objects.copy_object,
        "OPTIONS": cors.preflight,
    },
)
_ROUTES = tuple(SimpleNamespace(path=path) for path in PATHS)
_TOP, _PUBLIC = SimpleNamespace(path=TOP), SimpleNamespace(path=PUBLIC)


def install(app: FastAPI, svc: Services) -> None:
    """Put the dispatcher inside the service's middleware and before FastAPI's routes."""
    app.user_middleware.append(Middleware(cast("Any", Dispatcher), services=svc))


class Dispatcher:
    """Answers what is below /v1/ and /public/; all else goes on."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self.app = app
        self.services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not (scope["path"].startswith(("/v1/", links.PATH)) or scope["path"] == "/v1"):
            await self.app(scope, receive, send)
            return
        answer = await self._answer(scope, receive)
        await cors.add_headers(scope, answer, self.services)
        close_unless_read(scope, answer)
        try:
            await answer(scope, receive, send)
        except StoreError as error:
            if isinstance(error, CorruptData):
                log.exception("object_damaged", path=scope["path"])
            failed = render_fault(store_fault(error))
            if scope.get("swift.started"):
                raise
            await failed(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        try:
            if scope["path"].startswith(links.PATH):
                scope["route"] = _PUBLIC
                return await links.answer(scope, receive, self.services)
            if scope["path"] in ("/v1", "/v1/"):
                return await self._top(scope, receive)
            request = SwiftRequest(scope, receive, self.services)
            target = scope["swift.target"] = request.target
            level = 2 if target.object else 1 if target.container else 0
            scope["route"] = _ROUTES[level]
            handler = choose(request, level) or HANDLERS[level].get(request.method)
            if handler is None:
                raise SwiftFault(405, headers={"Allow": ", ".join(HANDLERS[level])})
            return await handler(request)
        except StoreError as error:
            log.exception("block_store_failed", path=scope["path"])
            return render_fault(store_fault(error))
        except Fault as fault:
            return render_fault(fault)

    async def _top(self, scope: Scope, receive: Receive) -> Answer:
        scope["route"] = _TOP
        if scope["method"] not in ("GET", "HEAD"):
            raise SwiftFault(405, headers={"Allow": "GET, HEAD"})
        return await show_top(SwiftRequest(scope, receive, self.services, target=Target("")))
