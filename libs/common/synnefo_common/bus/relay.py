"""The relay empties the outbox into the bus: one at work per service, by lease.

At least once: a row is deleted only after the bus has confirmed it. Rows of one aggregate go out one after the other;
aggregates go side by side. Not for deciding what is sent: that was committed already.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, delete, select
from sqlalchemy.exc import DBAPIError

from synnefo_common.bus import metrics
from synnefo_common.bus.api import Bus, BusUnavailable, Outgoing, Undeliverable
from synnefo_common.crashpoint import crashpoint
from synnefo_common.db import Database
from synnefo_common.db.outbox import CHANNEL, OutboxRow
from synnefo_common.db.tables import outbox
from synnefo_common.lease import Lease
from synnefo_common.log import get_logger

log = get_logger(__name__)

_MAX_BACKOFF_S = 5.0
_MOST_SLOW = 256
"""Lanes that may wait for their confirmations beside the rounds; with more, the bus as a whole is slow."""
_Row = Row[Any] | OutboxRow


@dataclass(frozen=True, slots=True)
class _Lane:
    """One lane's rows on their way."""

    task: asyncio.Task[None]
    confirmed: list[int]


def crash_points(service: str) -> list[str]:
    """Where a relay may be killed."""
    return [f"{service}.relay.before_publish", f"{service}.relay.after_confirm"]


