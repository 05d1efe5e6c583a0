"""Requests by route: rate, errors, duration. One registry per application, since one process may hold several."""

from __future__ import annotations

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


class RequestMetrics:
    """`synnefo_requests_total`, `synnefo_request_seconds`, `synnefo_requests_in_flight`."""

    def __init__(self, service: str) -> None:
        self.registry = CollectorRegistry()
        labels = ["service", "method", "route", "status"]
        self._total = Counter("synnefo_requests", "Requests answered.", labels, registry=self.registry)
        self._seconds = Histogram(
            "synnefo_request_seconds", "Time to answer, seconds.", ["service", "method", "route"], buckets=_BUCKETS, registry=self.registry
        )
        self._in_flight = Gauge("synnefo_requests_in_flight", "Requests being answered.", ["service"], registry=self.registry)
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

    def render(self) -> bytes:
        """This application's metrics and the process's."""
        return generate_latest(self.registry) + generate_latest(REGISTRY)
