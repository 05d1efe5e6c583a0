"""Counters of the block store, of each service that uses it. The store itself knows nothing of them: it calls an observer."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import Counter, Histogram

_operations = Counter(
    "synnefo_store_operations_total", "Calls to the block store's driver by outcome: ok, full, unavailable.", ["service", "operation", "outcome"]
)
_bytes = Counter(
    "synnefo_store_bytes_total", "Bytes that the block store's driver moved; a block that was there already moves none.", ["service", "operation"]
)
_seconds = Histogram(
    "synnefo_store_operation_seconds", "Time of a call to the block store's driver.", ["service", "operation"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30),
)  # fmt: skip


def store_observer(service: str) -> Callable[[str, str, float, int], None]:
    """The observer to open a store with."""

    def observe(operation: str, outcome: str, seconds: float, size: int) -> None:
        _operations.labels(service, operation, outcome).inc()
        _seconds.labels(service, operation).observe(seconds)
        if size:
            _bytes.labels(service, operation).inc(size)

    return observe
