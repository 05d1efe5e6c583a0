"""Consumers: a handler runs in one transaction with the inbox row of its message, so its effect happens exactly once.

A handler does database work only: what must follow goes into the outbox or a saga. Not for transport: that is `memory`
and `rabbit`, which redeliver when a handler raises.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from structlog.contextvars import bound_contextvars

from synnefo_common import context
from synnefo_common.bus import metrics
from synnefo_common.bus.api import Bus, Delivery
from synnefo_common.bus.batch import Batcher
from synnefo_common.bus.inbox import bury, receive
from synnefo_common.bus.topology import DELIVERY_LIMIT, Queue, events_queue, matches
from synnefo_common.contracts.envelope import Envelope, MalformedMessage
from synnefo_common.crashpoint import crashpoint
from synnefo_common.db import Database, UnitOfWork
from synnefo_common.log import get_logger

log = get_logger(__name__)

MessageHandler = Callable[[UnitOfWork, Envelope], Awaitable[None]]
BatchHandler = Callable[[UnitOfWork, list[Envelope]], Awaitable[None]]


@dataclass
class Consumers:
    """The handlers of one queue by topic pattern.

    Use `@consumers.on("network.port.*", …)` on `async def (uow, message)`, or `@consumers.on_batch(…)` on
    `async def (uow, messages)` for many small messages at once. If several match, all run, in one transaction.
    """

    service: str
    handlers: list[tuple[tuple[str, ...], MessageHandler]] = field(default_factory=list)
    batch_handlers: list[tuple[tuple[str, ...], BatchHandler]] = field(default_factory=list)
    repeatable: set[Any] = field(default_factory=set)

    def on(self, *patterns: str, is_repeatable: bool = False) -> Callable[[MessageHandler], MessageHandler]:
        """Register a handler for routing keys that match one of the patterns.

        `is_repeatable`: a second delivery, however late, finds by the handler's own rows that there is nothing left to do;
        the inbox is not asked.
        """

        def register(handler: MessageHandler) -> MessageHandler:
            self.handlers.append((patterns, handler))
            if is_repeatable:
                self.repeatable.add(handler)
            return handler

        return register

    def on_batch(self, *patterns: str, is_repeatable: bool = False) -> Callable[[BatchHandler], BatchHandler]:
        """Register a handler of what is waiting at once, in order of arrival. It is then the only one for its keys."""

        def register(handler: BatchHandler) -> BatchHandler:
            self.batch_handlers.append((patterns, handler))
            if is_repeatable:
                self.repeatable.add(handler)
            return handler

        return register

    @property
    def patterns(self) -> list[str]:
        """All patterns, for the queue's bindings."""
        return sorted({p for patterns, _ in [*self.handlers, *self.batch_handlers] for p in patterns})

    def matching(self, key: str) -> list[MessageHandler]:
        """The handlers for a routing key."""
        return [h for patterns, h in self.handlers if any(matches(p, key) for p in patterns)]

    def crash_points(self) -> list[str]:
        """Where a consumer of these may be killed."""
        names = [_name(h) for _, h in [*self.handlers, *self.batch_handlers]]
        return [f"{self.service}.consumer.{n}.{where}" for n in names for where in ("before_handle", "after_commit")]


