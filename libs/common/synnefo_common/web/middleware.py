"""The one middleware: request id, microversion, body limit, faults in the service's dialect, access log, metrics, CORS."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from synnefo_common import context as flow
from synnefo_common.errors import BadRequest, Fault, TooLarge
from synnefo_common.ids import IdSource
from synnefo_common.log import AccessLog, get_logger
from synnefo_common.web.dialects import Dialect, InternalDialect
from synnefo_common.web.dispatch import RouteTable
from synnefo_common.web.faults import to_fault
from synnefo_common.web.metrics import RequestMetrics
from synnefo_common.web.microversion import Microversions

log = get_logger(__name__)
_REQUEST_ID = re.compile(r"^(req-|tx)[0-9a-fA-F-]{8,64}$")
_EXPOSED = "X-Subject-Token, X-Openstack-Request-Id, OpenStack-API-Version, X-OpenStack-Nova-API-Version, Retry-After, ETag, Location"
_QUIET = ("/healthz", "/readyz", "/metrics")
_INTERNAL = InternalDialect()
_OWN_PATHS = ("/internal/", "/admin/")  # not OpenStack's: our own dialect


class ServiceMiddleware:
    """Pure ASGI; wraps the whole application."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        dialect: Dialect,
        ids: IdSource,
        metrics: RequestMetrics,
        max_body_bytes: int,
        is_stream: Callable[[str, str], bool],
        microversions: Microversions | None,
        strip_slash: bool,
        refuse_nul: bool,
        cors_origins: list[str],
        table: RouteTable,
        access_log: AccessLog,
    ) -> None:
        self.app = app
        self.dialect = dialect
        self.ids = ids
        self.metrics = metrics
        self.max_body_bytes = max_body_bytes
        self.is_stream = is_stream
        self.microversions = microversions
        self.strip_slash = strip_slash
        self.refuse_nul = refuse_nul
        self.cors_origins = cors_origins
        # The short way leads past what a service has put between this and FastAPI's routes, so it is open only if that is nothing.
        self.table = table if isinstance(app, ExceptionMiddleware) else None
        self.access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        headers = Headers(scope=scope)
        request_id = self.dialect.new_request_id(self.ids)
        id_headers = [(name, request_id.encode()) for name in self.dialect.id_headers]
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        path: str = scope["path"]
        if self.strip_slash and len(path) > 1 and path.endswith("/"):
            scope["path"] = path = path.rstrip("/") or "/"
            scope["raw_path"] = path.encode()
        is_own = path.startswith(_OWN_PATHS)
        status = 500
        started_answer = False
        origin = given_id = trace = None
        for name, value in scope["headers"]:
            if name == b"origin":
                origin = value.decode("latin-1")
            elif name == b"x-openstack-request-id":
                given_id = value.decode("latin-1")
            elif name == b"traceparent":
                trace = value.decode("latin-1")
        version = None

        async def send_with_headers(message: Message) -> None:
            nonlocal status, started_answer
            if message["type"] == "http.response.start":
                started_answer = True
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *id_headers]
                if version is not None or origin:
                    out = MutableHeaders(scope=message)
                    if self.microversions and version is not None:
                        self.microversions.write(out, version)
                    if origin:
                        self._allow_origin(out, origin)
            await send(message)

        global_id = given_id if given_id and _REQUEST_ID.match(given_id) else None
        marks = (flow.request_id.set(global_id or request_id), flow.traceparent.set(trace))
        self.metrics.in_flight.inc()
        try:
            if self.cors_origins and origin and scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
                await _preflight(headers)(scope, receive, send_with_headers)
            else:
                if self.microversions and not is_own:
                    version = self.microversions.minimum
                    version = self.microversions.read(headers)
                    state["version"] = version
                if self.refuse_nul:
                    _refuse_nul(path, scope["query_string"])
                app = (self.table and self.table.find(scope)) or self.app
                await app(scope, self._limited(scope, headers, receive), send_with_headers)
        except Exception as error:
            fault = to_fault(error)
            if fault is None:
                log.exception("request_failed", method=scope["method"], path=path)
                fault = Fault(f"An unexpected error prevented the server from fulfilling your request ({request_id}).")
            if started_answer:
                raise
            dialect = _INTERNAL if is_own else self.dialect
            await dialect.render(fault, request_id=request_id)(scope, receive, send_with_headers)
        finally:
            flow.request_id.reset(marks[0])
            flow.traceparent.reset(marks[1])
            self.metrics.in_flight.dec()
            seconds = time.perf_counter() - started
            route = getattr(scope.get("route"), "path", None) or "unmatched"
            self.metrics.observe(scope["method"], route, status, seconds)
            if path not in _QUIET:
                who = scope.get("synnefo.context")
                self.access_log.write(
                    method=scope["method"], path=path, status=status, ms=round(seconds * 1000, 1), request_id=request_id, global_id=global_id,
                    user_id=who.user_id if who else None, project_id=who.project_id if who else None,
                )  # fmt: skip

    def _limited(self, scope: Scope, headers: Headers, receive: Receive) -> Receive:
        """Bodies that are parsed have a limit; streamed ones are the route's business."""
        if scope["method"] in ("GET", "HEAD") or self.is_stream(scope["method"], scope["path"]):
            return receive
        length = headers.get("content-length")
        if length is not None:
            if not length.isdigit():
                raise BadRequest("Content-Length is not a number.")
            if int(length) > self.max_body_bytes:
                raise TooLarge(f"Request is too large: at most {self.max_body_bytes} bytes.")
            return receive
        seen = 0

        async def counting() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self.max_body_bytes:
                raise TooLarge(f"Request is too large: at most {self.max_body_bytes} bytes.")
            return message

        return counting

    def _allow_origin(self, headers: MutableHeaders, origin: str) -> None:
        if "access-control-allow-origin" in headers:
            return
        if "*" in self.cors_origins or origin in self.cors_origins:
            headers["Access-Control-Allow-Origin"] = "*" if "*" in self.cors_origins else origin
            headers["Access-Control-Expose-Headers"] = _EXPOSED
            headers.add_vary_header("Origin")


def _refuse_nul(path: str, query: bytes) -> None:
    if "\x00" in path or "%00" in path or b"%00" in query:
        raise BadRequest("NUL characters are not allowed in paths and queries.")


def _preflight(headers: Headers) -> Response:
    return Response(
        status_code=200,
        headers={
            "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, COPY",
            "Access-Control-Allow-Headers": headers.get("access-control-request-headers", "*"),
            "Access-Control-Max-Age": "3600",
        },
    )
