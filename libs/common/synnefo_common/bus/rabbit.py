"""The bus on RabbitMQ: the only importer of aio-pika.

Two connections, because the broker stops reading a publisher's when memory is short, and acknowledgements must pass.
Each is made anew after any loss, with all that was declared and consumed: a message in flight then is published or
delivered again. A handler's failure sends a copy to the retry queue, whence it comes back after a pause.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange, AbstractIncomingMessage
from aio_pika.exceptions import AMQPError, ChannelPreconditionFailed, DeliveryError

from synnefo_common.bus.api import BusUnavailable, Delivery, Handler, Outgoing, Undeliverable
from synnefo_common.bus.topology import (
    DEAD,
    RETRY_DELAY_S,
    Queue,
    dead_queue_arguments,
    must_be_routed,
    queue_arguments,
    retry_queue_arguments,
)
from synnefo_common.contracts.envelope import EVENTS, JOBS
from synnefo_common.log import get_logger

log = get_logger(__name__)

ATTEMPTS = "x-synnefo-attempts"
ORIGINAL_KEY = "x-synnefo-key"

_LOSSES = (AMQPError, OSError, TimeoutError, EOFError, RuntimeError)  # aiormq reports a lost connection as any of these
_MAX_BACKOFF_S = 5.0
_MOST_CHANNELS = 64
"""Channels for publishing; kinds of messages beyond that share one per exchange."""


class RabbitBus:
    """`Bus` on a RabbitMQ broker. `url`: `amqp://user:password@host:port/vhost`."""

    def __init__(
        self, url: str, *, publish_timeout_s: float = 10.0, consume_timeout_s: float = 5.0,
        retry_delay_s: float = RETRY_DELAY_S, heartbeat_s: int = 10
    ) -> None:
        url = f"{url}{'&' if '?' in url else '?'}heartbeat={heartbeat_s}"
        self.publish_timeout_s = publish_timeout_s
        self.consume_timeout_s = consume_timeout_s
        self.retry_delay_s = retry_delay_s
        self._queues: dict[str, Queue] = {}
        self._consumers: dict[str, _Consumer] = {}
        self._exchanges: dict[str, AbstractExchange] = {}  # by exchange and kind of message: see `_exchange`
        self._opening = asyncio.Lock()
        self._trying: set[asyncio.Task[None]] = set()
        self._publishing = _Link(url, "publish", self._set_up_publishing)
        self._consuming = _Link(url, "consume", self._set_up_consuming)

    @property
    def is_connected(self) -> bool:
        return self._publishing.is_up

    async def start(self, *, wait_s: float = 5.0) -> None:
        self._publishing.start()
        self._consuming.start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._publishing.up.wait()
                await self._consuming.up.wait()

    async def close(self) -> None:
        for task in list(self._trying):
            task.cancel()
        await self._consuming.stop()
        await self._publishing.stop()

    async def declare(self, queue: Queue) -> None:
        self._queues[queue.name] = queue
        await self._publishing.do(lambda connection: self._declare(connection, [queue]))

    async def remove(self, queue: Queue) -> None:
        self._queues.pop(queue.name, None)
        consumer = self._consumers.pop(queue.name, None)
        if consumer is not None and consumer.channel is not None:
            channel, consumer.channel = consumer.channel, None
            with contextlib.suppress(*_LOSSES):
                await channel.close()

        async def delete(connection: AbstractConnection) -> None:
            async with connection.channel() as channel:
                for name in (queue.name, queue.retry_name):
                    await channel.queue_delete(name)

        await self._publishing.do(delete)

    async def consume(self, queue: Queue, handler: Handler, *, prefetch: int = 32) -> None:
        self._queues[queue.name] = queue
        consumer = self._consumers[queue.name] = _Consumer(queue, handler, prefetch)
        await self._consuming.do(lambda connection: self._begin_consuming(connection, [consumer]))

    async def publish(self, message: Outgoing) -> None:
        await self._publish(
            message.exchange,
            message.routing_key,
            aio_pika.Message(
                message.body,
                message_id=message.message_id,
                content_type="application/json",
                delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            ),
            is_mandatory=must_be_routed(message.exchange, message.routing_key),
        )

    async def _publish(self, exchange: str, key: str, message: aio_pika.Message, *, is_mandatory: bool) -> None:
        try:
            async with asyncio.timeout(self.publish_timeout_s):
                target = await self._exchange(exchange, key)
                await target.publish(message, key, mandatory=is_mandatory)
        except DeliveryError as error:  # returned as unroutable, or refused by a full queue
            raise Undeliverable(f"{key}: {error!r}") from error
        except TimeoutError as error:
            if not self._publishing.is_up:
                raise BusUnavailable("the connection was lost") from error
            # The broker is there, a queue behind it does not answer: whoever publishes to others need not wait.
            raise Undeliverable(f"{key}: not confirmed within {self.publish_timeout_s:g} s") from error
        except _LOSSES as error:
            raise BusUnavailable(repr(error)) from error
        except asyncio.CancelledError as error:
            if _is_canceled():
                raise
            raise BusUnavailable("the connection was lost") from error

    async def _exchange(self, exchange: str, key: str) -> AbstractExchange:
        """The exchange on a channel for this kind of message: a channel stands still while one of its queues does."""
        connection = self._publishing.connection if self._publishing.is_up else None
        if connection is None:
            raise BusUnavailable("no connection to the broker")
        kind = f"{exchange} {'.'.join(key.split('.')[:2])}"
        if kind not in self._exchanges and len(self._exchanges) >= _MOST_CHANNELS:
            kind = exchange
        known = self._exchanges.get(kind)
        if known is None:
            async with self._opening:
                known = self._exchanges.get(kind)
                if known is None and self._publishing.connection is connection:
                    channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
                    await self._publishing.watch(channel)
                    known = channel.default_exchange if not exchange else await channel.get_exchange(exchange, ensure=False)
                    self._exchanges[kind] = known
        if known is None:
            raise BusUnavailable("the connection was lost")
        return known

    # what is done on each new connection

    async def _set_up_publishing(self, connection: AbstractConnection) -> None:
        self._exchanges = {}
        await self._declare(connection, list(self._queues.values()))

    async def _set_up_consuming(self, connection: AbstractConnection) -> None:
        await self._begin_consuming(connection, list(self._consumers.values()))

    async def _begin_consuming(self, connection: AbstractConnection, consumers: list[_Consumer]) -> None:
        """All side by side. A queue that does not answer is waited for in the background: the others' messages come."""
        tasks = {asyncio.create_task(self._keep_trying(connection, consumer)) for consumer in consumers}
        self._trying |= tasks
        for task in tasks:
            task.add_done_callback(self._trying.discard)
        if tasks:
            await asyncio.wait(tasks, timeout=self.consume_timeout_s)

    async def _keep_trying(self, connection: AbstractConnection, consumer: _Consumer) -> None:
        """Until it consumes; whoever loses the connection or no longer wants the consumer ends it."""
        name, failures = consumer.queue.name, 0
        while self._consuming.connection is connection and self._consumers.get(name) is consumer:
            try:
                await self._consume(connection, consumer)
            except _LOSSES as error:
                if connection.is_closed:
                    return
                failures += 1
                log.warning("queue_not_consumed", queue=name, error=repr(error))
                await asyncio.sleep(min(_MAX_BACKOFF_S, 0.1 * 2 ** min(failures, 8)))
            else:
                return

    async def _declare(self, connection: AbstractConnection, queues: list[Queue]) -> None:
        async with connection.channel() as channel:
            for name in (EVENTS, JOBS, DEAD):
                await channel.declare_exchange(name, aio_pika.ExchangeType.TOPIC, durable=True)
            dead = await channel.declare_queue(DEAD, durable=True, arguments=dead_queue_arguments())
            await dead.bind(DEAD, "#")
            for queue in queues:
                retry = retry_queue_arguments(queue, delay_s=self.retry_delay_s)
                await channel.declare_queue(queue.retry_name, durable=True, arguments=retry)
                declared = await channel.declare_queue(queue.name, durable=True, arguments=queue_arguments(queue))
                for pattern in queue.patterns:
                    await declared.bind(queue.exchange, pattern)

    async def _consume(self, connection: AbstractConnection, consumer: _Consumer) -> None:
        await self._declare(connection, [consumer.queue])
        channel = await connection.channel()
        consumer.channel = channel
        await self._consuming.watch(channel, is_wanted=lambda: consumer.channel is channel)
        await channel.set_qos(prefetch_count=consumer.prefetch)
        source = await channel.get_queue(consumer.queue.name, ensure=False)

        async def handle(message: AbstractIncomingMessage) -> None:
            await self._handle(consumer, message)

        await source.consume(handle)

    async def _handle(self, consumer: _Consumer, message: AbstractIncomingMessage) -> None:
        attempts = message.headers.get(ATTEMPTS, 0)
        key = message.headers.get(ORIGINAL_KEY) or message.routing_key or ""
        delivery = Delivery(
            consumer.queue.name, str(key), message.message_id or "", message.body,
            attempts=attempts if isinstance(attempts, int) else 0,
        )  # fmt: skip
        try:
            await consumer.handler(delivery)
        except Exception:  # noqa: BLE001 - part of the consumer loop, which has logged it
            await self._send_to_retry(consumer, message, delivery)
            return
        with contextlib.suppress(*_LOSSES):  # it will come again, and the inbox knows it
            await message.ack()

    async def _send_to_retry(self, consumer: _Consumer, message: AbstractIncomingMessage, delivery: Delivery) -> None:
        copy = aio_pika.Message(
            message.body,
            message_id=message.message_id,
            content_type=message.content_type,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            headers={ATTEMPTS: delivery.attempts + 1, ORIGINAL_KEY: delivery.routing_key},
        )
        try:
            await self._publish("", consumer.queue.retry_name, copy, is_mandatory=True)
        except (BusUnavailable, Undeliverable) as error:
            log.warning("retry_not_queued", queue=consumer.queue.name, error=str(error))
            await asyncio.sleep(self.retry_delay_s)
            with contextlib.suppress(*_LOSSES):
                await message.nack(requeue=True)
            return
        with contextlib.suppress(*_LOSSES):
            await message.ack()


