"""What a bus is, whatever carries it. `memory` and `rabbit` implement it; one contract suite runs on both."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from synnefo_common.bus.topology import Queue


class BusUnavailable(Exception):
    """The bus as a whole does not answer: nothing can be published now; what was in flight may have arrived."""


class Undeliverable(Exception):
    """This message was not taken (no queue for a key that needs one, queue full, a consumer failed); others may be."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to publish."""

    exchange: str
    routing_key: str
    message_id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message received. `attempts` counts earlier deliveries that failed, as far as the transport knows."""

    queue: str
    routing_key: str
    message_id: str
    body: bytes
    attempts: int = 0


Handler = Callable[[Delivery], Awaitable[None]]
"""Returning acknowledges; raising asks for the message again later. The handler itself ends a hopeless message."""


class Bus(Protocol):
    """At-least-once transport between services."""

    async def start(self, *, wait_s: float = 5.0) -> None:
        """Connect; after `wait_s` without a broker go on trying in the background. Never raises for an absent one."""

    async def close(self) -> None:
        """Stop consuming and disconnect. What is unacknowledged will come again."""

    async def declare(self, queue: Queue) -> None:
        """Make the queue exist and be bound, now or when the broker is there. From then on nothing for it is lost."""

    async def remove(self, queue: Queue) -> None:
        """Stop consuming the queue and delete it with what is in it."""

    async def publish(self, message: Outgoing) -> None:
        """Return when the message is safe. Raises BusUnavailable or Undeliverable."""

    async def consume(self, queue: Queue, handler: Handler, *, prefetch: int = 32) -> None:
        """Declare the queue and call the handler for each message, up to `prefetch` at a time, until `close`."""

    @property
    def is_connected(self) -> bool:
        """Whether publishing can be expected to work (readiness, gauges)."""
