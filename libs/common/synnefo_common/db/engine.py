"""Engines behind one asynchronous face: SQLite inline through a synchronous engine, PostgreSQL through asyncpg."""

from __future__ import annotations

import asyncio
import contextlib
import random
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import orjson
from sqlalchemy import Engine, Executable, MetaData, create_engine, event
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import QueuePool

from synnefo_common.clock import Clock, SystemClock
from synnefo_common.db.uow import UnitOfWork, transaction_open
from synnefo_common.ids import IdSource, RandomIds

T = TypeVar("T")
_RETRIED_SQLSTATES = {"40001", "40P01"}  # serialisation failure, deadlock


def _dumps(value: Any) -> str:
    return orjson.dumps(value).decode()


class Database:
    """One service's database.

    `url`: `sqlite:////path`, `sqlite://` (a private temporary file, for tests) or `postgresql://user@host:port/name`.
    """

    def __init__(self, url: str, *, clock: Clock | None = None, ids: IdSource | None = None, pool_size: int = 10) -> None:
        from synnefo_common.db.outbox import OutboxRow, Wakeup

        self.clock = clock or SystemClock()
        self.ids = ids or RandomIds()
        self.recorders: list[Callable[[Executable], None]] = []
        self.outbox_wakeup = Wakeup()
        self.handed: list[OutboxRow] = []  # committed here and not yet seen by the relay (SQLite)
        self._tmp: tempfile.TemporaryDirectory[str] | None = None
        durable = True
        if url == "sqlite://":
            shm = Path("/dev/shm")
            self._tmp = tempfile.TemporaryDirectory(prefix="synnefo-db-", dir=shm if shm.is_dir() else None)
            url, durable = f"sqlite:///{self._tmp.name}/db", False
        self.url = url
        self.dialect = "sqlite" if url.startswith("sqlite") else "postgresql"
        self._engine: Engine | None = None
        self._async_engine: AsyncEngine | None = None
        if self.dialect == "sqlite":
            Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
            self._engine = _sqlite_engine(url, durable=durable)
            self._writer = asyncio.Lock()
        else:
            self._async_engine = create_async_engine(
                "postgresql+asyncpg://" + url.split("://", 1)[1],
                pool_size=pool_size, max_overflow=pool_size, pool_timeout=30, pool_pre_ping=False,
                json_serializer=_dumps, json_deserializer=orjson.loads,
            )  # fmt: skip

    def count_statement(self, statement: Executable) -> None:
        """Tell the query recorders."""
        for recorder in self.recorders:
            recorder(statement)

    @contextlib.asynccontextmanager
    async def begin(self) -> AsyncIterator[UnitOfWork]:
        """A write transaction: commits at the end, rolls back on any exception."""
        if self._engine is not None:
            async with self._writer:
                with self._engine.connect() as connection:
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                    uow = UnitOfWork(self, connection, readonly=False)
                    mark = transaction_open.set(True)
                    try:
                        yield uow
                        await uow.flush_events()
                        connection.exec_driver_sql("COMMIT")
                    except BaseException:
                        connection.exec_driver_sql("ROLLBACK")
                        raise
                    finally:
                        _reset(mark)
        else:
            assert self._async_engine is not None
            async with self._async_engine.connect() as async_connection:
                transaction = await async_connection.begin()
                uow = UnitOfWork(self, async_connection, readonly=False)
                mark = transaction_open.set(True)
                try:
                    yield uow
                    await uow.flush_events()
                    await transaction.commit()
                except BaseException:
                    with contextlib.suppress(DBAPIError):
                        await transaction.rollback()
                    raise
                finally:
                    _reset(mark)
        uow.committed()

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[UnitOfWork]:
        """A read transaction: one snapshot per statement on PostgreSQL, one for all on SQLite."""
        if self._engine is not None:
            with self._engine.connect() as connection:
                connection.exec_driver_sql("BEGIN")
                try:
                    yield UnitOfWork(self, connection, readonly=True)
                finally:
                    connection.exec_driver_sql("ROLLBACK")
        else:
            assert self._async_engine is not None
            async with self._async_engine.connect() as async_connection:
                yield UnitOfWork(self, async_connection, readonly=True)

    async def run(self, work: Callable[[UnitOfWork], Awaitable[T]], *, attempts: int = 8) -> T:
        """Run `work` in a transaction; deadlocks, serialisation failures and a busy database are tried again."""
        for attempt in range(attempts):
            try:
                async with self.begin() as uow:
                    return await work(uow)
            except DBAPIError as error:
                if attempt == attempts - 1 or not is_transient(error):
                    raise
                await self.clock.sleep(random.uniform(0.001, 0.01) * 2**attempt)
        raise AssertionError("unreachable")

    async def create_all(self, metadata: MetaData) -> None:
        """Make the tables (tests; deployments use alembic)."""
        if self._engine is not None:
            with self._engine.begin() as connection:
                metadata.create_all(connection)
        else:
            assert self._async_engine is not None
            async with self._async_engine.begin() as async_connection:
                await async_connection.run_sync(metadata.create_all)

    async def ping(self) -> None:
        """Raise if the database does not answer."""
        from sqlalchemy import text

        async with self.read() as uow:
            await uow.scalar(text("SELECT 1"))

    async def listen(self, channel: str, callback: Callable[[], None]) -> Callable[[], Awaitable[None]]:
        """PostgreSQL LISTEN on a connection of its own; returns the coroutine function that ends it. SQLite: nothing to do."""
        if self.dialect != "postgresql":

            async def nothing() -> None:
                return None

            return nothing
        import asyncpg

        connection = await asyncpg.connect(self.url)
        try:
            await connection.add_listener(channel, lambda *_args: callback())
        except BaseException:
            connection.terminate()
            raise

        async def end() -> None:
            try:
                await connection.close(timeout=1)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                connection.terminate()

        return end

    async def close(self) -> None:
        """Close all connections."""
        if self._engine is not None:
            self._engine.dispose()
        if self._async_engine is not None:
            await self._async_engine.dispose()
        if self._tmp is not None:
            self._tmp.cleanup()


def is_transient(error: DBAPIError) -> bool:
    """True for errors that a repeat of the whole transaction may cure."""
    state = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None)
    if state in _RETRIED_SQLSTATES:
        return True
    return isinstance(error, OperationalError) and "locked" in str(error.orig)


def _reset(mark: Any) -> None:
    # An async generator closed by another task (client gone) lives in another context: nothing to reset there.
    with contextlib.suppress(ValueError):
        transaction_open.reset(mark)


def _sqlite_engine(url: str, *, durable: bool) -> Engine:
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=8, max_overflow=-1,  # never block the loop for a connection
        json_serializer=_dumps, json_deserializer=orjson.loads,
        isolation_level="AUTOCOMMIT",  # set once for a connection; as an option of the engine it would be at each checkout
        connect_args={"check_same_thread": False, "timeout": 30, "isolation_level": None},
    )  # fmt: skip

    @event.listens_for(engine, "connect")
    def _pragmas(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute(f"PRAGMA synchronous={'FULL' if durable else 'OFF'}")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA busy_timeout=30000")
        cursor.execute("PRAGMA cache_size=-8000")
        cursor.close()

    return engine
