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
outbox_rows = Gauge("synnefo_outbox_rows", "Outbox rows waiting, at most one batch of them.", ["service"])
outbox_age = Gauge("synnefo_outbox_oldest_seconds", "Age of the oldest outbox row waiting.", ["service"])
bus_up = Gauge("synnefo_bus_up", "1 while the relay can publish.", ["service"])
