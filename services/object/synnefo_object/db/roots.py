"""The roots of objects, of kept versions and of parts of uploads under way, read as one list for the block store's collector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, Text, and_, case, cast, null, or_, select, union_all

from synnefo_common.db import UnitOfWork
from synnefo_object.db.objects import objects
from synnefo_object.db.s3_uploads import s3_parts
from synnefo_object.db.versions import versions
from synnefo_object.domain.kinds import MARKER, MULTIPART

Cursor = tuple[int, int, str]
"""created_us, container_id and name of the last row seen."""


def _oldest(table: Any, but_pools: Sequence[str], after: Cursor | None, limit: int) -> Select[Any]:
    c = table.c
    if table is s3_parts:
        owner, name = c.number, c.upload_id
        statement = select(c.created_us, owner.label("container_id"), name.label("name"), c.root, c.pool, cast(null(), Text).label("extra"))
    else:
        owner, name = c.container_id, c.name
        extra = case((c.kind == MULTIPART, c.extra), else_=None).label("extra")
        statement = select(c.created_us, owner, name, c.root, c.pool, extra).where(c.kind != MARKER)
    if but_pools:
        statement = statement.where(c.pool.not_in(but_pools))
    if after is not None:
        at, last_owner, last_name = after
        behind = or_(owner > last_owner, and_(owner == last_owner, name > last_name))
        statement = statement.where(c.created_us >= at, or_(c.created_us > at, behind))
    page = statement.order_by(c.created_us, owner, name).limit(limit).subquery()
    return select(page)


async def page(uow: UnitOfWork, *, but_pools: Sequence[str], after: Cursor | None, limit: int) -> Sequence[Row[Any]]:
    """created_us, container_id, name, root, pool, extra (of what was uploaded in parts) of all tables, oldest data first.

    What lies in other pools is left out by their names, so that a pool that has no name any more is met by every walk.

    A part has its number and upload there. One statement, so that a row that moves from one table to another, keeping its
    time, is met in one of them; what a completed upload becomes is younger than its parts.
    """
    both = union_all(*(_oldest(table, but_pools, after, limit) for table in (objects, versions, s3_parts))).subquery()
    return await uow.all(select(both).order_by(both.c.created_us, both.c.container_id, both.c.name).limit(limit))
