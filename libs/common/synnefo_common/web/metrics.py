"""Requests by route: rate, errors, duration. One registry per application, since one process may hold several."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

Reader = Callable[[], Awaitable[Sequence[GaugeMetricFamily]]]
"""Reads gauges of a service's state from its database at the time of the scrape."""

_READ_WITHIN_S = 5.0
_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


class RequestMetrics:
    """What one application shows: its requests, its state as its readers see it, and what the process counts."""

    def __init__(self, service: str) -> None:
        self.registry = CollectorRegistry()
        labels = ["service", "method", "route", "status"]
        self._total = Counter("synnefo_requests", "Requests answered.", labels, registry=self.registry)
        self._seconds = Histogram(
            "synnefo_request_seconds", "Time to answer, seconds.", ["service", "method", "route"], buckets=_BUCKETS, registry=self.registry
        )
        self._in_flight = Gauge("synnefo_requests_in_flight", "Requests being answered.", ["service"], registry=self.registry)
        self._readable = Gauge(
            "synnefo_database_up", "1 if the gauges of state could be read from the database for this scrape.", ["service"], registry=self.registry
        )
        self._readers: list[Reader] = []
        self._state = _State()
        self.registry.register(self._state)
        self.in_flight = self._in_flight.labels(service)
        self._service = service
        self._known: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answer."""
        key = (method, route, status)
        children = self._known.get(key)
        if children is None:
            children = (
                self._total.labels(self._service, method, route, str(status)), self._seconds.labels(self._service, method, route)
            )  # fmt: skip
            self._known[key] = children
        children[0].inc()
        children[1].observe(seconds)

    def add_readers(self, *readers: Reader) -> None:
        """Gauges to read at each scrape."""
        self._readers += readers

    async def render(self) -> bytes:
        """This application's metrics and the process's. Without the database its gauges are absent and `synnefo_database_up` is 0."""
        families: list[GaugeMetricFamily] = []
        is_up = True
        try:
            async with asyncio.timeout(_READ_WITHIN_S):
                for read in self._readers:
                    families += await read()
        except (SQLAlchemyError, OSError):  # a TimeoutError is an OSError
            families, is_up = [], False
        self._readable.labels(self._service).set(is_up)
        self._state.families = families
        return generate_latest(self.registry) + generate_latest(REGISTRY)


class _State(Collector):
    """What the readers found last, in the form that a registry collects."""

    def __init__(self) -> None:
        self.families: Sequence[GaugeMetricFamily] = ()

    def collect(self) -> Sequence[GaugeMetricFamily]:
        return self.families
