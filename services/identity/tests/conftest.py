"""Identity alone, with its own tokens: the verifier is the real one."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest
from services.identity.tests.cloud import Cloud
from sqlalchemy import create_engine

from synnefo_common.db.migrate import sync_url
from synnefo_identity.db import all_tables

# An empty database of a PostgreSQL server: `SYNNEFO_TEST_POSTGRESQL=postgresql://user@host:port/name` runs the tests there.
POSTGRESQL = os.environ.get("SYNNEFO_TEST_POSTGRESQL")


@pytest.fixture
async def cloud() -> AsyncIterator[Cloud]:
    """A freshly seeded identity service."""
    if POSTGRESQL:
        engine = create_engine(sync_url(POSTGRESQL))
        all_tables().drop_all(engine)
        engine.dispose()
    async with Cloud(POSTGRESQL or "sqlite://") as running:
        yield running
