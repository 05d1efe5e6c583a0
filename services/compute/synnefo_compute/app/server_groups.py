"""Server groups: create, show, list, delete. Who may be where is decided when a server is placed (`app/place.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from synnefo_compute.app.core import Compute
from synnefo_compute.db import server_groups as db
from synnefo_compute.domain.errors import ServerGroupNotFound

RESOURCE = "compute.server_groups"


@dataclass(frozen=True)
class Found:
    """A group with its live servers."""

    row: Row[Any]
    members: Sequence[str]


async def create_server_group(
    compute: Compute, name: str, policy: str, *, max_server_per_host: int | None, project_id: str, user_id: str
) -> Found:
    """Raises QuotaExceeded."""
    group_id = compute.ids.uuid()
    values = {
        "id": group_id, "project_id": project_id, "user_id": user_id, "name": name, "policy": policy,
        "max_server_per_host": max_server_per_host, "created_at": compute.clock.now_us(),
    }  # fmt: skip
    async with compute.quota.reserved(project_id=project_id, user_id=user_id, provisions={RESOURCE: 1}) as commission, compute.db.begin() as uow:
        await db.insert_server_group(uow, values)
        compute.quota.accept(uow, commission)
    return await show_server_group(compute, group_id, project_id=project_id)


async def show_server_group(compute: Compute, group_id: str, *, project_id: str | None) -> Found:
    """Raises ServerGroupNotFound."""
    async with compute.db.read() as uow:
        row = await db.get_server_group(uow, group_id, project_id=project_id)
        if row is None:
            raise ServerGroupNotFound(group_id)
        members = await db.list_members(uow, [group_id])
    return Found(row, members[group_id])


async def list_server_groups(compute: Compute, *, project_id: str | None, limit: int, offset: int) -> list[Found]:
    """A page of a project's groups, or of all projects'."""
    async with compute.db.read() as uow:
        rows = await db.list_server_groups(uow, project_id=project_id, limit=limit, offset=offset)
        members = await db.list_members(uow, [row.id for row in rows])
    return [Found(row, members[row.id]) for row in rows]


async def delete_server_group(compute: Compute, group_id: str, *, project_id: str | None) -> None:
    """Raises ServerGroupNotFound."""
    async with compute.db.begin() as uow:
        row = await db.get_server_group(uow, group_id, project_id=project_id)
        if row is None or not await db.delete_server_group(uow, group_id):
            raise ServerGroupNotFound(group_id)
        compute.quota.release(uow, project_id=row.project_id, user_id=row.user_id, provisions={RESOURCE: 1})
