"""Messages between services: published with confirm, consumed exactly once in effect. Services emit through the UoW."""

from synnefo_common.bus.api import Bus, BusUnavailable, Delivery, Outgoing, Undeliverable
from synnefo_common.bus.consumer import ConsumerRunner, Consumers
from synnefo_common.bus.memory import Chaos, MemoryBus
from synnefo_common.bus.relay import Relay
from synnefo_common.bus.topology import Queue, cluster_queue, dead_queue, events_queue

__all__ = [
    "Bus", "BusUnavailable", "Chaos", "ConsumerRunner", "Consumers", "Delivery", "MemoryBus", "Outgoing", "Queue",
    "Relay", "Undeliverable", "cluster_queue", "dead_queue", "events_queue",
]  # fmt: skip
