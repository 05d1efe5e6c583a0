"""The unit of work: one transaction, its outbox rows, and what to wake afterwards. Nobody else commits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Executable, Row
from sqlalchemy.ext.asyncio import AsyncConnection

if TYPE_CHECKING:
    from synnefo_common.contracts.envelope import Event
    from synnefo_common.db.engine import Database

# True while this task has a write transaction open: `http` refuses to call out then.
transaction_open: ContextVar[bool] = ContextVar("transaction_open", default=False)


class UnitOfWork:
    """One transaction. Made by `Database.begin` and `Database.read` only."""

    def __init__(self, db: Database, connection: Connection | AsyncConnection, *, readonly: bool) -> None:
        self.db = db
        self.readonly = readonly
        self._connection = connection
        self._events: list[Event] = []
        self._after_commit: list[Callable[[], Any]] = []

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.db.dialect

    async def _execute(self, statement: Executable, params: Any = None) -> Any:
        self.db.count_statement(statement)
        if isinstance(self._connection, AsyncConnection):
            return await self._connection.execute(statement, params)
        return self._connection.execute(statement, params)

    async def all(self, statement: Executable, params: Any = None) -> Sequence[Row[Any]]:
        """All rows, already fetched."""
        rows: Sequence[Row[Any]] = (await self._execute(statement, params)).all()
        return rows

    async def one(self, statement: Executable, params: Any = None) -> Row[Any] | None:
        """The first row or None."""
        row: Row[Any] | None = (await self._execute(statement, params)).first()
        return row

    async def scalar(self, statement: Executable, params: Any = None) -> Any:
        """First column of the first row or None."""
        return (await self._execute(statement, params)).scalar()

    async def run(self, statement: Executable, params: Any = None) -> int:
        """Execute; the number of rows touched."""
        if self.readonly:
            raise RuntimeError("a read-only unit of work cannot write")
        result = await self._execute(statement, params)
        return int(result.rowcount)

    def emit(self, event: Event) -> None:
        """Append an event to the outbox of this transaction."""
        self._events.append(event)

    def after_commit(self, callback: Callable[[], Any]) -> None:
        """Call after a commit: for wake-ups, never for work that must not be lost."""
        self._after_commit.append(callback)

    async def flush_events(self) -> None:
        """Write the outbox rows (called once, just before commit)."""
        if not self._events:
            return
        from synnefo_common.db import outbox

        events, self._events = self._events, []
        await outbox.write(self, events)
        self.after_commit(self.db.outbox_wakeup.set)

    def committed(self) -> None:
        """Run the wake-ups (called by `Database` only)."""
        for callback in self._after_commit:
            callback()
