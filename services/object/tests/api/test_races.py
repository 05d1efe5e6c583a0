"""Many at once: one whole winner, counters that equal the listing."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from synnefo_common.db.recorder import record_queries
from synnefo_common.testing import Harness
from synnefo_object.main import build
from synnefo_object.settings import Settings

pytestmark = pytest.mark.slow  # hundreds of requests at once

A = f"/v1/AUTH_{Harness.project_id}"


@pytest_asyncio.fixture
async def quiet(database_url: str) -> AsyncIterator[Harness]:
    """Without workers."""
    async with Harness(build, Settings, {"store_url": "memory:"}, database_url=database_url, work=False) as harness:
        yield harness


async def test_concurrent_puts_of_one_object(h: Harness) -> None:
    me = h.as_member()
    await me.put(f"{A}/c")
    bodies = [bytes([65 + i % 26]) * (100 + i) for i in range(50)]
    answers = await asyncio.gather(*(me.put(f"{A}/c/o", content=body) for body in bodies))
    assert {r.status_code for r in answers} == {201}
    r = await me.get(f"{A}/c/o")
    assert r.content in bodies and r.headers["etag"] == hashlib.md5(r.content).hexdigest()
    head = (await me.head(f"{A}/c")).headers
    assert (head["x-container-object-count"], head["x-container-bytes-used"]) == ("1", str(len(r.content)))


async def test_only_one_of_many_makes_a_new_object(h: Harness) -> None:
    me = h.as_member()
    await me.put(f"{A}/c")
    answers = await asyncio.gather(*(me.put(f"{A}/c/o", content=b"%d" % i, headers={"If-None-Match": "*"}) for i in range(20)))
    assert sorted(r.status_code for r in answers) == [201] + [412] * 19


async def test_storm_leaves_counters_equal_to_the_listing(h: Harness) -> None:
    me = h.as_member()
    for c in ("c0", "c1"):
        await me.put(f"{A}/{c}")

    async def worker(seed: int) -> None:
        for i in range(12):
            name = f"c{(seed + i) % 2}/o{(seed * 7 + i * 3) % 5}"
            match (seed + i) % 4:
                case 0 | 1:
                    await me.put(f"{A}/{name}", content=b"x" * ((seed * 31 + i) % 200))
                case 2:
                    await me.delete(f"{A}/{name}")
                case _:
                    await me.request("COPY", f"{A}/{name}", headers={"Destination": f"c0/o{i % 5}"})

    await asyncio.gather(*(worker(i) for i in range(10)))
    held = 0
    for c in ("c0", "c1"):
        rows = (await me.get(f"{A}/{c}?format=json")).json()
        head = (await me.head(f"{A}/{c}")).headers
        assert int(head["x-container-object-count"]) == len(rows)
        assert int(head["x-container-bytes-used"]) == sum(r["bytes"] for r in rows)
        held += sum(r["bytes"] for r in rows)
    assert int((await me.head(A)).headers["x-account-bytes-used"]) == held


async def test_container_deleted_during_uploads(h: Harness) -> None:
    me = h.as_member()
    for _ in range(10):
        await me.put(f"{A}/c")
        put, gone = await asyncio.gather(me.put(f"{A}/c/o", content=b"x"), me.delete(f"{A}/c"))
        assert (put.status_code, gone.status_code) in ((201, 409), (404, 204))
        await me.delete(f"{A}/c/o")
        await me.delete(f"{A}/c")
    head = (await me.head(A)).headers
    assert (head["x-account-object-count"], head["x-account-container-count"]) == ("0", "0")


async def test_statements(quiet: Harness) -> None:
    me = quiet.as_member()
    await me.put(f"{A}/c")
    with record_queries(quiet.db) as q:
        await me.put(f"{A}/c/o", content=b"hello")
    assert q.count <= 3
    with record_queries(quiet.db) as q:
        await me.get(f"{A}/c/o")
    assert q.count == 1
    for i in range(30):
        await me.put(f"{A}/c/d{i}/x", content=b"")
    with record_queries(quiet.db) as q:
        assert len((await me.get(f"{A}/c?format=json&delimiter=/")).json()) == 31
    assert q.count <= 2
    with record_queries(quiet.db) as q:
        await me.delete(f"{A}/c/o")
    assert q.count <= 3


async def test_ledger_and_reports_add_up(h: Harness) -> None:
    """Whatever the limit was when something was stored, accepted and reported bytes together are what exists."""
    from synnefo_common.testing import wait_until

    me = h.as_member()
    await me.put(f"{A}/c")
    await me.put(f"{A}/c/a", content=b"x" * 7)
    await h.quota.set_limits(h.project_id, {"object.bytes": 100})
    h.clock.advance(10)
    await me.put(f"{A}/c/b", content=b"x" * 11)
    await me.put(f"{A}/c/a", content=b"x" * 5)
    await me.delete(f"{A}/c/b")

    def told() -> int:
        adjusted = sum(e["provisions"]["object.bytes"] for e in h.events_of("quota.adjusted"))
        return int(adjusted + h.quota.used["object.bytes"])

    await wait_until(lambda: told() == 5)
