"""Many jobs at once over many clusters: each is done once, and memory does not grow with them. `SYNNEFO_NIGHT=1`: 1,000 over ten."""

from __future__ import annotations

import os
import resource
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from synnefo_common.testing.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # a fake Ganeti in a process of its own for each cluster

IS_NIGHT = os.environ.get("SYNNEFO_NIGHT") == "1"
CLUSTERS, JOBS = (10, 1000) if IS_NIGHT else (3, 90)


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


async def test_many_jobs_in_flight_are_done_once_each_in_flat_memory(make_cloud: Any, new_id: Any, params: Any) -> None:
    names = [f"c{number}" for number in range(CLUSTERS)]
    cloud = await make_cloud(*names, job_delay_s=0.02, max_jobs_in_flight=JOBS // CLUSTERS, rapi_timeout_s=60.0, resubmit_after_s=90.0)
    first = [await cloud.ask("instance.create", s, params(s), cluster=names[i % CLUSTERS]) for i, s in enumerate(new_id() for _ in range(CLUSTERS))]
    for token in first:
        await cloud.ended(token, timeout_s=60)
    before, began, cpu = _resident_mib(), time.monotonic(), time.process_time()
    tokens = [await cloud.ask("instance.create", s, params(s), cluster=names[i % CLUSTERS]) for i, s in enumerate(new_id() for _ in range(JOBS))]

    def all_ended() -> bool:
        return len([event for event in cloud.h.events if event.type == "ganeti.job.succeeded"]) >= JOBS + CLUSTERS

    await wait_until(all_ended, 560, what="all jobs")
    took, grown = time.monotonic() - began, _resident_mib() - before
    print(f"\n{JOBS} jobs: {took:.0f} s, {(time.process_time() - cpu) / JOBS * 1e3:.1f} ms of our CPU each, {grown:.1f} MiB more")
    seen: Counter[str] = Counter()
    for cluster in cloud.clusters.values():
        seen.update(entry[1] for job in await cluster.call("GET", "/2/jobs?bulk=1") for op in job["ops"] for entry in op["reason"])
    assert {seen[f"synnefo:{token}"] for token in tokens} == {1}
    assert grown < 64  # the test itself keeps all events
