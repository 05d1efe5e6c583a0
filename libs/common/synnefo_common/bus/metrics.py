"""Counters and gauges of messaging."""

from prometheus_client import Counter, Gauge

messages_consumed = Counter(
    "synnefo_messages_consumed_total",
    "Deliveries by what became of them: handled, duplicate, ignored, failed, dead.",
    ["queue", "outcome"],
)
messages_published = Counter(
    "synnefo_messages_published_total", "Outbox rows by outcome: confirmed, refused.", ["service", "outcome"]
)
bus_up = Gauge("synnefo_bus_up", "1 while the relay can publish.", ["service"])
