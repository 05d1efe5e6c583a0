"""A process that is to stop says so first, serves what it was asked, and then goes."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.responses import Response

from synnefo_common.testing import Harness, wait_until
from synnefo_compute.main import build
from synnefo_compute.settings import Settings
from tests.stack import free_port_base


@pytest.fixture
async def h() -> AsyncIterator[Harness]:
    async with Harness(build, Settings, {"listen_port": free_port_base()}, work=False) as harness:
        await harness.service.start(serve=True, work=False)
        yield harness


async def test_while_it_drains_it_is_not_ready_and_serves_and_closes_connections(h: Harness) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{h.settings.port}") as client:
        assert (await client.get("/readyz")).status_code == 200
        draining = asyncio.create_task(h.service.drain(3.0))

        async def is_closing() -> bool:
            answer = await client.get("/healthz")
            assert answer.status_code == 200
            return bool(answer.headers.get("connection") == "close")

        await wait_until(is_closing, 3.0, what="connection: close")
        not_ready = await client.get("/readyz")
        assert not_ready.status_code == 503
        assert not_ready.json()["reasons"] == ["the process is stopping"]
        await draining
        await h.service.stop()
        with pytest.raises(httpx.ConnectError):
            await client.get("/healthz")


async def test_a_request_under_way_is_answered_before_the_process_stops(h: Harness) -> None:
    begun = asyncio.Event()

    async def slow() -> Response:
        begun.set()
        await asyncio.sleep(1.0)
        return Response(b"done")

    @h.service.app.middleware("http")
    async def _slow(request, call_next):  # type: ignore[no-untyped-def]
        return await slow() if request.url.path == "/slow" else await call_next(request)

    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{h.settings.port}") as client:
        asked = asyncio.create_task(client.get("/slow"))
        await begun.wait()
        await h.service.stop()
        assert (await asked).text == "done"
