"""Listings of all versions of a container's objects: what is current and what is kept, as one list.

By name, the youngest first within a name. A page is one statement, with a delimiter two, wherever it lies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Integer, Row, String, and_, case, cast, exists, func, literal, not_, or_, select, true, union_all

from synnefo_common.db import UnitOfWork
from synnefo_object.db.listings import Bounds, within
from synnefo_object.db.objects import objects
from synnefo_object.db.versions import versions
from synnefo_object.domain.kinds import MARKER, SLO, SYMLINK
from synnefo_object.domain.paths import successor


@dataclass(frozen=True, slots=True)
class Place:
    """Where the page before ended: a name, and in it a version by its time, or with None the one without an id."""

    name: str
    created_us: int | None


def _behind(table: Any, place: Place | None, *, reverse: bool) -> list[Any]:
    if place is None:
        return []
    c = table.c
    is_null = c.versioned == 0 if table is objects else literal(0) == 1
    if place.created_us is None:
        rest = literal(0) == 1 if reverse else not_(is_null)
    else:
        at = place.created_us
        rest = or_(is_null, c.created_us > at) if reverse else and_(not_(is_null), c.created_us < at)
    if reverse:
        return [c.name <= place.name, or_(c.name < place.name, rest)]
    return [c.name >= place.name, or_(c.name > place.name, rest)]


def _is_latest(table: Any) -> Any:
    """What is current is; a marker is where nothing is current, the youngest if there are several."""
    if table is objects:
        return literal(1, Integer)
    v, other = versions.c, versions.alias()
    current = exists().where(objects.c.container_id == v.container_id, objects.c.name == v.name)
    younger = exists().where(
        other.c.container_id == v.container_id, other.c.name == v.name, other.c.kind == MARKER, other.c.created_us > v.created_us
    )
    return case((and_(v.kind == MARKER, not_(current), not_(younger)), 1), else_=0)


def _select(table: Any, container_id: int, bounds: Bounds, place: Place | None, *, limit: int, names: Sequence[str] | None) -> Any:
    c = table.c
    special = [case((c.kind.in_((SLO, SYMLINK)), column), else_=None).label(column.name) for column in (c.extra, c.headers)]
    is_null = (c.versioned == 0 if table is objects else literal(0) == 1).label("is_null")
    columns = (c.name, c.size, c.etag, c.content_type, c.created_us, c.kind, *special, c.versioned, is_null)
    order = (c.name.desc(), c.created_us) if bounds.reverse else (c.name, c.created_us.desc())
    page = (
        select(*columns, _is_latest(table).label("is_latest"))
        .where(c.container_id == container_id, *within(c.name, bounds), *_behind(table, place, reverse=bounds.reverse))
        .where(c.name.in_(list(names)) if names is not None else true())
        .order_by(*order)
        .limit(limit)
        .subquery()
    )
    return select(page)


async def page(
    uow: UnitOfWork, container_id: int, bounds: Bounds, place: Place | None, *, limit: int, names: Sequence[str] | None = None
) -> Sequence[Row[Any]]:
    """Rows in order, as those of `listings.page` with `is_null` and `is_latest` behind; with `names`, of these objects only."""
    both = union_all(*(_select(table, container_id, bounds, place, limit=limit, names=names) for table in (objects, versions))).subquery()
    c = both.c
    order = (c.name.desc(), c.is_null, c.created_us) if bounds.reverse else (c.name, c.is_null.desc(), c.created_us.desc())
    return await uow.all(select(both).order_by(*order).limit(limit))


async def names_rolled_up(
    uow: UnitOfWork, container_id: int, bounds: Bounds, place: Place | None, *, prefix: str, delimiter: str, limit: int
) -> list[str]:
    """Names in order, but of all that share `prefix…delimiter` the first only. As `listings.page_rolled_up`, over both tables."""
    reverse = bounds.reverse
    pair: dict[tuple[str, bool], Any] = {
        ("postgresql", False): func.least,
        ("postgresql", True): func.greatest,
        ("sqlite", False): func.min,
        ("sqlite", True): func.max,
    }
    nearest = pair[uow.dialect, reverse]
    walk: Any = None

    def seek(inner: Bounds, at: Place | None, behind: Any = None) -> Any:
        found = []
        of = () if walk is None else (walk,)
        for table in (objects, versions):
            name = table.c.name
            clauses = [table.c.container_id == container_id, *within(name, inner), *_behind(table, at, reverse=reverse)]
            if behind is not None:
                clauses.append(name < behind if reverse else name >= behind)
            found.append(select(name).where(*clauses).order_by(name.desc() if reverse else name).limit(1).correlate(*of).scalar_subquery())
        one, other = found
        return cast(nearest(func.coalesce(one, other), func.coalesce(other, one)), String)

    walk = select(seek(bounds, place).label("name"), literal(1, Integer).label("n")).cte("walk", recursive=True)
    length = len(prefix)
    position = func.strpos if uow.dialect == "postgresql" else func.instr
    at = position(func.substr(walk.c.name, length + 1), delimiter)
    rolled = func.substr(walk.c.name, 1, length + at - 1)
    if reverse:
        behind = case((at > 0, rolled.op("||")(delimiter)), else_=walk.c.name)
        ahead = Bounds(start=bounds.start, after=bounds.after)
    else:
        higher = successor(delimiter) or delimiter + chr(0x10FFFF)
        behind = case((at > 0, rolled.op("||")(higher)), else_=walk.c.name.op("||")("\x01"))
        ahead = Bounds(before=bounds.before)
    step = select(seek(ahead, None, behind), walk.c.n + 1).where(walk.c.name.is_not(None), walk.c.n < limit)
    walk = walk.union_all(step)
    rows = await uow.all(select(walk.c.name).where(walk.c.name.is_not(None)).order_by(walk.c.n))
    return [row.name for row in rows]
