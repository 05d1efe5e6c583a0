"""Peers and clients without sockets: httpx's own mock and ASGI transports. For tests only."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
from starlette.types import ASGIApp

from synnefo_common.clock import Clock, iso

Reply = Mapping[str, Any] | tuple[int, Any] | Callable[["PeerRequest"], Any] | None


@dataclass(frozen=True)
class PeerRequest:
    """What a fake peer was asked."""

    method: str
    path: str
    query: Mapping[str, str]
    json: Any
    headers: Mapping[str, str]
    match: Mapping[str, str]


@dataclass
class FakePeer:
    """One other service: answers what it was told to, remembers what it was asked, can be `down`."""

    name: str
    requests: list[PeerRequest] = field(default_factory=list)
    down: bool = False
    _routes: list[tuple[str, re.Pattern[str], Reply]] = field(default_factory=list)

    def on(self, method: str, path: str, reply: Reply) -> None:
        """Answer `method path` (`{name}` matches a segment) with a body, a (status, body) pair, or what a function gives; the newest wins."""
        pattern = re.compile("^" + re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(path)) + "$")
        self._routes.insert(0, (method, pattern, reply))

    def answer(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            raise httpx.ConnectError("the peer is down", request=request)
        path = request.url.path
        for method, pattern, reply in self._routes:
            found = pattern.match(path)
            if method == request.method and found:
                body = orjson.loads(request.content) if request.content else None
                asked = PeerRequest(method, path, dict(request.url.params), body, request.headers, found.groupdict())
                self.requests.append(asked)
                result = reply(asked) if callable(reply) else reply
                status, content = result if isinstance(result, tuple) else (200, result)
                return httpx.Response(status, content=b"" if content is None else orjson.dumps(content))
        message = f"fake {self.name} has no answer for {request.method} {path}"
        error = {"code": 404, "kind": "NotFound", "fault": "not_found", "message": message, "details": {}}
        return httpx.Response(404, content=orjson.dumps({"error": error}))


class FakePeers(dict[str, FakePeer]):
    """All peers by name, as one transport. Identity hands out service tokens by itself."""

    def __init__(self, names: tuple[str, ...], *, clock: Clock) -> None:
        super().__init__({name: FakePeer(name) for name in names})
        expires = iso(clock.now_us() + 86_400_000_000, micros=True)
        self["identity"].on("POST", "/v3/auth/tokens", lambda _r: (201, {"token": {"expires_at": expires}}))

    def transport(self) -> httpx.MockTransport:
        """For `HttpClient`: the host name is the peer's name."""

        async def handle(request: httpx.Request) -> httpx.Response:
            await asyncio.sleep(0)  # as on a network, others go on meanwhile: races show
            peer = self[request.url.host]
            response = peer.answer(request)
            if request.url.path == "/v3/auth/tokens":
                response.headers["X-Subject-Token"] = "service-token"
            return response

        return httpx.MockTransport(handle)


Client = httpx.AsyncClient
Answer = httpx.Response


def asgi_client(app: ASGIApp, *, base_url: str = "http://testserver", headers: Mapping[str, str] | None = None) -> httpx.AsyncClient:
    """A client of an application in this process; errors of the application come as 500."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url=base_url, headers=headers)


def socket_client(base_url: str, *, headers: Mapping[str, str] | None = None, timeout_s: float = 30.0) -> httpx.AsyncClient:
    """A client of a running service."""
    return httpx.AsyncClient(base_url=base_url, headers=headers, timeout=timeout_s, trust_env=False)


class FleetTransport(httpx.AsyncBaseTransport):
    """All services of a fleet in one process: the host name picks the application; a missing one refuses the connection."""

    def __init__(self) -> None:
        self.apps: dict[str, ASGIApp] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        app = self.apps.get(request.url.host)
        if app is None:
            raise httpx.ConnectError(f"{request.url.host} is down", request=request)
        return await httpx.ASGITransport(app=app, raise_app_exceptions=False).handle_async_request(request)


def transport_client(transport: httpx.AsyncBaseTransport, base_url: str, headers: Mapping[str, str] | None = None) -> httpx.AsyncClient:
    """A client over a given transport."""
    return httpx.AsyncClient(transport=transport, base_url=base_url, headers=headers, timeout=30)
