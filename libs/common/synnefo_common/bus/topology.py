"""Exchanges, queues and keys: the one place where their names and arguments are fixed.

Every argument is explicit because the defaults differ between RabbitMQ versions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from synnefo_common.contracts.envelope import EVENTS, JOBS

DEAD = "synnefo.dead"

DELIVERY_LIMIT = 10  # failures of a handler before a message is put aside
CRASH_LIMIT = 20  # deliveries whose consumer died without an answer before the broker puts it aside
RETRY_DELAY_S = 5.0
MAX_LENGTH = 1_000_000


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable queue on one exchange. `patterns` are topic patterns (`*` one word, `#` any number)."""

    name: str
    exchange: str
    patterns: tuple[str, ...]
    is_single_consumer: bool = False

    @property
    def retry_name(self) -> str:
        """Where failed messages wait before they come back."""
        return f"{self.name}.retry"


def events_queue(service: str, patterns: tuple[str, ...] | list[str]) -> Queue:
    """The one queue of a service on the events exchange."""
    return Queue(f"{service}.events", EVENTS, tuple(sorted(set(patterns))))


def cluster_queue(cluster: str) -> Queue:
    """The jobs of one Ganeti cluster, handled by one consumer at a time."""
    return Queue(f"ganeti.jobs.{cluster}", JOBS, (job_routing_key(cluster, "#"),), is_single_consumer=True)


def job_routing_key(cluster: str, verb: str) -> str:
    """The key of a job: the cluster's name is one word in it, whatever dots a host name has."""
    return f"ganeti.{cluster.replace('.', '%2E')}.{verb}"


def dead_queue() -> Queue:
    """What the broker itself put aside."""
    return Queue(DEAD, DEAD, ("#",))


def must_be_routed(exchange: str, routing_key: str) -> bool:
    """True where a message without a queue is a message lost: jobs, and what moves the quota ledger."""
    return exchange == JOBS or routing_key.startswith("quota.")


def matches(pattern: str, key: str) -> bool:
    """Topic match as AMQP defines it."""
    if pattern == key:
        return True
    if "*" not in pattern and "#" not in pattern:
        return False
    return _match(pattern.split("."), key.split("."))


def _match(pattern: list[str], words: list[str]) -> bool:
    if not pattern:
        return not words
    head, rest = pattern[0], pattern[1:]
    if head == "#":
        return any(_match(rest, words[i:]) for i in range(len(words) + 1))
    return bool(words) and head in ("*", words[0]) and _match(rest, words[1:])


def queue_arguments(queue: Queue) -> dict[str, Any]:
    """Arguments of a main queue in RabbitMQ."""
    arguments: dict[str, Any] = {
        "x-queue-type": "quorum",
        "x-delivery-limit": CRASH_LIMIT,
        "x-dead-letter-exchange": DEAD,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
        "x-max-length": MAX_LENGTH,
    }
    if queue.is_single_consumer:
        arguments["x-single-active-consumer"] = True
    return arguments


def retry_queue_arguments(queue: Queue, *, delay_s: float) -> dict[str, Any]:
    """Arguments of the queue where failed messages wait: they expire back into the main queue."""
    return {
        "x-queue-type": "quorum",
        "x-message-ttl": int(delay_s * 1000),
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": queue.name,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
        "x-max-length": MAX_LENGTH,
    }


def dead_queue_arguments() -> dict[str, Any]:
    """Arguments of the queue of dead messages: nothing leaves it but by an operator."""
    return {"x-queue-type": "quorum", "x-overflow": "reject-publish", "x-max-length": MAX_LENGTH}
