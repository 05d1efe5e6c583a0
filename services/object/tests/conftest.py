"""The service with an empty store in memory."""

from collections.abc import AsyncIterator

import pytest_asyncio
from synnefo_common.testing import Harness
from synnefo_object.main import build
from synnefo_object.settings import Settings


@pytest_asyncio.fixture
async def h() -> AsyncIterator[Harness]:
    async with Harness(
        build, Settings, {"store_url": "memory:", "expirer_period_s": 0.05, "usage_period_s": 0.05}
    ) as harness:
        yield harness
