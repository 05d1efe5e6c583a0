"""The saga engine: starts, wakes and shares sagas between processes. One saga's way is `driver`, the table `store`."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy.exc import DBAPIError

from synnefo_common.clock import MICROS
from synnefo_common.db import Database, UnitOfWork
from synnefo_common.db.outbox import Wakeup
from synnefo_common.errors import Conflict, Fault
from synnefo_common.holder import default_holder
from synnefo_common.log import get_logger
from synnefo_common.saga import metrics, recovery, store
from synnefo_common.saga.driver import Driver
from synnefo_common.saga.model import Saga, SagaState, Wait, error_of
from synnefo_common.saga.store import CANCEL, CHANNEL, Fenced, Record

log = get_logger(__name__)

_UNKNOWN_SAGA_PAUSE_S = 60.0  # a newer release's saga: another process will know it


class SagaEngine:
    """One per process and service. API processes use `start`, `signal`, `cancel`; a worker also runs `run`."""

    def __init__(
        self,
        db: Database,
        *,
        service: str,
        sagas: Iterable[Saga] = (),
        services: Any = None,
        owner: str | None = None,
        limit: int = 64,
        lease_s: float = 20.0,
        poll_s: float = 1.0,
        undo_give_up_s: float = 24 * 3600,
    ) -> None:
        self.db = db
        self.service = service
        self.services = services
        self.owner = owner or default_holder(db)
        self.limit = limit
        self.lease_s = lease_s
        self.poll_s = poll_s
        self.undo_give_up_s = undo_give_up_s
        self.sagas: dict[str, Saga] = {}
        self.wakeup = Wakeup()
        self._active: dict[asyncio.Task[None], Record] = {}
        self._crash: BaseException | None = None
        self._is_running = False
        self._next_due: int | None = None
        self._renew_at = 0.0
        self._context = contextvars.copy_context()
        for saga in sagas:
            self.register(saga)

    def register(self, saga: Saga) -> None:
        """Make a saga known. Raises ValueError for a second one of the name."""
        if saga.name in self.sagas:
            raise ValueError(f"saga {saga.name} is registered twice")
        self.sagas[saga.name] = saga

    async def start(
        self, uow: UnitOfWork, name: str, *, data: Mapping[str, Any] | None = None, saga_id: str | None = None
    ) -> str:
        """Begin a saga with this transaction; its id. It runs after the commit, here or in a worker. One statement."""
        saga = self.sagas[name]
        now = self.db.clock.now_us()
        first = saga.steps[0]
        record = Record(
            id=saga_id or self.db.ids.uuid(), name=name, state=SagaState.RUNNING, step=0,
            data=store.as_json(data or {}), out={}, error=None, context=store.saga_context(), attempts=0,
            deadline_at=now + int(first.deadline_s * MICROS), epoch=1,
        )  # fmt: skip
        if isinstance(first, Wait):
            record.state = SagaState.WAITING
            await store.insert_saga(uow, record, owner=None, next_at=record.deadline_at)
        elif self._is_running and len(self._active) < self.limit:
            await store.insert_saga(uow, record, owner=self.owner, next_at=now + int(self.lease_s * MICROS))
            uow.after_commit(lambda: self._spawn(record))
        else:
            await store.insert_saga(uow, record, owner=None, next_at=now)
            uow.after_commit(self.wakeup.set)
        return record.id

    async def signal(self, uow: UnitOfWork, saga_id: str, name: str, payload: Mapping[str, Any] | None = None) -> bool:
        """Give a saga what its wait of this name is for, now or ahead; the first one counts. One statement.

        False if there is no such saga or it has ended. A payload with a true `error` (text or document) aborts it.
        """
        return await self._signal(uow, saga_id, name, payload or {})

    async def cancel(self, uow: UnitOfWork, saga_id: str, fault: Fault | None = None) -> bool:
        """Ask a saga to unwind at its next step. False if it has ended, or is past recall by the time it would notice.

        A saga that is unwinding already goes on doing so.
        """
        reason = fault or Conflict("Canceled.", code="saga.canceled")
        return await self._signal(uow, saga_id, CANCEL, error_of(reason))

    async def _signal(self, uow: UnitOfWork, saga_id: str, name: str, payload: Mapping[str, Any]) -> bool:
        """Where sagas run, one that waits goes on here and at once; elsewhere it becomes due and the workers are told."""
        if not self._is_running or len(self._active) >= self.limit:
            uow.after_commit(self.wakeup.set)
            return await store.append_signal(uow, saga_id, name, payload)
        record = await store.signal_and_take(uow, saga_id, name, payload, owner=self.owner, lease_s=self.lease_s)
        if record is None:
            return False
        is_worked_on = any(r.id == record.id and r.epoch == record.epoch for r in self._active.values())
        if record.owner == self.owner and not is_worked_on:
            uow.after_commit(lambda: self._spawn(record))
        return True

    async def run(self) -> None:
        """Work until cancelled. What is under way then will be taken up again, after a restart or elsewhere."""
        unlisten = None
        self._is_running = True
        try:
            while True:
                pause = self.poll_s
                try:
                    if unlisten is None:
                        await recovery.take_back(self.db, owner=self.owner)
                        unlisten = await self.db.listen(CHANNEL, self.wakeup.set)
                    await self._claim()
                    await self._renew()
                    pause = self._pause()
                except (DBAPIError, OSError) as error:
                    log.warning("saga_engine_database_error", service=self.service, error=repr(error))
                    if unlisten is not None:
                        await unlisten()
                        unlisten = None
                await self.wakeup.wait(pause)
                if self._crash is not None:
                    raise self._crash
        finally:
            self._is_running = False
            await self._stop()
            if unlisten is not None:
                await unlisten()

    async def run_until_idle(self) -> None:
        """Take all sagas as far as they go now (tests). Those that wait or are to be retried later are left."""
        while True:
            await self._claim()
            if not self._active:
                break
            await asyncio.wait(set(self._active))
            await asyncio.sleep(0)  # the tasks' own endings
            if self._crash is not None:
                crash, self._crash = self._crash, None
                await self.kill()
                raise crash

    async def is_idle(self) -> bool:
        """True if nothing is under way here and nothing is due (tests)."""
        if self._active:
            return False
        async with self.db.read() as uow:
            return not await store.is_any_due(uow)

    async def kill(self) -> None:
        """Drop everything in memory without a word to the database, as a dying process does (tests)."""
        for task in list(self._active):
            task.cancel()
        await asyncio.gather(*self._active, return_exceptions=True)
        self._active.clear()

    async def _claim(self) -> None:
        free = self.limit - len(self._active)
        if free <= 0:
            return
        if self._next_due is not None and self._next_due <= self.db.clock.now_us():
            self._next_due = None
        async with self.db.begin() as uow:
            records = await store.claim_due(uow, owner=self.owner, lease_s=self.lease_s, limit=free)
        for record in records:
            self._spawn(record)

    async def _renew(self) -> None:
        now = self.db.clock.monotonic()
        if now < self._renew_at:
            return
        self._renew_at = now + self.lease_s / 4
        ids = [record.id for record in self._active.values()]
        if ids:
            async with self.db.begin() as uow:
                await store.renew(uow, ids, owner=self.owner, lease_s=self.lease_s)

    def _spawn(self, record: Record) -> None:
        # Not in the context of whoever woke us: a request's or message's variables are not this saga's.
        task = asyncio.create_task(self._drive(record), context=self._context.copy())
        self._active[task] = record
        metrics.active.labels(self.service).set(len(self._active))
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        was_full = len(self._active) >= self.limit
        self._active.pop(task, None)
        metrics.active.labels(self.service).set(len(self._active))
        if not task.cancelled() and task.exception() is not None:
            self._crash = task.exception()
        if was_full or self._crash is not None:
            self.wakeup.set()

    async def _drive(self, record: Record) -> None:
        saga = self.sagas.get(record.name)
        if saga is None:
            log.error("saga_unknown", saga=record.name, saga_id=record.id)
            later = self.db.clock.now_us() + int(_UNKNOWN_SAGA_PAUSE_S * MICROS)
            with contextlib.suppress(Fenced, DBAPIError):
                async with self.db.begin() as uow:
                    await store.log(uow, record, next_at=later, owner=None)
            return
        driver = Driver(
            self.db, saga, record, service=self.service, services=self.services, owner=self.owner, lease_s=self.lease_s,
            undo_give_up_s=self.undo_give_up_s,
        )  # fmt: skip
        try:
            await driver.run()
        except Fenced:
            log.info("saga_fenced", saga=record.name, saga_id=record.id)
        except Exception:  # the claim runs out and the saga is tried again
            log.warning("saga_dropped", saga=record.name, saga_id=record.id, exc_info=True)
        soon = self.db.clock.now_us() + int(self.poll_s * MICROS)  # what is due later, the poll finds in time
        if driver.next_due is not None and driver.next_due < min(soon, self._next_due or soon):
            self._next_due = driver.next_due
            self.wakeup.set()

    def _pause(self) -> float:
        if self._next_due is None:
            return self.poll_s
        return min(self.poll_s, max(0.005, (self._next_due - self.db.clock.now_us()) / MICROS))

    async def _stop(self) -> None:
        await self.kill()
        if self._crash is None:
            with contextlib.suppress(DBAPIError, OSError):
                await recovery.take_back(self.db, owner=self.owner)