class Relay:
    """Publishes one service's outbox. Several processes may run one each; the lease lets one work."""

    def __init__(
        self,
        db: Database,
        bus: Bus,
        *,
        service: str,
        holder: str | None = None,
        lease_s: float | None = None,
        batch_size: int = 500,
        concurrency: int = 64,
        poll_s: float = 1.0,
        round_s: float = 1.0,
    ) -> None:
        self.db = db
        self.bus = bus
        self.service = service
        # On SQLite the one process takes its own lease back at once, so a long term costs nothing but writes less.
        term_s = lease_s or (60.0 if db.dialect == "sqlite" else 10.0)
        self.lease = Lease(db, "relay", holder=holder, ttl_s=term_s)
        self.batch_size = batch_size
        self.poll_s = poll_s
        self.round_s = round_s
        self._slots = asyncio.Semaphore(concurrency)
        self._blocked: dict[str, tuple[float, int]] = {}  # lane: (monotonic time to try again, failures)
        self._slow: dict[str, _Lane] = {}  # still publishing when their round was over: nobody waits for them
        self._outages = 0
        # The table holds nothing up to this row: what is handed over from the next one on need not be read. None: unknown.
        self._empty_to: int | None = None

    async def run(self) -> None:
        """Work until cancelled, then let another process have the lease at once. Outages are waited for."""
        unlisten = None
        try:
            while True:
                pause = self.poll_s
                try:
                    if unlisten is None:
                        unlisten = await self.db.listen(CHANNEL, self.db.outbox_wakeup.set)
                    if await self.lease.hold():
                        full = await self.run_once() == self.batch_size
                        pause = 0.0 if full else self._pause()
                        self._outages = 0
                except BusUnavailable as error:
                    self._outages += 1
                    pause = min(_MAX_BACKOFF_S, 0.1 * 2 ** min(self._outages, 10))
                    log.warning("bus_unavailable", service=self.service, error=str(error), retry_in_s=pause)
                    await self.db.clock.sleep(pause)  # a wake-up by each new commit would make the back-off none
                    continue
                except (DBAPIError, OSError) as error:
                    log.warning("relay_database_error", service=self.service, error=repr(error))
                    if unlisten is not None:
                        await unlisten()
                        unlisten = None
                if pause:
                    await self.db.outbox_wakeup.wait(pause)
        finally:
            slow = [lane.task for lane in self._slow.values()]
            for task in slow:
                task.cancel()
            await asyncio.gather(*slow, return_exceptions=True)
            if unlisten is not None:
                await unlisten()
            with contextlib.suppress(DBAPIError, OSError):
                await self.lease.release()

    async def run_once(self) -> int:
        """Publish one batch; the number of rows published. Raises BusUnavailable after marking what was confirmed.

        A lane that is not through after `round_s` goes on by itself, and the next rounds leave it out: a queue that does
        not answer holds up nobody but those who wait in it.
        """
        if len(self._slow) >= _MOST_SLOW:
            await asyncio.wait([slow.task for slow in self._slow.values()], timeout=self.round_s, return_when="FIRST_COMPLETED")
        done = await self._finish([], self._end_slow())
        rows = (self._handed() or await self._read()) if len(self._slow) < _MOST_SLOW else []
        if not rows:
            return done
        crashpoint(f"{self.service}.relay.before_publish")
        self._empty_to = None
        lanes: dict[str, list[_Row]] = defaultdict(list)
        for row in rows:
            lanes[row.lane].append(row)
        begun = {lane: self._begin(lane, of) for lane, of in lanes.items()}
        self._slow |= begun  # at once, so that whoever ends the relay ends them
        if begun:
            await asyncio.wait([lane.task for lane in begun.values()], timeout=self.round_s)
        for name, lane in begun.items():
            if lane.task.done():
                del self._slow[name]
        return done + await self._finish(rows, list(begun.values()))

    def _end_slow(self) -> list[_Lane]:
        """Those that are through by now: the next round may read them again, once what they confirmed is deleted."""
        through = [name for name, lane in self._slow.items() if lane.task.done()]
        return [self._slow.pop(name) for name in through]

    def _begin(self, lane: str, rows: Sequence[_Row]) -> _Lane:
        confirmed: list[int] = []
        task = asyncio.create_task(self._publish_lane(lane, rows, confirmed), name=f"relay {self.service} {lane}")
        return _Lane(task, confirmed)

    async def _finish(self, rows: Sequence[_Row], lanes: Sequence[_Lane]) -> int:
        """Delete what was confirmed so far, also in lanes that go on."""
        ends = [lane.task.exception() for lane in lanes if lane.task.done() and not lane.task.cancelled()]
        for end in ends:
            if end is not None and not isinstance(end, BusUnavailable):
                raise end
        confirmed: list[int] = []
        for lane in lanes:
            confirmed += lane.confirmed
            lane.confirmed.clear()
        if confirmed:
            crashpoint(f"{self.service}.relay.after_confirm")
            async with self.db.begin() as uow:
                await uow.run(delete(outbox).where(outbox.c.seq.in_(sorted(confirmed))))
            metrics.messages_published.labels(self.service, "confirmed").inc(len(confirmed))
        if rows and len(confirmed) == len(rows) < self.batch_size and not self._blocked and not self._slow:
            self._empty_to = rows[-1].seq
        if not lanes:
            return 0
        outage = next((end for end in ends if end is not None), None)
        metrics.bus_up.labels(self.service).set(0 if outage else 1)
        if outage is not None:
            raise outage
        return len(confirmed)

    def _handed(self) -> Sequence[_Row]:
        """What was handed over, if it is all that the table holds: it follows on the last row without a gap."""
        handed, self.db.handed = self.db.handed[: self.batch_size], self.db.handed[self.batch_size :]
        if self._empty_to is None or not handed:
            return []
        rows = [row for row in handed if row.seq > self._empty_to]
        follows = [row.seq for row in rows] == list(range(self._empty_to + 1, self._empty_to + 1 + len(rows)))
        return rows if follows else []

    async def _read(self) -> Sequence[_Row]:
        now = self.db.clock.monotonic()
        held_back = [*self._slow, *(lane for lane, (until, _) in self._blocked.items() if until > now)]
        query = select(
            outbox.c.seq,
            outbox.c.id,
            outbox.c.exchange,
            outbox.c.routing_key,
            outbox.c.lane,
            outbox.c.occurred_at,
            outbox.c.body,
        )
        if held_back:
            query = query.where(outbox.c.lane.not_in(held_back))
        async with self.db.read() as uow:
            return await uow.all(query.order_by(outbox.c.seq).limit(self.batch_size))

    async def drain(self, *, rounds: int = 100) -> int:
        """Publish until nothing more can be published now (tests, shutdown); the number published."""
        total = 0
        for _ in range(rounds):
            done = await self.run_once()
            total += done
            if not done:
                break
        return total

    async def _publish_lane(self, lane: str, rows: Sequence[_Row], confirmed: list[int]) -> None:
        async with self._slots:
            for row in rows:
                body = b'%s,"aggregate_seq":%d}' % (row.body.encode()[:-1], row.seq)
                try:
                    await self.bus.publish(Outgoing(row.exchange, row.routing_key, row.id, body))
                except Undeliverable as error:
                    self._block(lane, row, error)
                    return
                confirmed.append(row.seq)
                self._blocked.pop(lane, None)

    def _block(self, lane: str, row: _Row, error: Undeliverable) -> None:
        failures = self._blocked.get(lane, (0.0, 0))[1] + 1
        delay = min(_MAX_BACKOFF_S, 0.05 * 2 ** min(failures, 10))
        self._blocked[lane] = (self.db.clock.monotonic() + delay, failures)
        metrics.messages_published.labels(self.service, "refused").inc()
        log.warning(
            "message_refused",
            service=self.service,
            message_id=row.id,
            key=row.routing_key,
            failures=failures,
            error=str(error),
        )

    def _pause(self) -> float:
        """Until the poll, or until the first lane that was held back may be tried again."""
        if not self._blocked:
            return self.poll_s
        first = min(until for until, _ in self._blocked.values())
        return min(self.poll_s, max(0.01, first - self.db.clock.monotonic()))
