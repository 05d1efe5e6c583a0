"""A server's name, access addresses and metadata: plain row changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from synnefo_common.errors import Conflict, NotFound, QuotaExceeded
from synnefo_compute.app.core import Compute
from synnefo_compute.app.server_actions import load, load_unlocked
from synnefo_compute.app.server_create import hostname_of
from synnefo_compute.db import servers

_COLUMNS = {"name": "name", "accessIPv4": "access_ip_v4", "accessIPv6": "access_ip_v6", "disk_config": "disk_config"}


async def update_server(compute: Compute, server_id: str, changes: dict[str, Any], *, project_id: str | None) -> None:
    """Raises ServerNotFound."""
    values = {_COLUMNS[key]: value for key, value in changes.items()}
    if "name" in values:
        values["hostname"] = hostname_of(values["name"])
    async with compute.db.begin() as uow:
        row = await load(uow, server_id, project_id=project_id)
        await servers.change(uow, row.id, values)


async def read_metadata(compute: Compute, server_id: str, *, project_id: str | None) -> dict[str, str]:
    """Raises ServerNotFound."""
    async with compute.db.read() as uow:
        return dict((await load(uow, server_id, project_id=project_id)).metadata)


async def change_metadata(
    compute: Compute, server_id: str, change: Callable[[dict[str, str]], dict[str, str]], *, project_id: str | None
) -> dict[str, str]:
    """Apply a function to the metadata; compare-and-set, tried again when somebody else was first. Raises QuotaExceeded, ServerLocked."""
    limit = compute.settings.metadata_items
    for _ in range(20):
        async with compute.db.begin() as uow:
            row = await load_unlocked(uow, server_id, project_id=project_id)
            wanted = change(dict(row.metadata))
            if len(wanted) > limit:
                message = f"Maximum number of metadata items exceeds {limit}"
                raise QuotaExceeded(resource="metadata_items", limit=limit, used=len(row.metadata), requested=len(wanted), message=message)
            if await servers.change(uow, row.id, {"metadata": wanted}, generation=row.generation):
                return wanted
    raise Conflict(f"Instance {server_id} changes too often; try again.")


def without(key: str) -> Callable[[dict[str, str]], dict[str, str]]:
    """A change that removes one key. It raises NotFound if it is not there."""

    def change(metadata: dict[str, str]) -> dict[str, str]:
        if key not in metadata:
            raise NotFound("Metadata item was not found")
        del metadata[key]
        return metadata

    return change