@dataclass
class _Consumer:
    queue: Queue
    handler: Handler
    prefetch: int
    channel: AbstractChannel | None = None


class _Link:
    """One connection, made again whenever it or a channel watched is lost. `set_up` is called on each new one."""

    def __init__(self, url: str, name: str, set_up: Callable[[AbstractConnection], Awaitable[None]]) -> None:
        self.name = name
        self.up = asyncio.Event()
        self._url = url
        self._set_up = set_up
        self._lost = asyncio.Event()
        self._connection: AbstractConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._changing = asyncio.Lock()

    @property
    def is_up(self) -> bool:
        return self.up.is_set() and not self._lost.is_set()

    @property
    def connection(self) -> AbstractConnection | None:
        return self._connection

    def start(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"rabbit {self.name}")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def do(self, work: Callable[[AbstractConnection], Awaitable[None]]) -> None:
        """Do it on the connection if there is one; whatever goes wrong, `set_up` of the next does it."""
        async with self._changing:
            if not self.is_up or self._connection is None:
                return
            try:
                await work(self._connection)
            except _LOSSES as error:
                log.warning("rabbit_work_failed", link=self.name, error=repr(error))
                self._lost.set()

    async def watch(self, channel: AbstractChannel, *, is_wanted: Callable[[], bool] = lambda: True) -> None:
        """The end of this channel, or of its consumer by the broker, ends the link, unless no longer wanted."""

        def gone(*_args: Any) -> None:
            if is_wanted():
                self._lost.set()

        channel.close_callbacks.add(gone)
        (await channel.get_underlay_channel()).on_consumer_cancel_callbacks.add(gone)

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                await self._connect()
                failures = 0
                await self._lost.wait()
                log.warning("rabbit_connection_lost", link=self.name)
            except ChannelPreconditionFailed as error:
                failures += 1
                log.error("rabbit_topology_differs", link=self.name, error=str(error))  # noqa: TRY400 - the broker's text says all
            except _LOSSES as error:
                failures += 1
                log.warning("rabbit_connect_failed", link=self.name, error=repr(error))
            except asyncio.CancelledError:
                if _is_canceled():
                    await self._drop()
                    raise
                failures += 1
            await self._drop()
            await asyncio.sleep(min(_MAX_BACKOFF_S, 0.1 * 2 ** min(failures, 8)))

    async def _connect(self) -> None:
        async with self._changing:
            self._lost.clear()
            async with asyncio.timeout(30):
                connection = await aio_pika.connect(self._url, client_properties={"connection_name": self.name})
                self._connection = connection
                connection.close_callbacks.add(lambda *_args: self._lost.set())
                await self._set_up(connection)
            self.up.set()

    async def _drop(self) -> None:
        self.up.clear()
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(*_LOSSES):
                async with asyncio.timeout(5):
                    await connection.close()


def _is_canceled() -> bool:
    """Whether this task is to end, as opposed to a future of the client library having been dropped."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
