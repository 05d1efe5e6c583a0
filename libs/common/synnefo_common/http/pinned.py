"""HTTPS to a server known by its certificate, with Basic authentication: the way to a Ganeti cluster's remote API.

The certificate is compared whole, byte for byte, before a request (and so a password) leaves; the host name, the
issuer and the dates are not looked at. Not for: services of the fleet, which `client` calls.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from synnefo_common.db.uow import transaction_open


@dataclass(frozen=True, slots=True)
class RapiResponse:
    """Status and body as they came."""

    status: int
    body: bytes


class TransportFailed(Exception):
    """No answer. With `may_have_arrived` the server may have done what was asked; without, it surely has not.

    `is_untrusted`: somebody answered who does not show the certificate.
    """

    def __init__(self, message: str, *, may_have_arrived: bool, is_untrusted: bool = False) -> None:
        super().__init__(message)
        self.may_have_arrived = may_have_arrived
        self.is_untrusted = is_untrusted


class _PinnedObject(ssl.SSLObject):
    """Ends the handshake with an error unless the peer shows one of the context's pinned certificates."""

    def do_handshake(self) -> None:
        super().do_handshake()
        context = self.context
        if isinstance(context, _PinnedContext) and self.getpeercert(binary_form=True) not in context.pinned:
            raise ssl.SSLCertVerificationError("the server does not show the pinned certificate")


class _PinnedContext(ssl.SSLContext):
    sslobject_class = _PinnedObject
    pinned: frozenset[bytes] = frozenset()


def _pinned_context(certificates_pem: str) -> ssl.SSLContext:
    context = _PinnedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the comparison in _PinnedObject is stricter than a chain
    end = "-----END CERTIFICATE-----"
    parts = [part + end for part in certificates_pem.split(end) if "-----BEGIN CERTIFICATE-----" in part]
    context.pinned = frozenset(ssl.PEM_cert_to_DER_cert(part[part.index("-----BEGIN") :]) for part in parts)
    if not context.pinned:
        raise ValueError("no certificate in the text that should be pinned")
    return context


class PinnedHttpTransport:
    """Requests to one server. `certificate_pem` may hold several certificates, for the time of a change."""

    def __init__(
        self,
        base_url: str,
        *,
        auth: tuple[str, str],
        certificate_pem: str | None = None,
        verify: bool = True,
        timeout_s: float = 30.0,
        limit: int = 16,
    ) -> None:
        """Without `certificate_pem` the usual authorities are asked; `verify=False` asks nobody (for trials only)."""
        checked: ssl.SSLContext | bool = verify if certificate_pem is None else _pinned_context(certificate_pem)
        self._timeout_s = timeout_s
        self._endings: set[asyncio.Future[None]] = set()
        self._client = httpx.AsyncClient(
            base_url=base_url,
            auth=auth,
            verify=checked,
            limits=httpx.Limits(max_connections=limit, max_keepalive_connections=0),
            follow_redirects=False,
            trust_env=False,
        )

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | list[str]] | None = None,
        json: Any = None,
        timeout_s: float | None = None,
    ) -> RapiResponse:
        """One request, never repeated. Raises `TransportFailed`."""
        if transaction_open.get():
            raise RuntimeError("no network call while a transaction is open")
        content = None if json is None else orjson.dumps(json)
        headers = {} if json is None else {"Content-Type": "application/json"}
        timeout = httpx.Timeout(self._timeout_s if timeout_s is None else timeout_s, connect=self._timeout_s)
        try:
            response = await self._send(method, path, params=params, content=content, headers=headers, timeout=timeout)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as error:
            text = f"{method} {path}: {_words(error)}"
            raise TransportFailed(text, may_have_arrived=False, is_untrusted=_is_untrusted(error)) from error
        except httpx.HTTPError as error:
            raise TransportFailed(f"{method} {path}: {_words(error)}", may_have_arrived=True) from error
        return RapiResponse(response.status_code, response.content)

    async def _send(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """The request; canceled never within a TLS handshake, where httpcore would leave the socket open."""
        is_free = asyncio.Event()
        is_free.set()

        async def trace(name: str, _info: Any) -> None:
            if name == "connection.start_tls.started":
                is_free.clear()
            elif name.startswith("connection.start_tls."):
                is_free.set()

        task = asyncio.ensure_future(self._client.request(method, path, extensions={"trace": trace}, **arguments))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.done():
                ending = asyncio.ensure_future(_cancel(task, is_free))
                self._endings.add(ending)
                ending.add_done_callback(self._endings.discard)
            raise

    async def close(self) -> None:
        await asyncio.gather(*self._endings)
        await self._client.aclose()


def _is_untrusted(error: BaseException | None) -> bool:
    """Whether the handshake ended for the sake of the certificate."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


async def _cancel(task: asyncio.Future[Any], is_free: asyncio.Event) -> None:
    await is_free.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _words(error: Exception) -> str:
    return f"{type(error).__name__} {error}".strip()
