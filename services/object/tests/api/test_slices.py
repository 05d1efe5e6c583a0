"""Quota in slices: one commission for many small objects, and in the end exactly what is held."""

import asyncio

import pytest

from synnefo_common.testing import Harness, wait_until

A = f"/v1/AUTH_{Harness.project_id}"
MIB = 1 << 20


@pytest.fixture
async def limited(h: Harness) -> Harness:
    await h.quota.set_limits(h.project_id, {"object.bytes": 10 * MIB})
    await h.as_member().put(f"{A}/c")
    return h


def told(h: Harness) -> int:
    adjusted = sum(e["provisions"]["object.bytes"] for e in h.events_of("quota.adjusted"))
    return int(adjusted + h.quota.used["object.bytes"])


async def test_many_small_objects_share_a_commission(limited: Harness) -> None:
    me = limited.as_member()
    answers = await asyncio.gather(*(me.put(f"{A}/c/{i}", content=b"x" * 1000) for i in range(50)))
    assert {r.status_code for r in answers} == {201}
    assert len(limited.quota.pending) + len(limited.quota.accepted) == 1
    assert limited.quota.reserved_amounts["object.bytes"] == 10 * MIB // 100
    await wait_until(lambda: not limited.quota.pending)  # idle: settled
    await wait_until(lambda: told(limited) == 50_000)


async def test_next_slice_when_one_is_empty(limited: Harness) -> None:
    me = limited.as_member()
    for i in range(5):
        assert (await me.put(f"{A}/c/{i}", content=b"x" * 60_000)).status_code == 201
    assert len(limited.quota.pending) == 1 and len(limited.quota.accepted) == 4
    await me.delete(f"{A}/c/0")
    await wait_until(lambda: not limited.quota.pending and told(limited) == 240_000)


async def test_large_objects_are_reserved_exactly_and_the_limit_holds(limited: Harness) -> None:
    me = limited.as_member()
    answers = [(await me.put(f"{A}/c/{i}", content=b"x" * (4 * MIB))).status_code for i in range(4)]
    assert answers == [201, 201, 413, 413]
    assert (await me.put(f"{A}/c/small", content=b"x" * 1000)).status_code == 201
    await wait_until(lambda: not limited.quota.pending and told(limited) == 8 * MIB + 1000)


async def test_failed_upload_takes_nothing(limited: Harness) -> None:
    me = limited.as_member()
    assert (await me.put(f"{A}/c/o", content=b"x", headers={"ETag": "0" * 32})).status_code == 422
    assert len(limited.quota.pending) == 1
    await wait_until(lambda: not limited.quota.pending)
    assert limited.quota.used["object.bytes"] == 0 and not limited.quota.accepted


async def test_stopping_settles(limited: Harness) -> None:
    await limited.as_member().put(f"{A}/c/o", content=b"x" * 10)
    assert limited.quota.pending
    await limited.service.on_stop[0]()
    assert not limited.quota.pending
    await wait_until(lambda: told(limited) == 10)
