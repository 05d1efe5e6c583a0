"""Events leave with the transaction that caused them: the outbox table and the wake-up of its relay.

Not for publishing: that is `bus.relay`, which empties the table.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from sqlalchemy import func, insert, select

from synnefo_common import context
from synnefo_common.contracts.envelope import Event
from synnefo_common.db.sql import upsert_ignore
from synnefo_common.db.tables import outbox, quota_commissions_seen
from synnefo_common.errors import Conflict

if TYPE_CHECKING:
    from synnefo_common.db.uow import UnitOfWork

CHANNEL = "synnefo_outbox"  # PostgreSQL NOTIFY, inside the transaction: other processes' relays wake at its commit

_INSERT = insert(outbox).returning(outbox.c.seq, outbox.c.id)
_MOST_HANDED = 1000  # more than that, and the relay reads the table
_INSERT_AND_NOTIFY = insert(outbox).returning(func.pg_notify(CHANNEL, ""))

# Both are events of ours and facts that `GET /internal/v1/commissions/{id}` must be able to tell afterwards.
COMMISSION_OUTCOMES = {"quota.commission.accepted": "accepted", "quota.commission.rejected": "rejected"}


class OutboxRow(NamedTuple):
    """A row of the outbox. On SQLite the one process hands what it committed to its relay, which then need not read it."""

    seq: int
    id: str
    exchange: str
    routing_key: str
    lane: str
    occurred_at: int
    body: str


class Wakeup:
    """A bell that one loop waits at: rung once or many times before the wait, it wakes it once."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        """Ring."""
        self._event.set()

    async def wait(self, timeout_s: float) -> bool:
        """Wait for the bell; False if `timeout_s` passed in silence."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._event.wait()
        rung = self._event.is_set()
        self._event.clear()
        return rung


async def write(uow: UnitOfWork, events: Sequence[Event]) -> None:
    """Insert the events in one statement (two if a commission is accepted or rejected among them).

    Raises Conflict if a commission was decided otherwise before: the transaction must not commit.
    """
    db = uow.db
    now = db.clock.now_us()
    correlation, causation, trace = (
        context.current_correlation_id(),
        context.causation_id.get(),
        context.traceparent.get(),
    )
    rows: list[dict[str, Any]] = []
    outcomes: dict[str, str] = {}
    for event in events:
        message_id = db.ids.uuid()
        body = {
            "id": message_id,
            "type": event.type,
            "version": event.version,
            "occurred_at": now,
            "aggregate": event.aggregate,
            "aggregate_id": event.aggregate_id,
            "causation_id": causation,
            "correlation_id": correlation,
            "traceparent": trace,
            "data": event.data,
        }
        rows.append(
            {
                "id": message_id,
                "exchange": event.exchange,
                "routing_key": event.key,
                "lane": f"{event.aggregate}/{event.aggregate_id}"[:255],
                "occurred_at": now,
                "body": orjson.dumps(body).decode(),
            }
        )
        if event.type in COMMISSION_OUTCOMES:
            outcomes[event.data["commission_id"]] = COMMISSION_OUTCOMES[event.type]
    if db.dialect == "postgresql":
        await uow.all(_INSERT_AND_NOTIFY, rows)
    else:
        by_id = {row["id"]: row for row in rows}
        inserted = await uow.all(_INSERT, rows)
        handed = sorted((OutboxRow(row.seq, **by_id[row.id]) for row in inserted), key=lambda row: row.seq)
        uow.after_commit(lambda: db.handed.extend(handed) if len(db.handed) < _MOST_HANDED else db.handed.clear())
    if outcomes:
        await _record_outcomes(uow, outcomes, now=now)


async def _record_outcomes(uow: UnitOfWork, outcomes: dict[str, str], *, now: int) -> None:
    seen = quota_commissions_seen
    values = [{"commission_id": c, "state": s, "decided_at": now} for c, s in outcomes.items()]
    if await uow.run(upsert_ignore(uow.db.dialect, seen, values)) == len(values):
        return
    for row in await uow.all(
        select(seen.c.commission_id, seen.c.state).where(seen.c.commission_id.in_(list(outcomes)))
    ):
        wanted = outcomes[row.commission_id]
        # "fenced": identity asked before we had decided and was told that we never shall: rejecting agrees with that.
        if row.state != wanted and not (wanted == "rejected" and row.state == "fenced"):
            raise Conflict(
                f"Commission {row.commission_id} is {row.state} and cannot be {wanted}.",
                code="quota.commission.decided",
            )
