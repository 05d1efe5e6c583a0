"""The sagas table: every statement on it. What the columns mean is in `db.tables`; when to write, the driver knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import BigInteger, Row, String, bindparam, case, delete, func, insert, select, update

from synnefo_common import context
from synnefo_common.clock import MICROS
from synnefo_common.db import UnitOfWork
from synnefo_common.db.tables import sagas
from synnefo_common.saga.model import LIVE, SagaState

CHANNEL = "synnefo_sagas"  # PostgreSQL NOTIFY: another process's engine wakes
CANCEL = "*cancel"  # a signal that no wait can have the name of

_NOTIFY = func.pg_notify(CHANNEL, "")
_INSERT = insert(sagas)
_SIGNAL = (
    update(sagas)
    .where(sagas.c.id == bindparam("saga"), sagas.c.state.in_(LIVE))
    .values(
        signals=sagas.c.signals + bindparam("line"),
        # A saga that waits becomes due; one that is being worked on sees the signal when it writes its log.
        next_at=case((sagas.c.state == SagaState.WAITING, bindparam("now", type_=BigInteger)), else_=sagas.c.next_at),
    )
)
_WAITS = sagas.c.state == SagaState.WAITING
_SIGNAL_AND_TAKE = (
    update(sagas)
    .where(sagas.c.id == bindparam("saga"), sagas.c.state.in_(LIVE))
    .values(
        signals=sagas.c.signals + bindparam("line"),
        next_at=case((_WAITS, bindparam("lease_end", type_=BigInteger)), else_=sagas.c.next_at),
        owner=case((_WAITS, bindparam("me", type_=String)), else_=sagas.c.owner),
        epoch=case((_WAITS, sagas.c.epoch + 1), else_=sagas.c.epoch),
        state=case((_WAITS, SagaState.RUNNING.value), else_=sagas.c.state),
    )
    .returning(sagas)
)
_LOG = (
    update(sagas)
    .where(
        sagas.c.id == bindparam("saga"), sagas.c.epoch == bindparam("held"), sagas.c.step == bindparam("from_step"),
        sagas.c.state.in_(LIVE),
    )
    .values(
        state=bindparam("to_state"), step=bindparam("to_step"), out=bindparam("to_out"), error=bindparam("to_error"),
        attempts=bindparam("to_attempts"), deadline_at=bindparam("to_deadline"), next_at=bindparam("to_next"),
        owner=bindparam("to_owner"), updated_at=bindparam("now"),
    )
    .returning(sagas.c.signals)
)  # fmt: skip


class Fenced(Exception):
    """The row is another's now (or was ours in a transaction whose answer was lost): drop what is in memory."""


@dataclass
class Record:
    """A claimed saga in memory. The row is written only by `log`, from this."""

    id: str
    name: str
    state: SagaState
    step: int
    data: dict[str, Any]
    out: dict[str, dict[str, Any]]
    error: dict[str, Any] | None
    context: dict[str, Any]
    attempts: int
    deadline_at: int
    epoch: int
    signals: dict[str, dict[str, Any]] = field(default_factory=dict)
    row_step: int = 0  # what the row says: behind `step` while a received signal is not yet logged
    owner: str | None = None  # as the row was read
    after_log: tuple[str, ...] = ()  # crash points to pass once the row has caught up


def read_signals(text: str) -> dict[str, dict[str, Any]]:
    """Signals by name; the first of a name counts."""
    found: dict[str, dict[str, Any]] = {}
    for line in text.splitlines():
        name, payload = orjson.loads(line)
        found.setdefault(name, payload)
    return found


def as_json(value: Mapping[str, Any]) -> dict[str, Any]:
    """The value as it will be read back, so that a step sees the same before and after a restart."""
    return dict(orjson.loads(orjson.dumps(value)))


async def insert_saga(uow: UnitOfWork, record: Record, *, owner: str | None, next_at: int) -> None:
    """Write a new saga; with an owner it is born claimed, else other processes are told."""
    now = uow.db.clock.now_us()
    row = {
        "id": record.id, "name": record.name, "state": record.state.value, "step": record.step,
        "data": orjson.dumps(record.data).decode(), "out": "{}", "signals": "", "error": None,
        "context": orjson.dumps(record.context).decode(), "attempts": 0, "deadline_at": record.deadline_at,
        "next_at": next_at, "owner": owner, "epoch": record.epoch, "created_at": now, "updated_at": now,
    }  # fmt: skip
    if uow.dialect == "postgresql" and owner is None:
        await uow.all(_INSERT.returning(_NOTIFY), row)
    else:
        await uow.run(_INSERT, row)


async def append_signal(uow: UnitOfWork, saga_id: str, name: str, payload: Mapping[str, Any]) -> bool:
    """Add a signal and make a waiting saga due; False if there is no such live saga."""
    line = orjson.dumps([name, payload]).decode() + "\n"
    params = {"saga": saga_id, "line": line, "now": uow.db.clock.now_us()}
    if uow.dialect == "postgresql":
        return bool(await uow.all(_SIGNAL.returning(_NOTIFY), params))
    return await uow.run(_SIGNAL, params) > 0


