"""The bus within one process. A publish returns when every consumer has committed: the outbox is the durable queue.

With `chaos` it is worse than RabbitMQ ever is: duplicates, late redeliveries, delays and another order between
aggregates (a relay waits for each message of one aggregate, so order within one stays, as on the broker).
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from synnefo_common.bus.api import BusUnavailable, Delivery, Handler, Outgoing, Undeliverable
from synnefo_common.bus.topology import Queue, matches, must_be_routed


@dataclass
class Chaos:
    """How badly to behave. The seed is printed once, so that a failure can be run again."""

    seed: int = field(default_factory=lambda: random.SystemRandom().randrange(2**32))
    duplicate: float = 0.05  # delivered twice at once
    stale: float = 0.02  # delivered again later, after newer ones
    max_delay_s: float = 0.003

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        print(f"memory bus: chaos seed {self.seed}", file=sys.stderr)  # pytest shows it with a failure


@dataclass
class _Bound:
    queue: Queue
    handler: Handler | None = None
    slots: asyncio.Semaphore | None = None


class MemoryBus:
    """`Bus` for the embedded profile and for tests.

    `is_strict`: a message that needs a queue (`topology.must_be_routed`) and has none is refused, as by the broker with
    `mandatory`; tests of one service alone leave it off. A declared queue without a consumer always refuses.
    """

    def __init__(self, *, chaos: Chaos | None = None, is_strict: bool = False) -> None:
        self.chaos = chaos
        self.is_strict = is_strict
        self.is_down = False  # tests: an outage
        self.published: deque[Outgoing] = deque(maxlen=10_000)  # what was confirmed, oldest first
        self.listeners: list[Callable[[Outgoing], None]] = []
        self._bound: dict[str, _Bound] = {}
        self._attempts: dict[tuple[str, str], int] = {}
        self._late: set[asyncio.Task[None]] = set()

    @property
    def is_connected(self) -> bool:
        return not self.is_down

    async def start(self, *, wait_s: float = 0.0) -> None:
        """Nothing to connect to."""

    async def close(self) -> None:
        """Forget consumers (their queues stay declared: messages for them are refused) and late redeliveries."""
        for bound in self._bound.values():
            bound.handler = None
        for task in list(self._late):
            task.cancel()
        await asyncio.gather(*self._late, return_exceptions=True)

    async def declare(self, queue: Queue) -> None:
        self._bound.setdefault(queue.name, _Bound(queue)).queue = queue

    async def remove(self, queue: Queue) -> None:
        self._bound.pop(queue.name, None)

    async def consume(self, queue: Queue, handler: Handler, *, prefetch: int = 32) -> None:
        await self.declare(queue)
        self._bound[queue.name] = _Bound(queue, handler, asyncio.Semaphore(prefetch))

    async def publish(self, message: Outgoing) -> None:
        if self.is_down:
            raise BusUnavailable("the memory bus is set down")
        targets = [
            b
            for b in self._bound.values()
            if b.queue.exchange == message.exchange and any(matches(p, message.routing_key) for p in b.queue.patterns)
        ]
        if not targets and self.is_strict and must_be_routed(message.exchange, message.routing_key):
            raise Undeliverable(f"no queue takes {message.routing_key}")
        if self.chaos:
            await asyncio.sleep(self.chaos.random.random() * self.chaos.max_delay_s)
        results = await asyncio.gather(*(self._deliver(b, message) for b in targets), return_exceptions=True)
        for result in results:  # a crash comes first: nothing after it happened
            if isinstance(result, BaseException) and not isinstance(result, Exception):
                raise result
        for bound, result in zip(targets, results, strict=True):
            if isinstance(result, Exception):
                raise Undeliverable(f"{bound.queue.name} failed on {message.routing_key}: {result!r}") from result
        self.published.append(message)
        for listener in self.listeners:
            listener(message)

    async def _deliver(self, bound: _Bound, message: Outgoing) -> None:
        if bound.handler is None or bound.slots is None:
            raise Undeliverable(f"{bound.queue.name} has no consumer")
        key = (bound.queue.name, message.message_id)
        attempts = self._attempts.get(key, 0)
        delivery = Delivery(bound.queue.name, message.routing_key, message.message_id, message.body, attempts)
        try:
            async with bound.slots:
                await bound.handler(delivery)
                if self.chaos and self.chaos.random.random() < self.chaos.duplicate:
                    await bound.handler(delivery)
        except Exception:
            self._attempts[key] = attempts + 1
            raise
        self._attempts.pop(key, None)
        if self.chaos and self.chaos.random.random() < self.chaos.stale:
            task = asyncio.create_task(self._deliver_late(bound, delivery, self.chaos.random.random() * 0.05))
            self._late.add(task)
            task.add_done_callback(self._late.discard)

    async def _deliver_late(self, bound: _Bound, delivery: Delivery, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        if bound.handler is not None:
            await bound.handler(delivery)
