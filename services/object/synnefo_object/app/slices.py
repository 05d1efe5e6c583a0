"""Room in the quota ledger that is reserved ahead, a slice for many small uploads of a project.

A slice is a commission. When it is empty or idle it is settled: the ledger counts all of it as used, and with the same
transaction the account's report sets that right by what is really held. So the ledger is never below the truth, and in the
end exactly it. A process that dies leaves a commission that runs out.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from synnefo_common.clock import Clock
from synnefo_common.db import Database, UnitOfWork
from synnefo_common.errors import Conflict, QuotaExceeded
from synnefo_common.log import get_logger
from synnefo_common.quota import Commission, QuotaClient
from synnefo_object.app import usage
from synnefo_object.db import accounts
from synnefo_object.domain.limits import RESOURCE

log = get_logger(__name__)
_MAX_AGE_S = 120.0  # less than the lease of the commission


@dataclass(eq=False)
class Slice:
    commission: Commission
    left: int
    made_s: float
    drawn_s: float
    users: int = 0
    is_used: bool = False
    is_closed: bool = False


@dataclass
class _Project:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    slice: Slice | None = None


class Slices:
    """The slices of this process."""

    def __init__(self, db: Database, quota: QuotaClient, clock: Clock, *, size_bytes: int, idle_s: float) -> None:
        self._db = db
        self._quota = quota
        self._clock = clock
        self._size_bytes = size_bytes
        self._idle_s = idle_s
        self._projects: dict[str, _Project] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def draw(self, project_id: str, user_id: str, count: int, *, limit: int) -> Slice | None:
        """The slice that `count` bytes were taken from; None if they are too many for one, or none is to be had."""
        size = min(self._size_bytes, limit // 100)
        if count > size:
            return None
        project = self._projects.setdefault(project_id, _Project())
        async with project.lock:
            now = self._clock.monotonic()
            held = project.slice
            if held is None or held.left < count or now - held.made_s > _MAX_AGE_S:
                project.slice = None
                if held is not None:
                    await self._close(held)
                try:
                    commission = await self._quota.reserve((project_id, user_id), {RESOURCE: size})
                except QuotaExceeded:
                    return None
                held = project.slice = Slice(commission, size, now, now)
                task = asyncio.create_task(self._watch(project_id, project, held))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            held.left -= count
            held.users += 1
            held.drawn_s = now
        return held

    async def give_back(self, held: Slice, count: int, *, is_used: bool) -> None:
        """The upload is over: its bytes are an object's now, or nobody's."""
        held.users -= 1
        if is_used:
            held.is_used = True
        else:
            held.left += count
        if held.is_closed and not held.users:
            await self._settle(held)

    async def close(self) -> None:
        """Settle all of them."""
        for task in list(self._tasks):
            task.cancel()
        for project in self._projects.values():
            if project.slice is not None:
                await self._close(project.slice)
        self._projects.clear()

    async def _watch(self, project_id: str, project: _Project, held: Slice) -> None:
        while not held.is_closed:
            await self._clock.sleep(self._idle_s)
            async with project.lock:
                now = self._clock.monotonic()
                is_due = now - held.drawn_s >= self._idle_s or now - held.made_s > _MAX_AGE_S
                if project.slice is held and is_due and not held.users:
                    self._projects.pop(project_id, None)
                    project.slice = None
                    await self._close(held)

    async def _close(self, held: Slice) -> None:
        held.is_closed = True
        if not held.users:
            await self._settle(held)

    async def _settle(self, held: Slice) -> None:
        commission = held.commission
        amount = commission.provisions.get(RESOURCE, 0)

        async def work(uow: UnitOfWork) -> None:
            row = await accounts.reported(uow, commission.project_id) if held.is_used else None
            if row is None:
                self._quota.reject(uow, commission)
                return
            self._quota.accept(uow, commission)
            await accounts.add_reported(uow, row.id, amount)
            await usage.report(uow, row, reported=row.bytes_reported + amount)

        try:
            await self._db.run(work)
        except Conflict:  # it ran out; what is held is reported anyway
            log.warning("quota_slice_ran_out", project_id=commission.project_id)
