"""The gauges of state tell the truth at the scrape, whoever does or does not do the work."""

import re
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from synnefo_common.bus import Delivery
from synnefo_common.bus.inbox import bury
from synnefo_common.contracts.envelope import Event
from synnefo_common.testing import Harness
from synnefo_compute.db import clusters
from synnefo_compute.main import build
from synnefo_compute.settings import Settings


@pytest.fixture
async def h() -> AsyncIterator[Harness]:
    async with Harness(build, Settings, work=False) as harness:
        yield harness


async def scrape(h: Harness) -> dict[str, float]:
    answer = await h.anonymous().get("/metrics")
    assert answer.status_code == 200
    return {m[1]: float(m[2]) for m in re.finditer(r"^(\S+(?:\{.*\})?) (\S+)$", answer.text, re.MULTILINE) if not m[1].startswith("#")}


async def test_outbox_is_seen_growing_old_without_a_relay(h: Harness) -> None:
    assert (await scrape(h))['synnefo_outbox_oldest_seconds{service="compute"}'] == 0
    async with h.db.begin() as uow:
        uow.emit(Event("compute.server.created", "server", "s", {}))
    h.clock.advance(90)
    seen = await scrape(h)
    assert seen['synnefo_outbox_rows{service="compute"}'] == 1
    assert 90 <= seen['synnefo_outbox_oldest_seconds{service="compute"}'] < 100


async def test_dead_letters_are_counted_by_queue(h: Harness) -> None:
    async with h.db.begin() as uow:
        for number in range(2):
            await bury(uow, Delivery("compute.events", "a.b", f"m{number}", b"{}"), error=ValueError("no"))
    assert (await scrape(h))['synnefo_dead_letters{queue="compute.events",service="compute"}'] == 2


async def test_sagas_are_counted_by_the_name_of_their_step_with_the_age_of_the_oldest(h: Harness) -> None:
    engine = h.service.sagas
    assert engine is not None
    name, saga = next(iter(engine.sagas.items()))
    async with h.db.begin() as uow:
        await engine.start(uow, name)
        await engine.start(uow, name)
    h.clock.advance(1000)
    seen = await scrape(h)
    [count] = [value for key, value in seen.items() if key.startswith("synnefo_sagas{") and f'step="{saga.steps[0].name}"' in key]
    [age] = [value for key, value in seen.items() if key.startswith("synnefo_saga_oldest_seconds{")]
    assert count == 2
    assert 1000 <= age < 1010


async def test_capacity_is_shown_with_what_is_promised(h: Harness) -> None:
    report = {
        "name": "alpha", "online": True, "drained": False, "zone": "nova", "hypervisors": ["fake"], "disk_templates": ["ext"], "nodes": 1,
        "ram_total_mib": 1024, "ram_free_mib": 512, "disk_total_gib": 100, "disk_free_gib": 90, "cpu_total": 4, "instances": 3, "cpu_used": 5,
        "reported_at": h.clock.now_us(),
    }  # fmt: skip
    async with h.db.begin() as uow:
        await clusters.put_report(uow, report)
        assert await clusters.reserve(uow, {"server_id": "s", "cluster": "alpha", "vcpus": 1, "ram_mib": 128, "disk_gib": 1}, turn=0)
    seen = await scrape(h)
    assert seen['synnefo_cluster_memory_bytes{cluster="alpha"}'] == 1 << 30
    assert seen['synnefo_cluster_memory_free_bytes{cluster="alpha"}'] == 1 << 29
    assert seen['synnefo_cluster_memory_promised_bytes{cluster="alpha"}'] == 128 << 20
    assert seen['synnefo_cluster_cpus_used{cluster="alpha"}'] == 5


async def test_without_the_database_the_scrape_answers_and_says_so(h: Harness) -> None:
    assert (await scrape(h))['synnefo_database_up{service="compute"}'] == 1
    async with h.db.begin() as uow:
        await uow.run(clusters.clusters.delete())
        await uow.run(text("ALTER TABLE outbox RENAME TO hidden"))
    seen = await scrape(h)
    assert seen['synnefo_database_up{service="compute"}'] == 0
    assert not any(key.startswith("synnefo_outbox_rows") for key in seen)
