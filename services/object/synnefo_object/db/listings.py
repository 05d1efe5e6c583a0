"""Listings of objects and of containers.

A page costs a page, whatever lies between: what a delimiter rolls up is skipped over by index.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Integer, Row, Select, String, and_, case, cast, func, literal, select

from synnefo_common.db import UnitOfWork
from synnefo_object.db.containers import containers
from synnefo_object.db.counters import counters
from synnefo_object.db.objects import objects
from synnefo_object.domain.kinds import MULTIPART, SLO, SYMLINK
from synnefo_object.domain.paths import successor


@dataclass(frozen=True, slots=True)
class Bounds:
    """Names strictly above `after` or from `start` on, below `before`; then in `order`."""

    start: str = ""  # inclusive
    after: str = ""  # exclusive; empty: none
    before: str | None = None  # exclusive
    reverse: bool = False


def within(column: Any, bounds: Bounds) -> list[Any]:
    """The clauses of these bounds."""
    clauses = []
    if bounds.start:
        clauses.append(column >= bounds.start)
    if bounds.after:
        clauses.append(column > bounds.after)
    if bounds.before is not None:
        clauses.append(column < bounds.before)
    return clauses


def _columns(table: Any) -> tuple[Any, ...]:
    if table is objects:
        o = objects.c
        # What only links and manifests need is long: it stays where it is for all others.
        special = [case((o.kind.in_((SLO, SYMLINK)), column), else_=None).label(column.name) for column in (o.extra, o.headers)]
        return (o.name, o.size, o.etag, o.content_type, o.created_us, o.kind, *special, o.versioned)
    c = containers.c
    counts = counters.c
    return (
        c.name,
        c.modified_us,
        select(func.coalesce(func.sum(counts.objects), 0)).where(counts.owner == c.id).scalar_subquery().label("objects"),
        select(func.coalesce(func.sum(counts.bytes), 0)).where(counts.owner == c.id).scalar_subquery().label("bytes"),
    )


async def page(
    uow: UnitOfWork, table: Any, owner_id: int, bounds: Bounds, *, limit: int, columns: Sequence[Any] = (), where: Sequence[Any] = ()
) -> Sequence[Row[Any]]:
    """Rows in order; with `columns` those instead of the usual ones."""
    owner = table.c.account_id if table is containers else table.c.container_id
    column = table.c.name
    order = column.desc() if bounds.reverse else column
    chosen = columns or _columns(table)
    return await uow.all(select(*chosen).where(owner == owner_id, *within(column, bounds), *where).order_by(order).limit(limit))


async def page_rolled_up(
    uow: UnitOfWork,
    table: Any,
    owner_id: int,
    bounds: Bounds,
    *,
    prefix: str,
    delimiter: str,
    limit: int,
    columns: Sequence[Any] = (),
) -> Sequence[Row[Any]]:
    """Rows in order, but of all names that share `prefix…delimiter` the first only: the caller tells them apart.

    A recursive query that asks the index for the next name behind each one found.
    """
    owner = table.c.container_id if table is objects else table.c.account_id
    owned = table.c.name
    reverse = bounds.reverse

    def seek(inner: Bounds, *clauses: Any) -> Select[Any]:
        order = owned.desc() if reverse else owned
        return select(owned).where(owner == owner_id, *within(owned, inner), *clauses).order_by(order).limit(1)

    # The step's own comparison is the near end; with the page's beside it the index might be asked for the wrong one.
    ahead = Bounds(start=bounds.start, after=bounds.after) if reverse else Bounds(before=bounds.before)
    first = seek(bounds).subquery()
    walk = select(cast(first.c.name, String).label("name"), literal(1, Integer).label("n")).cte("walk", recursive=True)
    length = len(prefix)
    position = func.strpos if uow.dialect == "postgresql" else func.instr
    at = position(func.substr(walk.c.name, length + 1), delimiter)
    rolled = func.substr(walk.c.name, 1, length + at - 1)
    # One expression to compare with, so that the index answers. Backwards: below the rolled-up name. Forwards: behind
    # all that starts with it (its last character one higher), or behind the name itself (no name has a NUL).
    if reverse:
        following = seek(ahead, owned < case((at > 0, rolled.op("||")(delimiter)), else_=walk.c.name))
    else:
        higher = successor(delimiter) or delimiter + chr(0x10FFFF)
        following = seek(ahead, owned >= case((at > 0, rolled.op("||")(higher)), else_=walk.c.name.op("||")("\x01")))
    step = select(cast(following.correlate(walk).scalar_subquery(), String), walk.c.n + 1).where(walk.c.name.is_not(None), walk.c.n < limit)
    walk = walk.union_all(step)
    # An outer join, so that the walk drives it and not a scan of the table. A row that went meanwhile has no name.
    joined = walk.outerjoin(table, and_(owner == owner_id, owned == walk.c.name))
    rows = await uow.all(select(*(columns or _columns(table))).select_from(joined).where(walk.c.name.is_not(None)).order_by(walk.c.n))
    return [row for row in rows if row.name is not None]


async def segments(uow: UnitOfWork, container_id: int, bounds: Bounds, *, limit: int) -> Sequence[Row[Any]]:
    """What a large object needs of its parts, in order."""
    o = objects.c
    extra = case((o.kind == MULTIPART, o.extra), else_=None).label("extra")
    columns = (o.name, o.root, o.pool, o.size, o.etag, o.modified_us, o.delete_at, o.kind, extra)
    return await uow.all(select(*columns).where(o.container_id == container_id, *within(o.name, bounds)).order_by(o.name).limit(limit))
