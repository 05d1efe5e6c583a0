"""List queries.

A `ListQuery` over any resource's table, in one statement (two with a marker), and CAS updates of its rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Integer, Row, Table, and_, cast, func, insert, not_, or_, select, update

from synnefo_common.clock import MICROS
from synnefo_common.db import UnitOfWork
from synnefo_common.db.paging import after, order
from synnefo_network.domain.errors import StaleRow
from synnefo_network.domain.listing import Kind, ListQuery, Resource

SEPARATOR = "\x1f"


def pack_tags(tags: Sequence[str]) -> str:
    """Tags as the column keeps them, sorted and once each."""
    return SEPARATOR + SEPARATOR.join(sorted(set(tags))) + SEPARATOR if tags else ""


def unpack_tags(text: str) -> list[str]:
    return text.strip(SEPARATOR).split(SEPARATOR) if text else []


async def list_rows(
    uow: UnitOfWork,
    resource: Resource,
    table: Table,
    *,
    query: ListQuery,
    where: Sequence[ColumnElement[bool]],
    columns: Sequence[Any] | None = None,
) -> Sequence[Row[Any]] | None:
    """The page, in the order asked for; None if the marker is not among the rows that `where` shows. `columns`: instead of the table's."""
    conditions = [*where, *(_attribute(resource, table, name, values) for name, values in query.filters.items())]
    conditions += [_tags(table, mode, tags) for mode, tags in query.tags]
    if query.changed_since is not None:
        conditions.append(table.c.updated_at >= query.changed_since)
    statement = select(*(columns or [table])).where(*conditions)
    if query.limit is None and query.marker is None and not query.sort:
        return await uow.all(statement.order_by(table.c.created_at, table.c.id))
    keys = [*query.sort, ("id", "asc")] if query.sort else [("created_at", "asc"), ("id", "asc")]
    if query.reverse:
        keys = [(k, "desc" if d == "asc" else "asc") for k, d in keys]
    # The order of a list that names none is by time, also where the resource does not show its times.
    sort = [(_sortable(table.c[resource.attributes[k][0] if k in resource.attributes else k]), d) for k, d in keys]
    if query.marker is not None:
        marker = await uow.one(select(*(c.label(f"k{i}") for i, (c, _) in enumerate(sort))).where(table.c.id == query.marker, *where))
        if marker is None:
            return None
        statement = statement.where(after(sort, tuple(marker)))
    statement = order(statement, sort)
    if query.limit is not None:
        statement = statement.limit(query.limit)
    rows = await uow.all(statement)
    return rows[::-1] if query.reverse else rows


def _sortable(column: Any) -> ColumnElement[Any]:
    if isinstance(column.type, Boolean):
        return cast(column, Integer)  # booleans have no order in SQL expressions
    if not column.nullable:
        return column  # type: ignore[no-any-return]
    return func.coalesce(column, "" if column.type.python_type is str else -1)


def _attribute(resource: Resource, table: Table, name: str, values: tuple[Any, ...]) -> ColumnElement[bool]:
    column_name, kind = resource.attributes[name]
    column = table.c[column_name]
    if kind is Kind.TIME:
        return or_(*(and_(column >= v, column < v + MICROS) for v in values))
    given = [v for v in values if v is not None]
    found = column.in_(given)
    return or_(found, column.is_(None)) if len(given) < len(values) else found


def _tags(table: Table, mode: str, tags: tuple[str, ...]) -> ColumnElement[bool]:
    has = [func.replace(table.c.tags, f"{SEPARATOR}{t}{SEPARATOR}", "") != table.c.tags for t in tags]
    wanted = and_(*has) if mode in ("tags", "not-tags") else or_(*has)
    return not_(wanted) if mode.startswith("not-") else wanted


async def insert_row(uow: UnitOfWork, table: Table, *rows: dict[str, Any]) -> None:
    """Insert rows."""
    await uow.run(insert(table).values(list(rows)))


async def update_row(uow: UnitOfWork, table: Table, row: Row[Any], values: dict[str, Any]) -> Row[Any]:
    """Compare-and-set on the revision that was read; the new row. Raises StaleRow."""
    now = uow.db.clock.now_us()
    changed = await uow.one(
        update(table)
        .where(table.c.id == row.id, table.c.revision == row.revision)
        .values(**values, revision=row.revision + 1, updated_at=now)
        .returning(table)
    )
    if changed is None:
        raise StaleRow
    return changed
