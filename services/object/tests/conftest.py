"""The service with an empty store in memory: on SQLite, or in a new database of the server in SYNNEFO_TEST_POSTGRES."""

import os
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest
import pytest_asyncio

from synnefo_common.testing import Harness
from synnefo_object.main import build
from synnefo_object.settings import Settings


@pytest.fixture
def database_url() -> Iterator[str]:
    server = os.environ.get("SYNNEFO_TEST_POSTGRES")
    if not server:
        yield "sqlite://"
        return
    import psycopg

    name = f"object_{uuid4().hex}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield f"{server}/{name}"
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest_asyncio.fixture
async def h(database_url: str) -> AsyncIterator[Harness]:
    overrides = {"store_url": "memory:", "expirer_period_s": 0.05, "usage_period_s": 0.05, "quota_slice_idle_s": 0.3}
    async with Harness(build, Settings, overrides, database_url=database_url) as harness:
        yield harness
