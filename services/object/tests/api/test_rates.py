"""Limits on how often containers are written and listed, and the policy for other sites' programs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from synnefo_common.testing import Harness
from synnefo_object.app.pithos.housekeeping import tidy_once
from synnefo_object.app.rates import rate_of
from synnefo_object.db.rates import rates
from synnefo_object.main import build
from synnefo_object.settings import Settings

A = f"/v1/AUTH_{Harness.project_id}"


@asynccontextmanager
async def limited(database_url: str, **settings: Any) -> AsyncIterator[Harness]:
    async with Harness(build, Settings, {"store_url": "memory:", **settings}, database_url=database_url) as harness:
        yield harness


async def until_refused(me: httpx.AsyncClient, method: str, path: str, *, at_most: int = 60) -> int:
    """How many calls were let through before one was refused."""
    for done in range(at_most):
        r = await me.request(method, path.format(done))
        if r.status_code == 498:
            return done
        assert r.status_code < 300, r.text
    raise AssertionError("nothing was refused")


def test_rate_between_two_sizes_is_on_a_straight_line() -> None:
    limits = {100: 100.0, 200: 50.0}
    assert [rate_of(limits, n) for n in (0, 99, 100, 150, 200, 10**9)] == [None, None, 100.0, 75.0, 50.0, 50.0]
    assert rate_of({}, 5) is None


async def test_containers_are_made_at_the_accounts_rate(database_url: str) -> None:
    async with limited(database_url, account_rate=1, longest_wait_s=0.001) as h:
        me = h.as_member()
        assert await until_refused(me, "PUT", f"{A}/c{{}}") == 1
        r = await me.put(f"{A}/late")
        assert r.status_code == 498 and "Slow down" in r.text
        assert (await me.get(f"{A}/c0")).status_code < 300  # reading goes on
        assert (await me.put(f"{A}/c0/o", content=b"x")).status_code == 201  # and so do objects
        assert (await h.as_project(Harness.other_project_id).put(f"/v1/AUTH_{Harness.other_project_id}/c")).status_code == 201


async def test_both_spellings_of_an_account_are_one(database_url: str) -> None:
    async with limited(database_url, account_rate=1, longest_wait_s=0.001) as h:
        me = h.as_member()
        assert (await me.put(f"{A}/one")).status_code == 201
        assert (await me.put(f"/v1/{Harness.project_id}/two")).status_code == 498


async def test_a_call_waits_for_its_turn(database_url: str) -> None:
    async with limited(database_url, account_rate=20, longest_wait_s=5) as h:
        me = h.as_member()
        before = h.clock.now_us()
        for i in range(6):
            assert (await me.put(f"{A}/c{i}")).status_code == 201
        assert h.clock.now_us() - before >= 200_000


async def test_objects_are_written_at_the_rate_of_the_containers_size(database_url: str) -> None:
    async with limited(database_url, container_rates={3: 0.5}, longest_wait_s=0.001) as h:
        me = h.as_member()
        await me.put(f"{A}/c")
        for i in range(3):  # below the smallest size nothing is limited
            assert (await me.put(f"{A}/c/{i}", content=b"x")).status_code == 201
        assert await until_refused(me, "POST", f"{A}/c/0") == 1
        assert (await me.delete(f"{A}/c/0")).status_code == 498
        assert (await me.get(f"{A}/c/0")).status_code == 200
        await me.put(f"{A}/other")
        assert (await me.put(f"{A}/other/o", content=b"x")).status_code == 201


async def test_listings_are_limited_apart(database_url: str) -> None:
    async with limited(database_url, listing_rates={1: 0.5}, longest_wait_s=0.001) as h:
        me = h.as_member()
        await me.put(f"{A}/c")
        await me.put(f"{A}/c/o", content=b"x")
        assert await until_refused(me, "GET", f"{A}/c") == 1
        assert (await me.head(f"{A}/c")).status_code == 204
        assert (await me.put(f"{A}/c/o2", content=b"x")).status_code == 201


async def test_nobody_takes_an_accounts_turn(database_url: str) -> None:
    async with limited(database_url, account_rate=1, longest_wait_s=0.001) as h:
        for _ in range(3):
            assert (await h.anonymous().put(f"{A}/c")).status_code == 401
        assert (await h.as_member().put(f"{A}/c")).status_code == 201


async def test_turns_long_past_are_forgotten(database_url: str) -> None:
    async with limited(database_url, account_rate=1, longest_wait_s=0.001) as h:
        await h.as_member().put(f"{A}/c")
        h.clock.advance(120)
        await tidy_once(h.service.app.state.services)
        async with h.db.read() as uow:
            assert await uow.all(rates.select()) == []


async def test_info_names_limits_only_where_there_are_some(h: Harness, database_url: str) -> None:
    assert "ratelimit" not in (await h.anonymous().get("/info")).json()
    async with limited(database_url, account_rate=2, container_rates={0: 10}) as other:
        assert (await other.anonymous().get("/info")).json()["ratelimit"] == {
            "account_ratelimit": 2,
            "max_sleep_time_seconds": 60,
            "container_ratelimits": [[0, 10]],
            "container_listing_ratelimits": [],
        }


@pytest.mark.parametrize("limits", [{-1: 5}, {0: 0}])
def test_rates_that_cannot_be_are_refused(limits: dict[int, float]) -> None:
    with pytest.raises(ValueError, match="must"):
        Settings.model_validate({"container_rates": limits})


async def test_cross_domain_policy_is_the_operators(h: Harness, database_url: str) -> None:
    assert (await h.anonymous().get("/crossdomain.xml")).status_code == 404
    rule = '<allow-access-from domain="*.example.com" secure="true" />'
    async with limited(database_url, cross_domain_policy=rule) as other:
        r = await other.anonymous().get("/crossdomain.xml")
        assert r.status_code == 200 and r.headers["content-type"].startswith("application/xml") and rule in r.text
        assert "crossdomain" in (await other.anonymous().get("/info")).json()
