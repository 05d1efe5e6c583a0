"""A thread that keeps copies of OVSDB databases and runs work on them. The library blocks, so nothing of it is touched elsewhere."""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import ovs.jsonrpc
import ovs.poller
import ovs.stream
from ovs.db import idl as ovs_idl

from synnefo_common.errors import Unavailable
from synnefo_common.log import get_logger

log = get_logger(__name__)
T = TypeVar("T")
_RETRY_S = 1.0
_PROBE_MS = 5000


def unavailable(message: str) -> Unavailable:
    return Unavailable(message, code="network.dataplane.unavailable")


class Replica(ovs_idl.Idl):  # type: ignore[misc]
    """The copy of one database. `on_row(event, row, before)` is called for each row that comes, changes or goes."""

    def __init__(self, remote: str, helper: Any, on_row: Callable[[str, Any, Any], None]) -> None:
        self._on_row = on_row
        super().__init__(remote, helper, probe_interval=_PROBE_MS)

    def notify(self, event: str, row: Any, updates: Any = None) -> None:
        self._on_row(event, row, updates)

    @property
    def is_current(self) -> bool:
        """Connected, with all rows read."""
        return bool(self._session.is_connected()) and self.has_ever_connected() and self.state == self.IDL_S_MONITORING


class Source:
    """Which database, where, and which of its columns. The server's schema decides what of them there is."""

    def __init__(self, remote: str, database: str, tables: Mapping[str, Sequence[str]], *, lock: str | None = None) -> None:
        self.remote = remote
        self.database = database
        self.tables = tables
        self.lock = lock

    def connect(self, on_row: Callable[[str, Any, Any], None]) -> Replica | None:
        """None if no server answers."""
        schema = next((s for s in map(self._schema, self.remote.split(",")) if s is not None), None)
        if schema is None:
            return None
        helper = ovs_idl.SchemaHelper(schema_json=schema)
        for table, columns in self.tables.items():
            if table in schema["tables"]:
                helper.register_columns(table, [c for c in columns if c in schema["tables"][table]["columns"]])
        replica = Replica(self.remote, helper, on_row)
        if self.lock is not None:
            replica.set_lock(self.lock)
        return replica

    def _schema(self, remote: str) -> Any:
        error, stream = ovs.stream.Stream.open_block(ovs.stream.Stream.open(remote), timeout=2000)
        if error:
            return None
        rpc = ovs.jsonrpc.Connection(stream)
        try:
            error, reply = rpc.transact_block(ovs.jsonrpc.Message.create_request("get_schema", [self.database]))
            return None if error or reply.error else reply.result
        finally:
            rpc.close()


class Connection(threading.Thread):
    """The thread. `work` functions get the replicas by database; they run between two rounds, so what they see is consistent."""

    def __init__(self, sources: Sequence[Source], *, on_row: Callable[[str, str, Any, Any], None], after_round: Callable[[Connection], None]) -> None:
        super().__init__(name="ovsdb", daemon=True)
        self.replicas: dict[str, Replica] = {}
        self._sources = list(sources)
        self._on_row = on_row
        self._after_round = after_round
        self._queue: queue.SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any], asyncio.AbstractEventLoop]] = queue.SimpleQueue()
        self._readable, self._writable = os.pipe()
        os.set_blocking(self._readable, False)
        self._stopping = False

    async def work(self, what: Callable[[], T]) -> T:
        """Run in the thread; its result. Raises what it raises."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        if self._stopping:
            raise unavailable("The connection to OVN is closed.")
        self._queue.put((what, future, loop))
        os.write(self._writable, b"x")
        return await future

    async def stop(self) -> None:
        """End the thread: the server gives the lock to the next."""
        self._stopping = True
        os.write(self._writable, b"x")
        await asyncio.to_thread(self.join, 10)

    def run(self) -> None:
        try:
            while not self._stopping:
                self._round()
        finally:
            for replica in self.replicas.values():
                replica.close()
            while not self._queue.empty():
                _, future, loop = self._queue.get()
                loop.call_soon_threadsafe(_settle, future, None, unavailable("The connection to OVN is closed."))
            os.close(self._readable)
            os.close(self._writable)

    def _round(self) -> None:
        for source in self._sources:
            if source.database not in self.replicas:
                found = source.connect(lambda event, row, before, d=source.database: self._on_row(d, event, row, before))  # type: ignore[misc]
                if found is not None:
                    self.replicas[source.database] = found
        for replica in self.replicas.values():
            replica.run()
        self._after_round(self)
        while not self._queue.empty():
            what, future, loop = self._queue.get()
            try:
                result, error = what(), None
            except Exception as caught:  # noqa: BLE001 - it is handed to who asked
                result, error = None, caught
            loop.call_soon_threadsafe(_settle, future, result, error)
        poller = ovs.poller.Poller()
        for replica in self.replicas.values():
            replica.wait(poller)
        poller.fd_wait(self._readable, ovs.poller.POLLIN)
        poller.timer_wait(int(_RETRY_S * 1000))
        poller.block()
        self._drain()

    def _drain(self) -> None:
        try:
            while os.read(self._readable, 4096):
                pass
        except BlockingIOError:
            return


def _settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.cancelled():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)


def commit(transaction: Any) -> None:
    """Commit. Raises Unavailable if it is not certain that all was done; the caller looks again at what is there."""
    status = transaction.commit_block()
    if status not in (ovs_idl.Transaction.SUCCESS, ovs_idl.Transaction.UNCHANGED):
        raise unavailable(f"OVN's database has not taken the changes: {status} {transaction.get_error() or ''}".strip())
