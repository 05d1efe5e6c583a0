"""The roots of all objects and of their kept versions, for the block store's collector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from synnefo_object.app.services import Services
from synnefo_object.db import roots
from synnefo_object.db.roots import Cursor


async def page(svc: Services, *, after: Cursor | None, limit: int) -> tuple[Sequence[Any], Cursor | None]:
    """A page, and where the next one begins; None when this was the last.

    In the order of the data's time, whichever table it is in. A copy is always younger than what it copies, and a row that
    becomes a version or is made current again keeps its time: a walk to the end meets all that was there when it began.
    """
    async with svc.db.read() as uow:
        rows = await roots.page(uow, after=after, limit=limit)
    if len(rows) < limit:
        return rows, None
    last = rows[-1]
    return rows, (last.created_us, last.container_id, last.name)
