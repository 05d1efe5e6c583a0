"""The event as a service says it, and the envelope in which it travels. Payloads are in the sibling modules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

EVENTS = "synnefo.events"
JOBS = "synnefo.jobs"


@dataclass(frozen=True, slots=True)
class Event:
    """What `UnitOfWork.emit` takes. `type` is past tense (`network.port.created`); a job, imperative, goes to `JOBS`.

    Events of one (`aggregate`, `aggregate_id`) are published in the order of their transactions.
    """

    type: str
    aggregate: str
    aggregate_id: str
    data: Mapping[str, Any]
    exchange: str = EVENTS
    routing_key: str = ""  # empty: the type
    version: int = 1

    @property
    def key(self) -> str:
        """The routing key."""
        return self.routing_key or self.type


class MalformedMessage(ValueError):
    """The bytes are no envelope."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message as a consumer sees it. `aggregate_seq` grows per aggregate (it has gaps): the older one is stale."""

    id: str
    type: str
    version: int
    occurred_at: int
    aggregate: str
    aggregate_id: str
    aggregate_seq: int
    data: dict[str, Any]
    causation_id: str | None = None
    correlation_id: str | None = None
    traceparent: str | None = None
    routing_key: str = ""  # as received; not part of the bytes

    def to_bytes(self) -> bytes:
        """The wire form: one JSON object."""
        return envelope_body(self)[:-1] + b',"aggregate_seq":%d}' % self.aggregate_seq

    @classmethod
    def from_bytes(cls, body: bytes, *, routing_key: str = "") -> Envelope:
        """Read the wire form; fields that we do not know are passed over. Raises MalformedMessage."""
        try:
            raw = orjson.loads(body)
            return cls(
                id=raw["id"], type=raw["type"], version=raw["version"], occurred_at=raw["occurred_at"],
                aggregate=raw["aggregate"], aggregate_id=raw["aggregate_id"], aggregate_seq=raw["aggregate_seq"],
                data=raw["data"], causation_id=raw.get("causation_id"), correlation_id=raw.get("correlation_id"),
                traceparent=raw.get("traceparent"), routing_key=routing_key or raw["type"],
            )  # fmt: skip
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise MalformedMessage(f"not an envelope: {error}") from error


def envelope_body(message: Envelope) -> bytes:
    """The wire form without `aggregate_seq`, which is known only when the outbox row has its number."""
    return orjson.dumps(
        {
            "id": message.id,
            "type": message.type,
            "version": message.version,
            "occurred_at": message.occurred_at,
            "aggregate": message.aggregate,
            "aggregate_id": message.aggregate_id,
            "causation_id": message.causation_id,
            "correlation_id": message.correlation_id,
            "traceparent": message.traceparent,
            "data": message.data,
        }
    )
