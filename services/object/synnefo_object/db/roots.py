"""The roots of objects and of kept versions, read as one list for the block store's collector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, and_, or_, select, union_all

from synnefo_common.db import UnitOfWork
from synnefo_object.db.objects import objects
from synnefo_object.db.versions import versions
from synnefo_object.domain.kinds import MARKER

Cursor = tuple[int, int, str]
"""created_us, container_id and name of the last row seen."""


def _oldest(table: Any, after: Cursor | None, limit: int) -> Select[Any]:
    c = table.c
    statement = select(c.created_us, c.container_id, c.name, c.root).where(c.kind != MARKER)
    if after is not None:
        at, container_id, name = after
        behind = or_(c.container_id > container_id, and_(c.container_id == container_id, c.name > name))
        statement = statement.where(c.created_us >= at, or_(c.created_us > at, behind))
    page = statement.order_by(c.created_us, c.container_id, c.name).limit(limit).subquery()
    return select(page)


async def page(uow: UnitOfWork, *, after: Cursor | None, limit: int) -> Sequence[Row[Any]]:
    """created_us, container_id, name, root of both tables, oldest data first.

    One statement, so that a row that moves from one table to the other, keeping its time, is met in one of them.
    """
    both = union_all(*(_oldest(table, after, limit) for table in (objects, versions))).subquery()
    return await uow.all(select(both).order_by(both.c.created_us, both.c.container_id, both.c.name).limit(limit))