async def signal_and_take(
    uow: UnitOfWork, saga_id: str, name: str, payload: Mapping[str, Any], *, owner: str, lease_s: float
) -> Record | None:
    """Add a signal and, if the saga waits, claim it in the same statement. None if there is no such live saga."""
    line = orjson.dumps([name, payload]).decode() + "\n"
    lease_end = uow.db.clock.now_us() + int(lease_s * MICROS)
    row = await uow.one(_SIGNAL_AND_TAKE, {"saga": saga_id, "line": line, "lease_end": lease_end, "me": owner})
    return None if row is None else _record(row)


async def claim_due(uow: UnitOfWork, *, owner: str, lease_s: float, limit: int) -> list[Record]:
    """Take up to `limit` due sagas, the longest due first, in one statement. None of them is `waiting` any more."""
    now = uow.db.clock.now_us()
    due = (
        select(sagas.c.id)
        .where(sagas.c.next_at <= now)
        .order_by(sagas.c.next_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = await uow.all(
        update(sagas)
        .where(sagas.c.id.in_(due.scalar_subquery()))
        .values(
            owner=owner,
            epoch=sagas.c.epoch + 1,
            next_at=now + int(lease_s * MICROS),
            state=case((sagas.c.state == SagaState.WAITING, SagaState.RUNNING.value), else_=sagas.c.state),
        )
        .returning(sagas)
    )
    return [_record(row) for row in rows]


async def is_any_due(uow: UnitOfWork) -> bool:
    """True if a saga waits to be claimed or is claimed: only those parked for later or at a wait are left out."""
    now = uow.db.clock.now_us()
    query = select(sagas.c.id).where((sagas.c.next_at <= now) | sagas.c.owner.is_not(None))
    return await uow.scalar(query.limit(1)) is not None


async def renew(uow: UnitOfWork, ids: Sequence[str], *, owner: str, lease_s: float) -> None:
    """Extend the leases of the sagas being worked on. One taken by another stays so: its owner differs."""
    await uow.run(
        update(sagas)
        .where(sagas.c.id.in_(list(ids)), sagas.c.owner == owner)
        .values(next_at=uow.db.clock.now_us() + int(lease_s * MICROS))
    )


async def release_own(uow: UnitOfWork, *, owner: str) -> int:
    """At start: what a dead process of the same name held is due at once."""
    return await uow.run(update(sagas).where(sagas.c.owner == owner).values(next_at=0, owner=None))


async def log(uow: UnitOfWork, record: Record, *, next_at: int | None, owner: str | None) -> None:
    """Write the record, fenced by its epoch, and learn the signals that came meanwhile. Raises Fenced."""
    row = await uow.one(
        _LOG,
        {
            "saga": record.id, "held": record.epoch, "from_step": record.row_step,
            "to_state": record.state.value, "to_step": record.step,
            "to_out": orjson.dumps(record.out).decode(),
            "to_error": None if record.error is None else orjson.dumps(record.error).decode(),
            "to_attempts": record.attempts, "to_deadline": record.deadline_at, "to_next": next_at, "to_owner": owner,
            "now": uow.db.clock.now_us(),
        },
    )  # fmt: skip
    if row is None:
        raise Fenced(record.id)
    record.row_step = record.step
    record.signals = read_signals(row.signals)


async def retake(uow: UnitOfWork, record: Record, *, owner: str, next_at: int) -> None:
    """Take back a parking within its own transaction: the awaited signal was there already."""
    record.state = SagaState.RUNNING
    values = {"state": record.state.value, "owner": owner, "next_at": next_at}
    await uow.run(update(sagas).where(sagas.c.id == record.id).values(**values))


async def mentions(uow: UnitOfWork, text: str) -> bool:
    """True if a live saga has `text` (an id) in its outputs or start data. A scan, for rare questions."""
    pattern = f"%{text.replace('%', '').replace('_', chr(92) + '_')}%"
    query = select(sagas.c.id).where(
        sagas.c.state.in_(LIVE),
        sagas.c.out.like(pattern, escape=chr(92)) | sagas.c.data.like(pattern, escape=chr(92)),
    )
    return await uow.scalar(query.limit(1)) is not None


async def count_by_state(uow: UnitOfWork) -> dict[str, int]:
    """Sagas not finished and not failed, by state (gauges, audit)."""
    query = (
        select(sagas.c.state, func.count().label("n"))
        .where(sagas.c.state.in_([*LIVE, SagaState.UNDO_FAILED]))
        .group_by(sagas.c.state)
    )
    return {str(row.state): int(row.n) for row in await uow.all(query)}


async def prune(uow: UnitOfWork, *, older_than_s: float = 7 * 24 * 3600) -> int:
    """Forget sagas that ended long ago; how many."""
    before = uow.db.clock.now_us() - int(older_than_s * MICROS)
    return await uow.run(
        delete(sagas).where(sagas.c.state.in_([SagaState.FINISHED, SagaState.FAILED]), sagas.c.updated_at < before)
    )


def saga_context() -> dict[str, Any]:
    """What the saga's work will carry of the request that started it."""
    return {
        "request_id": context.request_id.get(),
        "correlation_id": context.current_correlation_id(),
        "traceparent": context.traceparent.get(),
    }


def _record(row: Row[Any]) -> Record:
    return Record(
        id=row.id, name=row.name, state=SagaState(row.state), step=row.step, data=orjson.loads(row.data),
        out=orjson.loads(row.out), error=orjson.loads(row.error) if row.error else None,
        context=orjson.loads(row.context), attempts=row.attempts, deadline_at=row.deadline_at, epoch=row.epoch,
        signals=read_signals(row.signals), row_step=row.step, owner=row.owner,
    )  # fmt: skip
