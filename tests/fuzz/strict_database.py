"""What PostgreSQL refuses and SQLite takes: fuzzing on SQLite must find it too.

NUL characters and half surrogate pairs in texts, numbers beyond the column, texts longer than the column.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import BigInteger, Integer, SmallInteger, String
from sqlalchemy.dialects.sqlite import dialect as sqlite
from sqlalchemy.sql.dml import Insert, Update
from sqlalchemy.sql.elements import ClauseElement

from synnefo_common.db.uow import UnitOfWork

_DIALECT = sqlite()


class RefusedByPostgres(Exception):
    """The statement would fail on PostgreSQL."""


def hold_to_postgres(patch: pytest.MonkeyPatch) -> None:
    """From now on every unit of work refuses such values."""
    plain = UnitOfWork._execute

    async def strict(self: UnitOfWork, statement: Any, params: Any = None) -> Any:
        check(statement, params)
        return await plain(self, statement, params)

    patch.setattr(UnitOfWork, "_execute", strict)


def check(statement: Any, params: Any) -> None:
    """Raises RefusedByPostgres."""
    if not isinstance(statement, ClauseElement):
        return
    compiled: Any = statement.compile(dialect=_DIALECT, column_keys=list(_first(params)) or None)
    written = set(statement.table.c.keys()) if isinstance(statement, Insert | Update) else set()
    for given in params if isinstance(params, list | tuple) else [params or {}]:
        for name, bind in compiled.binds.items():
            value = given[name] if name in given else getattr(bind, "value", None)
            for one in value if isinstance(value, list | tuple | set) else [value]:
                _check_value(name, bind.type, one, is_written=name.rpartition("_m")[0] in written or name in written)


def _first(params: Any) -> Mapping[str, Any]:
    if isinstance(params, list | tuple):
        return params[0] if params else {}
    return params or {}


def _check_value(name: str, kind: Any, value: Any, *, is_written: bool) -> None:
    if isinstance(value, str):
        if "\x00" in value:
            raise RefusedByPostgres(f"NUL character for {name}")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise RefusedByPostgres(f"no valid Unicode for {name}") from None
        if is_written and isinstance(kind, String) and kind.length and len(value) > kind.length:
            raise RefusedByPostgres(f"{len(value)} characters for {name}, which holds {kind.length}")
    elif isinstance(value, int) and not isinstance(value, bool) and isinstance(kind, Integer):
        bits = 63 if isinstance(kind, BigInteger) else 15 if isinstance(kind, SmallInteger) else 31
        if not -(2**bits) <= value < 2**bits:
            raise RefusedByPostgres(f"{value} for {name}")
