"""When the next call of a kind is due: one row per limited account, container or listing. An aid that may be lost at any time."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, String, Table, bindparam, delete, text

from synnefo_common.db import UnitOfWork
from synnefo_object.db.base import metadata

rates = Table(
    "rates",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("due_us", BigInteger, nullable=False),
    Index("ix_rates_due_us", "due_us"),
)

# One statement, so that callers of all processes queue up in the row. Who would wait too long changes nothing and gets no row.
_TAKE = text(
    "INSERT INTO rates (key, due_us) VALUES (:key, :now + :step) "
    "ON CONFLICT (key) DO UPDATE SET due_us = "
    "CASE WHEN rates.due_us < :now - :buffer THEN :now + :step ELSE rates.due_us + :step END "
    "WHERE rates.due_us <= :now + :longest RETURNING due_us"
).bindparams(*(bindparam(name, type_=BigInteger) for name in ("now", "step", "buffer", "longest")))


async def take(uow: UnitOfWork, key: str, *, now_us: int, step_us: int, buffer_us: int, longest_us: int) -> int | None:
    """Take the next place in the queue of `key`: microseconds to wait for it, or None if that is longer than `longest_us`.

    `step_us` lies between two places. Who was idle may catch up on `buffer_us`.
    """
    params = {"key": key, "now": now_us, "step": step_us, "buffer": buffer_us, "longest": longest_us}
    due_us = await uow.scalar(_TAKE, params)
    return None if due_us is None else max(due_us - step_us - now_us, 0)


async def forget(uow: UnitOfWork, *, before_us: int) -> None:
    """Remove the rows whose next place was due before then."""
    await uow.run(delete(rates).where(rates.c.due_us < before_us))
