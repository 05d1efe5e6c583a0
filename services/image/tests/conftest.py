"""The image service alone, with a store in memory."""

from collections.abc import AsyncIterator

import pytest

from synnefo_common.testing import Harness
from synnefo_image.main import build
from synnefo_image.settings import Settings


@pytest.fixture
async def h() -> AsyncIterator[Harness]:
    async with Harness(build, Settings, {"store_url": "memory:"}) as harness:
        yield harness
