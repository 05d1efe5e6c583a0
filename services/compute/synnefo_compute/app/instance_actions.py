"""Reading what was done to a server; a deleted server's actions can still be read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from synnefo_compute.app.core import Compute
from synnefo_compute.db import actions, servers
from synnefo_compute.domain.errors import ServerNotFound


async def _check(uow: Any, server_id: str, project_id: str | None) -> None:
    if await servers.get_server(uow, server_id, project_id=project_id, deleted=True) is None:
        raise ServerNotFound(server_id)


async def list_actions(compute: Compute, server_id: str, *, project_id: str | None) -> Sequence[Row[Any]]:
    """Newest first. Raises ServerNotFound."""
    async with compute.db.read() as uow:
        await _check(uow, server_id, project_id)
        return await actions.list_actions(uow, server_id)


async def get_action(compute: Compute, server_id: str, request_id: str, *, project_id: str | None) -> Row[Any] | None:
    """By request id. Raises ServerNotFound."""
    async with compute.db.read() as uow:
        await _check(uow, server_id, project_id)
        return await actions.get_action(uow, server_id, request_id) if "\x00" not in request_id else None