class ConsumerRunner:
    """Runs a service's consumers. `start` opens the events queue; `open` and `shut` others (one per Ganeti cluster)."""

    def __init__(
        self, db: Database, bus: Bus, consumers: Consumers, *, delivery_limit: int = DELIVERY_LIMIT, prefetch: int = 32
    ) -> None:
        self.db = db
        self.bus = bus
        self.consumers = consumers
        self.delivery_limit = delivery_limit
        self.prefetch = prefetch
        self.queue = events_queue(consumers.service, consumers.patterns)
        self._batchers: dict[tuple[str, BatchHandler], Batcher] = {}

    async def declare(self) -> None:
        """Make the events queue exist, so that nothing is lost before `start` (all do so before any relay runs)."""
        if self.queue.patterns:
            await self.bus.declare(self.queue)

    async def start(self) -> None:
        """Consume the events queue. A service without handlers has none."""
        if self.queue.patterns:
            await self.open(self.queue, self.consumers)

    async def open(self, queue: Queue, consumers: Consumers) -> None:
        """Consume a queue with its own set of handlers."""

        async def handle(delivery: Delivery) -> None:
            await self.handle(delivery, consumers)

        await self.bus.consume(queue, handle, prefetch=self.prefetch)

    async def shut(self, queue: Queue) -> None:
        """Stop consuming a queue and delete it."""
        await self.bus.remove(queue)

    async def handle(self, delivery: Delivery, consumers: Consumers | None = None) -> None:
        """Handle one delivery: returns when it may be acknowledged, raises when it must come again."""
        consumers = consumers or self.consumers
        try:
            message = Envelope.from_bytes(delivery.body, routing_key=delivery.routing_key)
        except MalformedMessage as error:
            await self._bury(delivery, error)
            return
        try:
            with (
                context.bound(correlation=message.correlation_id, causation=message.id, trace=message.traceparent),
                bound_contextvars(message_id=message.id, correlation_id=message.correlation_id),
            ):
                outcome = await self._dispatch(delivery, message, consumers)
        except Exception as error:
            if delivery.attempts + 1 >= self.delivery_limit:
                await self._bury(delivery, error)
                return
            metrics.messages_consumed.labels(delivery.queue, "failed").inc()
            log.warning(
                "message_failed", queue=delivery.queue, key=delivery.routing_key, message_id=delivery.message_id,
                attempts=delivery.attempts + 1, exc_info=True,
            )  # fmt: skip
            raise
        metrics.messages_consumed.labels(delivery.queue, outcome).inc()

    async def _dispatch(self, delivery: Delivery, message: Envelope, consumers: Consumers) -> str:
        for patterns, batch_handler in consumers.batch_handlers:
            if any(matches(p, delivery.routing_key) for p in patterns):
                return await self._batcher(delivery.queue, batch_handler, consumers).handle(message)
        handlers = consumers.matching(delivery.routing_key)
        if not handlers:
            return "ignored"  # a binding of an older release

        needs_inbox = not consumers.repeatable.issuperset(handlers)

        async def work(uow: UnitOfWork) -> bool:
            if needs_inbox and not await receive(uow, queue=delivery.queue, message_id=message.id):
                return False
            for handler in handlers:
                await handler(uow, message)
            return True

        for handler in handlers:
            crashpoint(f"{consumers.service}.consumer.{_name(handler)}.before_handle")
        is_new = await self.db.run(work)
        for handler in handlers:
            crashpoint(f"{consumers.service}.consumer.{_name(handler)}.after_commit")
        return "handled" if is_new else "duplicate"

    def _batcher(self, queue: str, handler: BatchHandler, consumers: Consumers) -> Batcher:
        key = (queue, handler)
        if key not in self._batchers:
            self._batchers[key] = Batcher(
                self.db,
                handler,
                queue=queue,
                crash_point=f"{consumers.service}.consumer.{_name(handler)}",
                needs_inbox=handler not in consumers.repeatable,
                max_size=self.prefetch,
            )
        return self._batchers[key]

    async def _bury(self, delivery: Delivery, error: Exception) -> None:
        async with self.db.begin() as uow:
            await bury(uow, delivery, error=error)
        metrics.messages_consumed.labels(delivery.queue, "dead").inc()
        log.error(
            "message_dead", queue=delivery.queue, key=delivery.routing_key, message_id=delivery.message_id,
            attempts=delivery.attempts + 1, error=repr(error),
        )  # fmt: skip


def _name(handler: Any) -> str:
    return getattr(handler, "__name__", type(handler).__name__)
