"""The block store's trouble as a client sees it: a clear status, nothing half visible, and a service that goes on."""

import os
from typing import Any

import httpx
import pytest
from services.object.tests.api.test_features import A

from synnefo_archipelago import StoreFull, StoreUnavailable
from synnefo_archipelago.drivers.memory import MemoryDriver
from synnefo_common.testing import Harness

BIG = os.urandom(9 << 20)
"""More than two blocks, so that some of it is stored before the request ends."""
TROUBLE = [(StoreFull, 507), (StoreUnavailable, 503)]


@pytest.fixture
def me(h: Harness) -> httpx.AsyncClient:
    return h.as_member()


def fail(patch: pytest.MonkeyPatch, method: str, error: type[Exception], *, after: int = 0) -> None:
    real = getattr(MemoryDriver, method)
    calls = iter(range(10**9))

    def call(*args: Any, **kwargs: Any) -> Any:
        if next(calls) >= after:
            raise error("injected")
        return real(*args, **kwargs)

    patch.setattr(MemoryDriver, method, call)


async def used(me: httpx.AsyncClient) -> tuple[str, str]:
    headers = (await me.head(f"{A}/c")).headers
    return headers["x-container-object-count"], headers["x-container-bytes-used"]


@pytest.mark.parametrize(("error", "status"), TROUBLE)
@pytest.mark.parametrize("method", ["put", "touch"])
@pytest.mark.parametrize("after", [0, 1])
async def test_upload_to_a_store_in_trouble_leaves_what_was_there(
    me: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, error: type[Exception], status: int, method: str, after: int
) -> None:
    await me.put(f"{A}/c")
    assert (await me.put(f"{A}/c/old", content=b"before")).status_code == 201
    before = await used(me)
    fail(monkeypatch, method, error, after=after)
    for name in ("old", "new"):
        assert (await me.put(f"{A}/c/{name}", content=BIG)).status_code == status
    monkeypatch.undo()
    assert (await me.get(f"{A}/c/old")).content == b"before"
    assert (await me.get(f"{A}/c/new")).status_code == 404
    assert (await me.get(f"{A}/c")).text == "old\n"
    assert await used(me) == before
    assert (await me.put(f"{A}/c/new", content=BIG)).status_code == 201
    assert (await me.get(f"{A}/c/new")).content == BIG


async def test_download_from_a_store_that_does_not_answer_is_503(me: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    await me.put(f"{A}/c")
    await me.put(f"{A}/c/o", content=BIG)
    for method in ("get", "get_many"):
        fail(monkeypatch, method, StoreUnavailable)
    answer = await me.get(f"{A}/c/o")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    monkeypatch.undo()
    assert (await me.get(f"{A}/c/o")).content == BIG
