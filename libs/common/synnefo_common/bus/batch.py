"""Many messages in one transaction: while one batch commits, the next gathers. A failed batch is done one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from synnefo_common import context
from synnefo_common.bus.inbox import receive_many
from synnefo_common.contracts.envelope import Envelope
from synnefo_common.crashpoint import crashpoint
from synnefo_common.db import Database, UnitOfWork


class Batcher:
    """Gathers concurrent deliveries for one handler. The effect of each message is still exactly once."""

    def __init__(
        self,
        db: Database,
        handler: Callable[[UnitOfWork, list[Envelope]], Awaitable[None]],
        *,
        queue: str,
        crash_point: str,
        max_size: int,
        needs_inbox: bool = True,
    ) -> None:
        self.db = db
        self.handler = handler
        self.queue = queue
        self.crash_point = crash_point
        self.max_size = max_size
        self.needs_inbox = needs_inbox
        self._waiting: list[tuple[Envelope, asyncio.Future[str]]] = []
        self._worker: asyncio.Task[None] | None = None

    async def handle(self, message: Envelope) -> str:
        """Return `handled` or `duplicate` after the commit; raises what the handler raises for this message alone."""
        outcome: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting.append((message, outcome))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await outcome

    async def _work(self) -> None:
        await asyncio.sleep(0)  # what is ready to be delivered joins
        while self._waiting:
            batch, self._waiting = self._waiting[: self.max_size], self._waiting[self.max_size :]
            try:
                await self._commit(batch)
            except Exception as error:  # noqa: BLE001 - part of the consumer loop
                if len(batch) == 1:
                    _fail(batch, error)
                    continue
                for item in batch:
                    try:
                        await self._commit([item])
                    except Exception as alone:  # noqa: BLE001 - part of the consumer loop
                        _fail([item], alone)
            except BaseException as crash:  # noqa: BLE001 - those who wait must learn of it; nobody reads this task
                _fail([*batch, *self._waiting], crash)
                self._waiting = []
                return

    async def _commit(self, batch: list[tuple[Envelope, asyncio.Future[str]]]) -> None:
        async def work(uow: UnitOfWork) -> set[str]:
            new = {m.id for m, _ in batch}
            if self.needs_inbox:
                new = await receive_many(uow, queue=self.queue, message_ids=[m.id for m, _ in batch])
            todo = {m.id: m for m, _ in batch if m.id in new}
            if todo:
                await self.handler(uow, list(todo.values()))
            return new

        first = batch[0][0]
        with context.bound(correlation=first.correlation_id, causation=first.id, trace=first.traceparent):
            crashpoint(f"{self.crash_point}.before_handle")
            new = await self.db.run(work)
            crashpoint(f"{self.crash_point}.after_commit")
        for message, outcome in batch:
            if not outcome.done():
                outcome.set_result("handled" if message.id in new else "duplicate")


def _fail(batch: list[tuple[Envelope, asyncio.Future[str]]], error: BaseException) -> None:
    for _, outcome in batch:
        if not outcome.done():
            outcome.set_exception(error)
