"""Keyset paging in SQL: the rows after a marker row in any mixture of directions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, false, or_


def order(statement: Select[Any], sort: Sequence[tuple[ColumnElement[Any], str]]) -> Select[Any]:
    """ORDER BY the columns in their directions."""
    return statement.order_by(*(c.asc() if direction == "asc" else c.desc() for c, direction in sort))


def after(sort: Sequence[tuple[ColumnElement[Any], str]], values: Sequence[Any]) -> ColumnElement[bool]:
    """WHERE for the rows after the one with `values`. The last column must be unique; NULLs count as smallest nowhere: avoid them."""
    alternatives: list[ColumnElement[bool]] = []
    for i, (column, direction) in enumerate(sort):
        equal = [sort[j][0] == values[j] for j in range(i)]
        alternatives.append(and_(*equal, column > values[i] if direction == "asc" else column < values[i]))
    return or_(false(), *alternatives)
