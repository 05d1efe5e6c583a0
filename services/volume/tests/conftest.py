"""The volume service alone, with a store in memory and an image service that has what the test gives it."""

from collections.abc import AsyncIterator

import pytest
from services.volume.tests.factories import Volumes

from synnefo_common.testing import Harness
from synnefo_volume.main import build
from synnefo_volume.settings import Settings


@pytest.fixture
async def h() -> AsyncIterator[Harness]:
    async with Harness(build, Settings, {"store_url": "memory:", "pause_wait_s": 0.2}) as harness:
        yield harness


@pytest.fixture
def v(h: Harness) -> Volumes:
    return Volumes(h)
