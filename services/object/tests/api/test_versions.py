"""What a container that keeps versions keeps: nothing is lost to a race, and every byte is counted once."""

import asyncio

import httpx

from synnefo_common.testing import Harness, wait_until

A = f"/v1/AUTH_{Harness.project_id}"
ENABLED = {"X-Versions-Enabled": "true"}


async def kept(h: Harness) -> int:
    """Roots that the collector is told of: objects and versions."""
    return len((await h.internal().get("/internal/v1/roots?epoch=1&limit=1000")).json()["roots"])


async def used(me: httpx.AsyncClient, container: str = "c") -> tuple[str, str]:
    head = (await me.head(f"{A}/{container}")).headers
    return head["x-container-object-count"], head["x-container-bytes-used"]


async def test_what_is_replaced_and_deleted_stays(h: Harness) -> None:
    me = h.as_member()
    await me.put(f"{A}/c", headers=ENABLED)
    for body in (b"1", b"22", b"333"):
        assert (await me.put(f"{A}/c/o", content=body)).status_code == 201
    assert await kept(h) == 3
    assert await used(me) == ("1", "6")
    assert (await me.delete(f"{A}/c/o")).status_code == 204
    assert (await me.get(f"{A}/c/o")).status_code == 404
    assert await kept(h) == 3
    assert await used(me) == ("0", "6")
    assert (await me.delete(f"{A}/c")).status_code == 409  # versions are data, too


async def test_parallel_puts_lose_no_version(h: Harness) -> None:
    me = h.as_member()
    await me.put(f"{A}/c", headers=ENABLED)
    answers = await asyncio.gather(*(me.put(f"{A}/c/o", content=b"x" * (i + 1)) for i in range(20)))
    assert {r.status_code for r in answers} == {201}
    assert await kept(h) == 20
    assert await used(me) == ("1", str(sum(range(1, 21))))


async def test_while_suspended_there_is_one_null_version(h: Harness) -> None:
    me = h.as_member()
    await me.put(f"{A}/c")
    await me.put(f"{A}/c/o", content=b"null")
    await me.post(f"{A}/c", headers=ENABLED)
    await me.put(f"{A}/c/o", content=b"version")
    await me.post(f"{A}/c", headers={"X-Versions-Enabled": "false"})
    assert await kept(h) == 2
    await me.put(f"{A}/c/o", content=b"new null")
    assert await kept(h) == 2
    assert await used(me) == ("1", str(len("version") + len("new null")))
    await me.put(f"{A}/c/o", content=b"newer")
    assert await kept(h) == 2
    await me.delete(f"{A}/c/o")
    assert await used(me) == ("0", str(len("version")))


async def test_if_none_match_holds_where_versions_are_kept(h: Harness) -> None:
    me = h.as_member()
    await me.put(f"{A}/c", headers=ENABLED)
    answers = await asyncio.gather(*(me.put(f"{A}/c/o", content=b"%d" % i, headers={"If-None-Match": "*"}) for i in range(10)))
    assert sorted(r.status_code for r in answers) == [201] + [412] * 9
    assert await kept(h) == 1


async def test_expired_object_becomes_a_version(h: Harness) -> None:
    me = h.as_member()
    await me.put(f"{A}/c", headers=ENABLED)
    await me.put(f"{A}/c/o", content=b"short-lived", headers={"X-Delete-After": "1"})

    async def gone() -> bool:
        return (await used(me))[0] == "0"

    await wait_until(gone)
    assert await kept(h) == 1
    assert await used(me) == ("0", str(len("short-lived")))


async def test_both_kinds_of_versions_at_once_are_refused(h: Harness) -> None:
    me = h.as_member()
    r = await me.put(f"{A}/c", headers=ENABLED | {"X-Versions-Location": "old"})
    assert r.status_code == 400
