"""Calls between services: deadline, idempotency key, request id, traceparent, service token, the peer's fault raised as ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from synnefo_common import context as flow
from synnefo_common.clock import MICROS, Clock, SystemClock, parse_iso
from synnefo_common.db.uow import transaction_open
from synnefo_common.errors import BadGateway, Fault, Unauthorized, Unavailable, fault_for_status
from synnefo_common.http.breaker import Breaker
from synnefo_common.settings import CommonSettings

_RETRIED = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """Status, headers and body of an answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The parsed body; None if empty. Raises BadGateway."""
        if not self.body:
            return None
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise BadGateway("a peer answered something that is not JSON") from error


class HttpClient:
    """One connection pool. `transport` is for tests."""

    def __init__(self, *, transport: httpx.AsyncBaseTransport | None = None, limit: int = 64) -> None:
        self._client = httpx.AsyncClient(
            transport=transport, limits=httpx.Limits(max_connections=limit, max_keepalive_connections=limit, keepalive_expiry=30),
            follow_redirects=False, trust_env=False,
        )  # fmt: skip

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        content: bytes | AsyncIterable[bytes] | None = None,
        timeout_s: float = 30.0,
    ) -> HttpAnswer:
        """One request, with JSON or other content. Raises Unavailable if there was no answer in time; what was done then is unknown."""
        if transaction_open.get():
            raise RuntimeError("no network call while a transaction is open")
        sent = {**(headers or {})}
        if json is not None:
            content = orjson.dumps(json)
            sent["Content-Type"] = "application/json"
        try:
            response = await self._client.request(method, url, headers=sent, content=content, timeout=timeout_s)
        except httpx.HTTPError as error:
            raise Unavailable(f"{method} {url}: {type(error).__name__}") from error
        return HttpAnswer(response.status_code, response.headers, response.content)

    async def close(self) -> None:
        await self._client.aclose()


class ServiceIdentity:
    """This service's own token, got with its password and renewed before it expires."""

    def __init__(self, name: str, password: str, common: CommonSettings, http: HttpClient, *, clock: Clock | None = None) -> None:
        self._name = name
        self._password = password
        self._url = common.internal_urls["identity"] + "/v3/auth/tokens"
        self._http = http
        self._clock = clock or SystemClock()
        self._token: str | None = None
        self._renew_at = 0
        self._lock = asyncio.Lock()

    async def token(self) -> str:
        """A valid token. Raises Unavailable."""
        if self._token is None or self._clock.now_us() >= self._renew_at:
            async with self._lock:
                if self._token is None or self._clock.now_us() >= self._renew_at:
                    await self._renew()
        assert self._token is not None
        return self._token

    def forget(self, token: str) -> None:
        """The token was refused: get another at the next call."""
        if self._token == token:
            self._token = None

    async def _renew(self) -> None:
        user = {"name": self._name, "domain": {"id": "default"}, "password": self._password}
        scope = {"project": {"name": "service", "domain": {"id": "default"}}}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
        answer = await self._http.request("POST", self._url + "?nocatalog", json=body, timeout_s=30)
        if answer.status != 201:
            raise Unavailable(f"service {self._name} cannot log in: identity answered {answer.status}")
        expires = parse_iso(answer.json()["token"]["expires_at"])
        now = self._clock.now_us()
        self._token = answer.headers["x-subject-token"]
        self._renew_at = max(now + MICROS, expires - max(60 * MICROS, (expires - now) // 10))


class ServiceClient:
    """Calls to one other service of the fleet."""

    def __init__(
        self, peer: str, common: CommonSettings, http: HttpClient, identity: ServiceIdentity, *, clock: Clock | None = None
    ) -> None:
        self.peer = peer
        self._base = common.internal_urls[peer].rstrip("/")
        self._http = http
        self._identity = identity
        self._clock = clock or SystemClock()
        self._breaker = Breaker(clock=self._clock)

    async def get(self, path: str, *, timeout_s: float = 30.0) -> Any:
        return await self.call("GET", path, timeout_s=timeout_s)

    async def post(self, path: str, json: Any = None, *, key: str | None = None, timeout_s: float = 30.0) -> Any:
        return await self.call("POST", path, json=json, key=key, timeout_s=timeout_s)

    async def put(self, path: str, json: Any = None, *, key: str | None = None, timeout_s: float = 30.0) -> Any:
        return await self.call("PUT", path, json=json, key=key, timeout_s=timeout_s)

    async def delete(self, path: str, *, key: str | None = None, timeout_s: float = 30.0) -> Any:
        return await self.call("DELETE", path, key=key, timeout_s=timeout_s)

    async def call(self, method: str, path: str, *, json: Any = None, key: str | None = None, timeout_s: float = 30.0) -> Any:
        """The parsed answer. Raises the peer's fault, or Unavailable if it cannot be reached.

        Reads and calls with an idempotency key are tried again, twice, for connection errors and 429, 502, 503, 504.
        """
        attempts = 3 if key is not None or method == "GET" else 1
        for attempt in range(attempts):
            try:
                return await self._once(method, path, json=json, key=key, timeout_s=timeout_s)
            except Unauthorized:
                if attempt == 0:
                    return await self._once(method, path, json=json, key=key, timeout_s=timeout_s)
                raise
            except Fault as fault:
                if fault.http_status not in _RETRIED or attempt == attempts - 1:
                    raise
            await self._clock.sleep(0.05 * 4**attempt)
        raise AssertionError("unreachable")

    async def _once(self, method: str, path: str, *, json: Any, key: str | None, timeout_s: float) -> Any:
        if not self._breaker.allows():
            raise Unavailable(f"the {self.peer} service does not answer; try again", retry_after_s=1)
        token = await self._identity.token()
        headers = {"X-Auth-Token": token}
        if key is not None:
            headers["Idempotency-Key"] = key
        if correlation := flow.current_correlation_id():
            headers["X-Openstack-Request-Id"] = correlation
        if trace := flow.traceparent.get():
            headers["traceparent"] = trace
        try:
            answer = await self._http.request(method, self._base + path, headers=headers, json=json, timeout_s=timeout_s)
        except Unavailable:
            self._breaker.failed()
            raise
        self._breaker.succeeded()
        if answer.status < 300:
            return answer.json()
        if answer.status == 401:
            self._identity.forget(token)
        raise _peer_fault(self.peer, answer)


def _peer_fault(peer: str, answer: HttpAnswer) -> Fault:
    try:
        error = answer.json()["error"]
        return fault_for_status(
            answer.status, error["message"], code=error.get("fault"), kind=error.get("kind"), details=error.get("details")
        )
    except (BadGateway, KeyError, TypeError):
        return fault_for_status(answer.status, f"the {peer} service answered {answer.status}")
