"""Queries over objects and versions together: what a container or an account was at a time, and taking history away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, delete, func, select, union_all

from synnefo_common.db import UnitOfWork
from synnefo_object.db.containers import containers
from synnefo_object.db.objects import OWN, objects
from synnefo_object.db.versions import versions
from synnefo_object.domain.kinds import MARKER


def at_time(until_us: int, *, container_id: int | None = None, columns: Sequence[str] = ("container_id", "name", *OWN)) -> Any:
    """A subquery of what was current at that time, in one container or all."""
    o, v = objects.c, versions.c
    now = select(*(o[name] for name in columns)).where(o.created_us <= until_us)
    then = select(*(v[name] for name in columns)).where(v.created_us <= until_us, v.replaced_us > until_us, v.kind != MARKER)
    if container_id is not None:
        now, then = now.where(o.container_id == container_id), then.where(v.container_id == container_id)
    return union_all(now, then).subquery("then")


async def totals(uow: UnitOfWork, container_id: int, until_us: int) -> Row[Any]:
    """objects, bytes, changed_us of a container at that time."""
    then = at_time(until_us, container_id=container_id, columns=("size", "created_us"))
    row = await uow.one(
        select(
            func.count().label("objects"),
            func.coalesce(func.sum(then.c.size), 0).label("bytes"),
            func.max(then.c.created_us).label("changed_us"),
        )
    )
    assert row is not None
    return row


async def containers_at(uow: UnitOfWork, account_id: int, until_us: int, *, after: str, limit: int) -> Sequence[Row[Any]]:
    """name, headers, modified_us, objects, bytes, changed_us of the containers that were there."""
    then = at_time(until_us, columns=("container_id", "size", "created_us"))
    c = containers.c
    return await uow.all(
        select(
            c.name,
            c.headers,
            c.modified_us,
            func.count(then.c.size).label("objects"),
            func.coalesce(func.sum(then.c.size), 0).label("bytes"),
            func.max(then.c.created_us).label("changed_us"),
        )
        .select_from(containers.outerjoin(then, then.c.container_id == c.id))
        .where(c.account_id == account_id, c.created_us <= until_us, c.name > after)
        .group_by(c.name, c.headers, c.modified_us)
        .order_by(c.name)
        .limit(limit)
    )


async def purge(uow: UnitOfWork, container_id: int, *, until_us: int, name: str) -> int:
    """The bytes that went."""
    v = versions.c
    gone = delete(versions).where(v.container_id == container_id, v.name == name, v.created_us <= until_us).returning(v.size)
    return sum(int(row.size) for row in await uow.all(gone))


async def names_to_purge(uow: UnitOfWork, container_id: int, *, until_us: int, limit: int) -> list[str]:
    v = versions.c
    rows = await uow.all(select(v.name).distinct().where(v.container_id == container_id, v.created_us <= until_us).limit(limit))
    return [row.name for row in rows]
