"""The roots of all objects, their kept versions and parts of uploads under way, for the block store's collector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from synnefo_object.app.services import Services
from synnefo_object.db import roots
from synnefo_object.db.roots import Cursor
from synnefo_object.domain.s3.parts import Parts


async def page(svc: Services, *, after: Cursor | None, limit: int) -> tuple[Sequence[tuple[str, bytes]], Cursor | None]:
    """A page of (name, root), and where the next one begins; None when this was the last.

    In the order of the data's time, whichever table it is in. A copy is always younger than what it copies, and a row that
    becomes a version or is made current again keeps its time: a walk to the end meets all that was there when it began.
    """
    async with svc.db.read() as uow:
        rows = await roots.page(uow, after=after, limit=limit)
    listed = [(f"{row.container_id}/{row.name}", root) for row in rows for root in _roots_of(row)]
    if len(rows) < limit:
        return listed, None
    last = rows[-1]
    return listed, (last.created_us, last.container_id, last.name)


def _roots_of(row: Any) -> Sequence[bytes]:
    return (row.extra and Parts.read(row.extra).roots) or (row.root,)
