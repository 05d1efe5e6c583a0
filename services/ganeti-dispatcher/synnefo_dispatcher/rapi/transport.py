"""What the client needs of HTTP. `synnefo_common.http.pinned` has the real one; tests may give their own."""

from collections.abc import Mapping
from typing import Any, Protocol

from synnefo_common.http.pinned import PinnedHttpTransport, RapiResponse, TransportFailed

__all__ = ["PinnedHttpTransport", "RapiResponse", "Transport", "TransportFailed"]


class Transport(Protocol):
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
        ...

    async def close(self) -> None: ...
