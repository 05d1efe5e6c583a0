"""Locks: a locked server is changed by administrators alone."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from synnefo_compute.app.core import Compute
from synnefo_compute.app.server_actions import begin_action, load
from synnefo_compute.db import actions, servers
from synnefo_compute.domain.states import LockedBy


def _who(row: Row[Any], caller_project: str | None) -> LockedBy:
    return LockedBy.OWNER if row.project_id == caller_project else LockedBy.ADMIN


async def is_locked_by_other(compute: Compute, server_id: str, *, project_id: str | None, caller_project: str | None) -> bool:
    """Whether it is locked by an administrator and the caller is of its project, or the other way round. Raises ServerNotFound."""
    async with compute.db.read() as uow:
        row = await load(uow, server_id, project_id=project_id)
    return row.locked_by is not None and row.locked_by != _who(row, caller_project)


async def lock(
    compute: Compute, server_id: str, *, is_locked: bool, project_id: str | None, caller_project: str | None, user_id: str, request_id: str
) -> None:
    """Lock or unlock. An administrator's lock stays when the owner locks too. Raises ServerNotFound."""
    async with compute.db.begin() as uow:
        row = await load(uow, server_id, project_id=project_id)
        who = _who(row, caller_project)
        if is_locked and row.locked_by is not None and who == LockedBy.OWNER:
            return
        name = "lock" if is_locked else "unlock"
        action_id = await begin_action(uow, row, action=name, event=f"compute_{name}_instance", user_id=user_id, request_id=request_id)
        await servers.change(uow, row.id, {"locked_by": who if is_locked else None})
        await actions.finish(uow, action_id)
