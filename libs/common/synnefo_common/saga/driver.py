"""Takes one claimed saga as far as it goes: step after step, forward or back, each logged before the next begins.

Not for choosing which saga: that is `engine`. A record is replaced only after its commit, so memory never runs ahead of
the row but for a signal just received, which the row has too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from structlog.contextvars import bound_contextvars

from synnefo_common import context
from synnefo_common.clock import MICROS
from synnefo_common.crashpoint import crashpoint
from synnefo_common.db import Database, UnitOfWork
from synnefo_common.errors import Fault
from synnefo_common.log import get_logger
from synnefo_common.saga import metrics, store
from synnefo_common.saga.model import (
    Abort,
    Local,
    Remote,
    Retry,
    Saga,
    SagaContext,
    SagaState,
    Step,
    Wait,
    WaitLonger,
    error_of,
    is_final,
    timeout_error,
)
from synnefo_common.saga.store import CANCEL, Fenced, Record

log = get_logger(__name__)

_FORWARD_BACKOFF_S = (0.2, 10.0)  # first and longest pause between tries
_UNDO_BACKOFF_S = (0.2, 60.0)
_LEAST_ATTEMPT_S = 5.0


class Driver:
    """One saga, one claim. After `run`, `next_due` is when it wants to be claimed again (None: never)."""

    def __init__(
        self,
        db: Database,
        saga: Saga,
        record: Record,
        *,
        service: str,
        services: Any,
        owner: str,
        lease_s: float,
        undo_give_up_s: float,
    ) -> None:
        self.db = db
        self.saga = saga
        self.record = record
        self.services = services
        self.owner = owner
        self.lease_s = lease_s
        self.undo_give_up_s = undo_give_up_s
        self.next_due: int | None = None
        self._prefix = f"{service}.{saga.name}"

    async def run(self) -> None:
        """Work until the saga parks or ends. Raises Fenced, or a database error (the claim then runs out by itself)."""
        carried = self.record.context
        request = context.request_id.set(carried.get("request_id"))
        try:
            with (
                context.bound(
                    correlation=carried.get("correlation_id"),
                    causation=self.record.id,
                    trace=carried.get("traceparent"),
                ),
                bound_contextvars(saga_id=self.record.id, saga=self.saga.name),
            ):
                while await self._turn():
                    pass
        finally:
            context.request_id.reset(request)

    async def _turn(self) -> bool:
        """One step. False when parked or ended."""
        if self.record.state is SagaState.UNWINDING:
            return await self._undo()
        if CANCEL in self.record.signals:
            return await self._unwind(self.record.signals[CANCEL])
        step = self._step
        try:
            if isinstance(step, Wait):
                return await self._wait(step)
            return await self._act(step)
        except Fenced:
            raise
        except Exception as error:  # noqa: BLE001 - an action may raise anything; it is tried again or unwound
            return await self._failed(step, error)

    # forward

    async def _act(self, step: Remote | Local) -> bool:
        crashpoint(f"{self._prefix}.{step.name}.before")
        if isinstance(step, Remote):
            left_s = (self.record.deadline_at - self._now()) / MICROS
            async with asyncio.timeout(max(left_s, _LEAST_ATTEMPT_S)):
                out = await step.action(self._context())
            crashpoint(f"{self._prefix}.{step.name}.after_effect")
            if step.logs_later:
                self._advance_unlogged(step, out)
                return True
            return await self._commit(lambda uow: self._log_forward(uow, step, out))

        async def work(uow: UnitOfWork) -> Record:
            answer = await step.action(uow, self._context())
            crashpoint(f"{self._prefix}.{step.name}.after_effect")
            return await self._log_forward(uow, step, answer)

        return await self._commit(work)

    async def _wait(self, step: Wait) -> bool:
        crashpoint(f"{self._prefix}.{step.name}.before")
        payload = self.record.signals.get(step.name)
        if payload is None:
            if self._now() < self.record.deadline_at:
                return await self._commit(lambda uow: self._park(uow, replace(self.record), step))
            return await self._commit(lambda uow: self._timed_out(uow, step))
        if payload.get("error"):
            return await self._unwind(_signalled_error(payload["error"]))
        crashpoint(f"{self._prefix}.{step.name}.after_effect")
        following = self._after(step)
        if isinstance(following, Local):  # its transaction logs the wait too; the row has the signal until then
            self._advance_unlogged(step, payload)
            return True
        return await self._commit(lambda uow: self._log_forward(uow, step, payload))

    def _advance_unlogged(self, step: Step, out: Mapping[str, Any] | None) -> None:
        """Go on in memory: the next step's transaction logs this one too. The row has the step before until then."""
        points = (*self.record.after_log, f"{self._prefix}.{step.name}.after_log")
        self.record = self._advanced(step, out)
        self.record.after_log = points

    async def _timed_out(self, uow: UnitOfWork, step: Wait) -> Record:
        answer = await step.on_timeout(uow, self._context()) if step.on_timeout is not None else None
        if isinstance(answer, WaitLonger):
            later = self._now() + int(answer.timeout_s * MICROS)
            return await self._park(uow, replace(self.record, deadline_at=later), step)
        if answer is None:
            raise timeout_error(self.saga, step)
        return await self._log_forward(uow, step, answer)

    async def _log_forward(self, uow: UnitOfWork, step: Step, out: Mapping[str, Any] | None) -> Record:
        record = self._advanced(step, out)
        record.after_log = (*self.record.after_log, f"{self._prefix}.{step.name}.after_log")
        following = self._after(step)
        if following is None:
            record.state = SagaState.FINISHED
            if self.saga.finished is not None:
                await self.saga.finished(uow, self._context(record, step=step))
            await store.log(uow, record, next_at=None, owner=None)
            if CANCEL in record.signals:
                raise Abort(_fault_of(record.signals[CANCEL]))
            return record
        if isinstance(following, Wait):
            crashpoint(f"{self._prefix}.{following.name}.before")
            return await self._park(uow, record, following)
        await store.log(uow, record, next_at=self._lease_end(), owner=self.owner)
        return record

    async def _park(self, uow: UnitOfWork, record: Record, step: Wait) -> Record:
        """Leave the saga to its signal, unless that has come already."""
        record.state = SagaState.WAITING
        await store.log(uow, record, next_at=record.deadline_at, owner=None)
        if step.name in record.signals or CANCEL in record.signals:
            await store.retake(uow, record, owner=self.owner, next_at=self._lease_end())
        return record

    async def _failed(self, step: Step, error: Exception) -> bool:
        now = self._now()
        tried = self.record.attempts + 1
        if is_final(error) or now >= self.record.deadline_at:
            log.warning(
                "saga_step_gave_up", step=step.name, attempts=tried, error=repr(error), exc_info=_surprise(error)
            )
            return await self._unwind(error_of(error))
        log.warning("saga_step_failed", step=step.name, attempts=tried, error=repr(error), exc_info=_surprise(error))
        metrics.step_failures.labels(self.saga.name, step.name).inc()
        again = min(now + _delay_us(error, tried, _FORWARD_BACKOFF_S), self.record.deadline_at)
        return await self._rest(replace(self.record, attempts=tried), again)

    # back

    async def _unwind(self, error: dict[str, Any]) -> bool:
        """Decide to give up, durably, before the first undo."""
        # A Local that failed was rolled back; a Remote may have had its effect, a Wait may have had someone's answer.
        first = self.record.step - 1 if isinstance(self._step, Local) else self.record.step
        record = replace(
            self.record, state=SagaState.UNWINDING, step=self._undoable(first), error=error, attempts=0,
            deadline_at=self._now() + int(self.undo_give_up_s * MICROS),
        )  # fmt: skip
        return await self._commit(lambda uow: self._log_back(uow, replace(record)))

    async def _undo(self) -> bool:
        step = self._step
        name = f"{self._prefix}.{step.name}.undo"
        record = replace(self.record, step=self._undoable(self.record.step - 1), attempts=0)
        record.after_log = (f"{name}.after_log",)
        crashpoint(f"{name}.before")
        try:
            if isinstance(step, Remote):
                await self._undo_remote(step)
                crashpoint(f"{name}.after_effect")
                return await self._commit(lambda uow: self._log_back(uow, replace(record)))

            async def work(uow: UnitOfWork) -> Record:
                assert step.undo is not None
                assert not isinstance(step, Remote)
                await step.undo(uow, self._context())
                crashpoint(f"{name}.after_effect")
                return await self._log_back(uow, replace(record))

            return await self._commit(work)
        except Fenced:
            raise
        except Exception as error:  # noqa: BLE001 - an undo is tried again whatever it raises
            return await self._undo_failed(step, error)

    async def _undo_remote(self, step: Remote) -> None:
        assert step.undo is not None
        try:
            async with asyncio.timeout(120):
                await step.undo(self._context())
        except Fault as fault:
            if fault.http_status != 404:  # what is gone needs no undoing
                raise

    async def _undo_failed(self, step: Step, error: Exception) -> bool:
        now, tried = self._now(), self.record.attempts + 1
        metrics.undo_failures.labels(self.saga.name, step.name).inc()
        if now >= self.record.deadline_at:
            log.error("saga_undo_failed_for_good", step=step.name, attempts=tried, error=repr(error), exc_info=True)
            return await self._rest(replace(self.record, attempts=tried, state=SagaState.UNDO_FAILED), None)
        log.warning("saga_undo_failed", step=step.name, attempts=tried, error=repr(error), exc_info=_surprise(error))
        again = now + _delay_us(error, tried, _UNDO_BACKOFF_S)
        return await self._rest(replace(self.record, attempts=tried), again)

    async def _log_back(self, uow: UnitOfWork, record: Record) -> Record:
        if record.step >= 0:
            await store.log(uow, record, next_at=self._lease_end(), owner=self.owner)
            return record
        record.state = SagaState.FAILED
        if self.saga.failed is not None:
            await self.saga.failed(uow, self._context(record, step=self.saga.steps[0]), record.error or {})
        await store.log(uow, record, next_at=None, owner=None)
        return record

    # both

    async def _commit(self, work: Callable[[UnitOfWork], Awaitable[Record]]) -> bool:
        """Run `work` in a transaction; what it returns is the saga now. True if there is more to do."""
        self.record = await self.db.run(work)
        for name in self.record.after_log:
            crashpoint(name)
        self.record.after_log = ()
        if self.record.state is SagaState.WAITING:
            self.next_due = self.record.deadline_at
        elif self.record.state in (SagaState.FINISHED, SagaState.FAILED):
            metrics.ended.labels(self.saga.name, self.record.state.value).inc()
            log.info("saga_ended", state=self.record.state.value, error=self.record.error)
        return self.record.state in (SagaState.RUNNING, SagaState.UNWINDING)

    async def _rest(self, record: Record, until: int | None) -> bool:
        """Write the record and let go of the saga until then."""
        async with self.db.begin() as uow:
            await store.log(uow, record, next_at=until, owner=None)
        self.next_due = until
        return False

    def _advanced(self, step: Step, out: Mapping[str, Any] | None) -> Record:
        following = self._after(step)
        deadline = self._now() + int(following.deadline_s * MICROS) if following else self.record.deadline_at
        return replace(
            self.record,
            step=self.record.step + 1,
            out={**self.record.out, step.name: store.as_json(out or {})},
            attempts=0,
            deadline_at=deadline,
        )

    @property
    def _step(self) -> Step:
        return self.saga.steps[self.record.step]

    def _after(self, step: Step) -> Step | None:
        index = self.saga.index[step.name] + 1
        return self.saga.steps[index] if index < len(self.saga.steps) else None

    def _undoable(self, index: int) -> int:
        while index >= 0 and self.saga.steps[index].undo is None:
            index -= 1
        return index

    def _context(self, record: Record | None = None, *, step: Step | None = None) -> SagaContext:
        record = record or self.record
        return SagaContext(
            id=record.id, saga=record.name, step=(step or self._step).name, data=record.data, out=record.out,
            services=self.services, attempt=record.attempts, is_undo=record.state is SagaState.UNWINDING,
            error=record.error,
        )  # fmt: skip

    def _now(self) -> int:
        return self.db.clock.now_us()

    def _lease_end(self) -> int:
        return self._now() + int(self.lease_s * MICROS)


def _delay_us(error: Exception, tried: int, backoff: tuple[float, float]) -> int:
    first, longest = backoff
    delay_s = error.delay_s if isinstance(error, Retry) else min(longest, first * 2 ** min(tried - 1, 20))
    return int(delay_s * MICROS)


def _surprise(error: Exception) -> bool:
    """Whether the log should show where it came from."""
    return not isinstance(error, Fault | Abort | Retry | OSError | TimeoutError)


def _signalled_error(error: Any) -> dict[str, Any]:
    """A signal's `error`, a text or a document, in the form of `error_of`."""
    known = error if isinstance(error, Mapping) else {"message": str(error)}
    return {"message": "Failed.", "code": "saga.step_failed", "kind": "Failed", "status": 500, "details": {}} | dict(
        known
    )


def _fault_of(error: Mapping[str, Any]) -> Fault:
    return Fault(
        error["message"], code=error["code"], kind=error["kind"], status=error["status"], details=error["details"]
    )
