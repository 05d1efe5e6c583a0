"""Fixtures of the tests of `synnefo_common`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from synnefo_common.clock import ManualClock
from synnefo_common.crashpoint import disarm
from synnefo_common.db import Database
from synnefo_common.log import setup_logging

from .real_parts import Broker, Postgres, missing
from .saga_world import World, metadata


@pytest.fixture(scope="session", autouse=True)
def plain_logs() -> None:
    """structlog left alone renders exceptions with all local variables, which takes longer than the tests."""
    setup_logging(level="WARNING")


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    """A broker of this test run's own, which a test may stop and start."""
    if (reason := missing("rabbitmq-up", "rabbitmq/bin/rabbitmq-server", "rabbitmq-server")) is not None:
        pytest.skip(f"no broker of our own: {reason}")
    with tempfile.TemporaryDirectory(prefix="synnefo-rmq-") as folder:
        made = Broker(Path(folder))
        made.up()
        yield made
        made.down()


@pytest.fixture(scope="session")
def amqp_url(request: pytest.FixtureRequest) -> str:
    """SYNNEFO_TEST_AMQP_URL, or a broker of our own, or a skip that says why."""
    given = os.environ.get("SYNNEFO_TEST_AMQP_URL")
    if given:
        return given
    started: Broker = request.getfixturevalue("broker")
    return started.url


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL of this test run's own, or a skip that says why."""
    if (reason := missing("postgres-up", "postgresql/*/bin/postgres", "postgresql")) is not None:
        pytest.skip(f"no PostgreSQL of our own: {reason}")
    with tempfile.TemporaryDirectory(prefix="synnefo-pg-") as folder:
        Path(folder).chmod(0o755)  # as root, PostgreSQL runs as another user below it
        made = Postgres(Path(folder))
        made.up()
        yield made
        made.down()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.full)])
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return "sqlite://"
    started: Postgres = request.getfixturevalue("postgres")
    return started.new_database()


# What the tests of the saga engine share: a clock, a database of each kind, the world that the sagas change.


@pytest.fixture
async def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def db(clock: ManualClock, database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, clock=clock)
    await database.create_all(metadata)
    yield database
    disarm()
    await database.close()


@pytest.fixture
def world() -> World:
    return World()
