"""A network service alone, and short ways to make things in it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest

from synnefo_common.ids import RandomIds
from synnefo_common.testing import Harness
from synnefo_network.main import build
from synnefo_network.settings import Settings


class Cloud(Harness):
    """The harness with factories; each asserts that the create succeeded."""

    async def make(self, collection: str, key: str, *, by: httpx.AsyncClient | None = None, **body: Any) -> dict[str, Any]:
        answer = await (by or self.as_member()).post(f"/v2.0/{collection}", json={key: body})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()[key]
        return made

    async def make_network(self, *, by: httpx.AsyncClient | None = None, **body: Any) -> dict[str, Any]:
        return await self.make("networks", "network", by=by, **body)

    async def make_subnet(self, network: dict[str, Any], cidr: str, *, by: httpx.AsyncClient | None = None, **body: Any) -> dict[str, Any]:
        version = 6 if ":" in cidr else 4
        return await self.make("subnets", "subnet", by=by, network_id=network["id"], cidr=cidr, ip_version=version, **body)

    async def make_port(self, network: dict[str, Any], *, by: httpx.AsyncClient | None = None, **body: Any) -> dict[str, Any]:
        return await self.make("ports", "port", by=by, network_id=network["id"], **body)

    async def make_public(self, cidr: str = "203.0.113.0/24") -> dict[str, Any]:
        admin = self.as_admin()
        network = await self.make_network(by=admin, name="public", **{"router:external": True, "is_default": True})
        await self.make_subnet(network, cidr, by=admin, enable_dhcp=False)
        return network


@pytest.fixture
async def database_url() -> AsyncIterator[str]:
    """SQLite, or a fresh database on the server that `SYNNEFO_TEST_POSTGRESQL` names (postgresql://user@host:port/postgres)."""
    server = os.environ.get("SYNNEFO_TEST_POSTGRESQL")
    if not server:
        yield "sqlite://"
        return
    name = f"network_{RandomIds().hex()}"
    connection = await asyncpg.connect(server)
    await connection.execute(f"CREATE DATABASE {name}")
    yield server.rpartition("/")[0] + "/" + name
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()


@pytest.fixture
async def cloud(database_url: str) -> AsyncIterator[Cloud]:
    async with Cloud(build, Settings, database_url=database_url) as harness:
        yield harness


@pytest.fixture
async def still(database_url: str) -> AsyncIterator[Cloud]:
    """Without a worker: nothing but the requests of the test touches the database."""
    async with Cloud(build, Settings, work=False, database_url=database_url) as harness:
        yield harness


def error_type(answer: httpx.Response) -> str:
    """The NeutronError type."""
    body = answer.json()
    assert set(body) == {"NeutronError"}, answer.text
    assert set(body["NeutronError"]) == {"type", "message", "detail"}
    return str(body["NeutronError"]["type"])
