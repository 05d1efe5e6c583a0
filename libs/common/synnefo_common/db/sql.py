"""What differs between SQLite and PostgreSQL in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import JSON as _JSON
from sqlalchemy import Table, Update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Insert

JSON = _JSON


def insert_for(dialect: str, table: Table) -> Any:
    """`insert(table)` of the dialect, which knows `on_conflict_*`."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def upsert_ignore(dialect: str, table: Table, values: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> Insert:
    """INSERT … ON CONFLICT DO NOTHING; the row count says how many were new."""
    statement: Insert = insert_for(dialect, table).values(values).on_conflict_do_nothing()
    return statement


def contend(statement: Update, **values: Any) -> Update:
    """A compare-and-set: the statement's WHERE is the comparison; its row count says who won."""
    return statement.values(**values)
