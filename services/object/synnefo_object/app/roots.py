"""The roots of all objects and of their kept versions, for the block store's collector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from synnefo_object.app.services import Services
from synnefo_object.db import objects, versions

Cursor = tuple[int, int, int, str]
"""The table (0: objects, 1: versions), and in it created_us, container_id, name of the last row seen."""


async def page(svc: Services, *, after: Cursor | None, limit: int) -> tuple[Sequence[Any], Cursor | None]:
    """A page, and where the next one begins; None when this was the last.

    Objects first, then versions, each in the order of the data's time. A copy is always younger than what it copies, and
    a row only ever moves from the first table to the second: a walk to the end meets all that was there when it began.
    """
    table, *last = after or (0, 0, 0, "")
    source = (objects, versions)[table]
    async with svc.db.read() as uow:
        rows = await source.roots(uow, after=tuple(last) if last[0] else None, limit=limit)
    if len(rows) < limit:
        return rows, (1, 0, 0, "") if table == 0 else None
    end = rows[-1]
    return rows, (table, end.created_us, end.container_id, end.name)
