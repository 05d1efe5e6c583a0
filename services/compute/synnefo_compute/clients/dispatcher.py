"""The dispatcher as compute asks it; commands go over the bus."""

from __future__ import annotations

from typing import Any

from synnefo_common.http import ServiceClient


class DispatcherClient:
    """Facts about instances."""

    def __init__(self, peer: ServiceClient) -> None:
        self._peer = peer

    async def console(self, server_id: str) -> dict[str, Any]:
        """How to reach the console: `{"kind": …}`. Raises NotFound, Conflict."""
        return dict(await self._peer.get(f"/internal/v1/instances/{server_id}/console"))

    async def console_log(self, server_id: str, *, length: int | None) -> str:
        """The end of the serial console's output. Raises Conflict where there is none."""
        query = f"?length={length}" if length is not None else ""
        return str((await self._peer.get(f"/internal/v1/instances/{server_id}/console-log{query}"))["output"])

    async def observe(self) -> dict[str, Any]:
        """`{"instances": […], "unreachable": [clusters]}`: all instances with our prefix on all clusters that answer."""
        return dict(await self._peer.get("/internal/v1/instances", timeout_s=60))
