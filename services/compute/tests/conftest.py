"""Fixtures of compute's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from services.compute.tests.cloud import ComputeHarness, running_compute


@pytest.fixture
async def h() -> AsyncIterator[ComputeHarness]:
    async with running_compute() as harness:
        yield harness
