"""Gauges of the jobs that are not ended, and of which clusters answer."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client.core import GaugeMetricFamily

from synnefo_common.clock import MICROS
from synnefo_dispatcher.app.core import Dispatcher
from synnefo_dispatcher.db import clusters as db_clusters
from synnefo_dispatcher.db import jobs as db_jobs


async def read_jobs(dispatcher: Dispatcher) -> Sequence[GaugeMetricFamily]:
    """Two statements."""
    async with dispatcher.db.read() as uow:
        clusters = await db_clusters.list_clusters(uow)
        jobs = await db_jobs.unfinished_by_cluster(uow)
    now = dispatcher.clock.now_us()
    answers = GaugeMetricFamily("synnefo_rapi_up", "1 if the cluster's RAPI answered last time; none for one set offline.", labels=["cluster"])
    for row in clusters:
        if not row.offline:
            answers.add_metric([row.name], float(row.is_online))
    count = GaugeMetricFamily("synnefo_jobs", "Jobs for Ganeti that have not ended, by state.", labels=["cluster", "state"])
    age = GaugeMetricFamily("synnefo_job_oldest_seconds", "Age of the oldest job that has not ended.", labels=["cluster", "state"])
    for row in jobs:
        count.add_metric([row.cluster, row.state], row.number)
        age.add_metric([row.cluster, row.state], (now - row.oldest) / MICROS)
    return [answers, count, age]
