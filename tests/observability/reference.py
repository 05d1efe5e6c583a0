"""docs/metrics.md from the code: `python -m tests.observability.reference` prints it."""

import asyncio
import importlib
import logging
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry

from synnefo_common.settings import SERVICES
from synnefo_common.testing import Harness

_STORE_USERS = ("image", "volume", "object")
_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
_HEAD = """# Metrics

Each service shows its metrics in Prometheus' text format at `GET /metrics` on its API's port, without a token; the gateway does not pass it on.
A worker process without API shows what it counts on `worker_port`, where that is set. Beside the metrics below there are the Prometheus
client's own of the process (`process_*`, `python_*`).

- *Shown by an API*: requests are those of one process: add them up. Gauges of state are read from the service's database at each scrape, and all
  API processes of a service show the same: take the maximum.
- *Shown by the process that does it*: counted where it happens, mostly in workers: add them up. In the embedded profile all services are one
  process, and each of its ports shows these: ask one of them only.

For alerts see [runbook.md](runbook.md), for boards `deploy/grafana`. This file is written by `make docs`.

| Name | Kind | Labels | Shown by | Meaning |
|---|---|---|---|---|
"""


@dataclass
class Metric:
    """One family."""

    name: str
    kind: str
    labels: tuple[str, ...]
    text: str
    services: set[str] = field(default_factory=set)

    @property
    def shown_name(self) -> str:
        """As it is asked for."""
        return f"{self.name}_total" if self.kind == "counter" else self.name

    @property
    def series(self) -> set[str]:
        """The names that an expression may use."""
        return {self.name + suffix for suffix in _SUFFIXES[self.kind]}


async def collect() -> dict[str, Metric]:
    """Every metric of every service, as one process that holds them all shows it."""
    found: dict[str, Metric] = {}
    for service in SERVICES:
        package = f"synnefo_{service}"
        build: Any = importlib.import_module(f"{package}.main").build
        settings: Any = importlib.import_module(f"{package}.settings").Settings
        overrides = {"store_url": "memory:"} if service in _STORE_USERS else {"service_password": "x"}
        async with Harness(build, settings, overrides, work=False) as h:
            metrics = h.service.app.state.metrics
            await metrics.render()
            for metric in _families(metrics.registry):
                found.setdefault(metric.name, metric).services.add(service)
    for metric in _families(REGISTRY):
        found.setdefault(metric.name, metric)
    return dict(sorted(found.items()))


def _families(registry: CollectorRegistry) -> list[Metric]:
    labels: dict[str, tuple[str, ...]] = defaultdict(tuple)
    for collector in registry._collector_to_names:
        for family in collector.collect():
            names: Any = getattr(collector, "_labelnames", None) or getattr(family, "_labelnames", None)
            labels[family.name] = tuple(names or ())
    return [
        Metric(f.name, f.type, labels[f.name], f.documentation) for f in registry.collect() if f.name.startswith("synnefo_")
    ]


def render(metrics: dict[str, Metric]) -> str:
    """The document."""
    lines = []
    for metric in metrics.values():
        if not metric.services:
            by = "the process that does it"
        elif metric.services == set(SERVICES):
            by = "every API"
        else:
            by = ", ".join(sorted(metric.services))
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        lines.append(f"| `{metric.shown_name}` | {metric.kind} | {labels} | {by} | {metric.text} |\n")
    return _HEAD + "".join(lines)


if __name__ == "__main__":
    logging.disable()
    print(render(asyncio.run(collect())), end="")
