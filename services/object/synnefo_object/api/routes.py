"""Which call is which: Swift's paths are told apart here and not by FastAPI, whose patterns know neither names with
line ends nor trailing slashes. The operations are declared to FastAPI for the OpenAPI document.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

from fastapi import APIRouter, FastAPI, Request
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from synnefo_archipelago import CorruptData, StoreError, StoreFull
from synnefo_common.errors import Fault
from synnefo_common.log import get_logger

from synnefo_object.api import accounts, containers, cors, info, objects
from synnefo_object.api.answers import Answer, render_fault
from synnefo_object.api.request import SwiftRequest
from synnefo_object.app.services import Services
from synnefo_object.domain.errors import SwiftFault

log = get_logger(__name__)
Handler = Callable[[SwiftRequest], Awaitable[Answer]]

PATHS = ("/v1/{account}", "/v1/{account}/{container}", "/v1/{account}/{container}/{object}")
HANDLERS: tuple[dict[str, Handler], ...] = (
    {
        "GET": accounts.show_account, "HEAD": accounts.show_account, "POST": accounts.post_account, "PUT": accounts.put_account,
        "DELETE": accounts.delete_account, "OPTIONS": cors.preflight,
    },
    {
        "GET": containers.show_container, "HEAD": containers.show_container, "POST": containers.post_container,
        "PUT": containers.put_container, "DELETE": containers.delete_container, "OPTIONS": cors.preflight,
    },
    {
        "GET": objects.show_object, "HEAD": objects.show_object, "POST": objects.post_object, "PUT": objects.put_object,
        "DELETE": objects.delete_object, "COPY": objects.copy_object, "OPTIONS": cors.preflight,
    },
)  # fmt: skip
_ROUTES = tuple(SimpleNamespace(path=path) for path in PATHS)


def install(app: FastAPI, svc: Services) -> None:
    """Put the dispatcher inside the service's middleware and before FastAPI's routes."""
    app.user_middleware.append(Middleware(cast("Any", Dispatcher), services=svc))


class Dispatcher:
    """Answers what is below /v1/; all else goes on."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self.app = app
        self.services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/v1/"):
            await self.app(scope, receive, send)
            return
        answer = await self._answer(scope, receive)
        trans_id = f"tx{self.services.ids.hex()[:21]}-{self.services.now_s():010x}"
        answer.headers["X-Trans-Id"] = trans_id
        await cors.add_headers(scope, answer, self.services)
        try:
            await answer(scope, receive, send)
        except StoreError as error:
            if isinstance(error, CorruptData):
                log.error("object_damaged", path=scope["path"], error=str(error))
            failed = render_fault(store_fault(error))
            failed.headers["X-Trans-Id"] = trans_id
            if scope.get("swift.started"):
                raise
            await failed(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        try:
            request = SwiftRequest(scope, receive, self.services)
            target = scope["swift.target"] = request.target
            level = 2 if target.object else 1 if target.container else 0
            scope["route"] = _ROUTES[level]
            handler = HANDLERS[level].get(request.method)
            if handler is None:
                raise SwiftFault(405, headers={"Allow": ", ".join(HANDLERS[level])})
            return await handler(request)
        except StoreError as error:
            log.error("block_store_failed", path=scope["path"], error=repr(error))
            return render_fault(store_fault(error))
        except Fault as fault:
            return render_fault(fault)


def store_fault(error: StoreError) -> SwiftFault:
    """What the block store's trouble is to a client."""
    return SwiftFault(507) if isinstance(error, StoreFull) else SwiftFault(503, headers={"Retry-After": "5"})


_PARAMETERS = {
    "account": "`AUTH_` and the project's id.", "container": "The container's name, up to 256 bytes.",
    "object": "The object's name, up to 1024 bytes; it may contain slashes.",
}  # fmt: skip
_STATUSES = {
    200: "Content or a listing.", 201: "Created.", 202: "Accepted.", 204: "Done; nothing to show.", 206: "Ranges of the content.",
    304: "Not modified.", 400: "Something in the request is malformed.", 401: "A token is needed.", 403: "Not allowed.",
    404: "There is none.", 405: "Not a method of this.", 406: "No such format.", 409: "In conflict with what is there.",
    411: "Content-Length is missing.", 412: "A precondition does not hold, or the name is none.", 413: "Too large, or over a quota.",
    416: "No such range.", 422: "The ETag does not match the content.", 507: "No room left.",
}  # fmt: skip
_OPERATIONS: tuple[tuple[int, str, str, tuple[int, ...]], ...] = (
    (0, "GET", "List an account's containers", (200, 204, 400, 401, 403, 406, 412)),
    (0, "HEAD", "Show an account's totals and metadata", (204, 400, 401, 403, 406, 412)),
    (0, "POST", "Change an account's metadata; with `bulk-delete`, delete many", (200, 204, 400, 401, 403, 406, 412, 413)),
    (0, "PUT", "Refused; with `extract-archive`, unpack an archive", (200, 400, 401, 403, 405, 406, 412)),
    (0, "DELETE", "Refused; with `bulk-delete`, delete many", (200, 400, 401, 403, 405, 406, 412, 413)),
    (1, "GET", "List a container's objects", (200, 204, 301, 400, 401, 403, 404, 406, 412)),
    (1, "HEAD", "Show a container's totals and metadata", (204, 400, 401, 403, 404, 406, 412)),
    (1, "PUT", "Create a container, or change its metadata", (200, 201, 202, 400, 401, 403, 406, 412)),
    (1, "POST", "Change a container's metadata", (201, 204, 303, 400, 401, 403, 404, 412, 413)),
    (1, "DELETE", "Delete an empty container", (204, 400, 401, 403, 404, 409, 412)),
    (2, "GET", "Get an object", (200, 206, 304, 400, 401, 403, 404, 409, 412, 416)),
    (2, "HEAD", "Show an object's metadata", (200, 304, 400, 401, 403, 404, 409, 412)),
    (2, "PUT", "Store an object, or copy by `X-Copy-From`", (200, 201, 400, 401, 403, 404, 406, 409, 411, 412, 413, 422, 507)),
    (2, "POST", "Replace an object's metadata", (201, 202, 303, 307, 400, 401, 403, 404, 409, 412, 413)),
    (2, "DELETE", "Delete an object", (200, 204, 400, 401, 403, 404, 406, 409, 412)),
)  # fmt: skip


def router() -> APIRouter:
    """The operations for the document, and `/info`."""
    made = APIRouter(tags=["swift"])
    for level, method, summary, statuses in _OPERATIONS:
        names = list(_PARAMETERS)[: level + 1]
        parameters = [
            {"name": n, "in": "path", "required": True, "schema": {"type": "string"}, "description": _PARAMETERS[n]}
            for n in names
        ]
        extra: dict[str, Any] = {"parameters": parameters, "operationId": f"{method.lower()}_{names[-1]}"}
        if level == 2 and method == "PUT":
            extra["requestBody"] = {
                "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
            }
        path = PATHS[level].replace("{object}", "{object:path}")
        made.add_api_route(
            path, _document_only, methods=[method], summary=summary, openapi_extra=extra, status_code=statuses[0],
            response_class=Response, responses={s: {"description": _STATUSES.get(s, "Elsewhere.")} for s in statuses},
            name=f"{method.lower()}_{names[-1]}", operation_id=f"{method.lower()}_{names[-1]}",
        )  # fmt: skip
    for method in ("GET", "HEAD"):
        made.add_api_route(
            "/info", info.show_info, methods=[method], summary="What this object store can do", response_class=Response,
            operation_id=f"{method.lower()}_info",
        )  # fmt: skip
        made.add_api_route(
            "/healthcheck", info.healthcheck, methods=[method], summary="OK", response_class=Response,
            operation_id=f"{method.lower()}_healthcheck",
        )  # fmt: skip
    return made


async def _document_only(_request: Request) -> Response:
    raise SwiftFault(404)
