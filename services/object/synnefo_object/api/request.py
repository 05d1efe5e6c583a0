"""A request as Swift's calls see it: raw names, headers in UTF-8, query, body as a stream, and who asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import unquote_to_bytes

from starlette.types import Receive, Scope

from synnefo_common.auth.claims import Claims
from synnefo_common.errors import Unauthorized
from synnefo_common.policy import Policy
from synnefo_common.web.context import Context
from synnefo_object.app.access import Caller
from synnefo_object.app.rates import wait_for_turn
from synnefo_object.app.services import Services
from synnefo_object.domain.errors import SwiftFault, bad_request
from synnefo_object.domain.paths import Target, parse_path

_NO_POLICY = Policy([])


class SwiftRequest:
    """One request. `headers` and `query` have the last value of each name; header names are lower-case."""

    def __init__(self, scope: Scope, receive: Receive, svc: Services, *, target: Target | None = None) -> None:
        self.scope = scope
        self.svc = svc
        self.method: str = scope["method"]
        self._receive = receive
        self._body_done = False
        raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
        self.target: Target = target if target is not None else parse_path(raw_path)
        # Undecodable bytes stay recognisable (surrogate escapes) and are refused where they would be kept.
        self.headers: dict[str, str] = {name.decode("latin-1").lower(): value.decode("utf-8", "surrogateescape") for name, value in scope["headers"]}
        self.query: dict[str, str] = _parse_query(scope.get("query_string", b""))
        if "expect" in self.headers and self.headers["expect"].lower() != "100-continue":
            raise SwiftFault(417, "Unsupported Expect header.")

    async def caller(self) -> Caller:
        """Who asks, when it is their turn. A token that is not valid makes nobody: the ACL may still let nobody in.

        Raises 498 when calls are limited and too many wait.
        """
        token = self.headers.get("x-auth-token") or self.headers.get("x-storage-token")
        claims: Claims | None = None
        if token:
            try:
                claims = await self.svc.verifier.verify(token)
            except Unauthorized:
                claims = None
        caller = Caller(claims, self.svc, referer=self.headers.get("referer"))
        if claims is not None:
            context = Context(claims, policy=_NO_POLICY, request_id=self.scope["state"]["request_id"], token=token or "")
            caller.roles = context.roles
            self.scope["synnefo.context"] = context
            if not self.target.object:
                await caller.learn(self.target)
            await wait_for_turn(self.svc, self.method, self.target)
        return caller

    def flag(self, name: str) -> bool:
        """A query parameter such as `bulk-delete`, given at all."""
        return name in self.query

    async def body(self) -> AsyncIterator[bytes]:
        """The pieces as they come. Raises 408 when the next one does not come, 499 when the client goes away."""
        self.scope["object.read"] = True
        while not self._body_done:
            try:
                async with asyncio.timeout(self.svc.settings.client_timeout_s):
                    message = await self._receive()
            except TimeoutError:
                self._body_done = True
                raise SwiftFault(408, headers={"Connection": "close"}) from None
            if message["type"] == "http.disconnect":
                self._body_done = True
                raise SwiftFault(499)
            self._body_done = not message.get("more_body", False)
            piece: bytes = message.get("body", b"")
            if piece:
                yield piece

    async def read_body(self, limit: int) -> bytes:
        """All of it. Raises 413."""
        pieces, size = [], 0
        async for piece in self.body():
            size += len(piece)
            if size > limit:
                raise SwiftFault(413)
            pieces.append(piece)
        return b"".join(pieces)

    async def disconnected(self) -> None:
        """Returns when the client has gone away."""
        while (await self._receive())["type"] != "http.disconnect":
            pass


def _parse_query(raw: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in raw.split(b"&") if raw else ():
        name, _, value = pair.partition(b"=")
        if not name:
            continue
        try:
            key = unquote_to_bytes(name.replace(b"+", b" ")).decode()
            text = unquote_to_bytes(value.replace(b"+", b" ")).decode()
        except UnicodeDecodeError:
            raise bad_request("Query parameters must be valid UTF-8.") from None
        if "\x00" in text or "\x00" in key:
            raise bad_request("Query parameters must not contain NULL.")
        found[key] = text
    return found
