"""The metadata of this service's database: the common tables, and one module per resource beside this one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Table
from sqlalchemy.exc import IntegrityError

from synnefo_common.db import UnitOfWork, service_metadata
from synnefo_identity.domain.errors import Duplicate
from synnefo_identity.domain.filters import Query

metadata = service_metadata()
ROOT = ""  # domain and parent of a domain; domain of a role for all domains


@contextlib.contextmanager
def unique(kind: str, detail: str) -> Iterator[None]:
    """Raises Duplicate for a broken unique constraint; the transaction is lost."""
    try:
        yield
    except IntegrityError as error:
        raise Duplicate(kind, detail) from error


async def get(uow: UnitOfWork, table: Table, row_id: str) -> Row[Any] | None:
    """The row with the id."""
    return await uow.one(table.select().where(table.c.id == row_id))


async def update(uow: UnitOfWork, table: Table, row_id: str, values: Mapping[str, Any]) -> int:
    """Set columns of the row with the id."""
    if not values:
        return 1
    return await uow.run(table.update().where(table.c.id == row_id).values(**values))


async def delete(uow: UnitOfWork, table: Table, where: ColumnElement[bool]) -> int:
    """Delete rows."""
    return await uow.run(table.delete().where(where))


def matching(column: ColumnElement[Any], operator: str, value: str) -> ColumnElement[bool]:
    """A list filter on text: `""`, contains, startswith, endswith, and the same with a leading `i`."""
    match operator.removeprefix("i"):
        case "contains":
            return column.icontains(value, autoescape=True)
        case "startswith":
            return column.istartswith(value, autoescape=True)
        case "endswith":
            return column.iendswith(value, autoescape=True)
        case _:
            return column == value


def paged(statement: Select[Any], key: ColumnElement[Any], *, marker: str | None, limit: int | None) -> Select[Any]:
    """In order of the key, after the marker, one row more than the limit to know whether there is a next page."""
    statement = statement.order_by(key)
    if marker is not None:
        statement = statement.where(key > marker)
    return statement if limit is None else statement.limit(limit + 1)


def select_rows(table: Table, query: Query) -> Select[Any]:
    """A list of whole rows. Field `name` compares in lower case where the table has `name_key`."""
    statement = table.select()
    for name, wanted in query.equals.items():
        statement = statement.where(table.c[name] == wanted)
    for text in query.texts:
        keyed = text.field == "name" and "name_key" in table.c
        column = table.c["name_key"] if keyed else table.c[text.field]
        statement = statement.where(matching(column, text.operator, text.value.lower() if keyed else text.value))
    return paged(statement, table.c.id, marker=query.marker, limit=query.limit)
