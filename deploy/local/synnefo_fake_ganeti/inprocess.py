"""A fake cluster without a socket, behind the transport that the RAPI client wants: for tests in one event loop.

Faults that break a connection become `TransportFailed`. Not for: TLS and framing, which the contract suite tests.
"""

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from synnefo_common.http.pinned import RapiResponse, TransportFailed
from synnefo_fake_ganeti.rapi import FakeRapi, User

USERS = {"synnefo": User("secret", may_write=True), "reader": User("secret", may_write=False)}


class InProcessTransport:
    """`InProcessTransport(FakeRapi("c1", USERS))`; await `rapi.start()` first."""

    def __init__(self, rapi: FakeRapi, *, user: str = "synnefo", password: str = "secret") -> None:
        self.rapi = rapi
        self.is_reachable = True
        self._authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | list[str]] | None = None,
        json: Any = None,
        timeout_s: float | None = None,
    ) -> RapiResponse:
        if not self.is_reachable:
            raise TransportFailed(f"{method} {path}: no route", may_have_arrived=False)
        headers = {"authorization": self._authorization, "content-type": "application/json"}
        query = urlencode(params or {}, doseq=True, quote_via=quote)
        body = b"" if json is None else orjson.dumps(json)
        reply = await self.rapi.handle(method, f"{path}?{query}" if query else path, headers, body)
        kind = None if reply.fault is None else reply.fault["fault"]
        if kind in ("lost_answer", "reset", "reset_in_body"):
            raise TransportFailed(f"{method} {path}: {kind}", may_have_arrived=True)
        return RapiResponse(reply.status, reply.body)

    async def close(self) -> None:
        return
