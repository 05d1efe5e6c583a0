"""Fixtures of compute's tests."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from cloud import ComputeHarness, running_compute  # type: ignore[import-not-found]  # noqa: E402


@pytest.fixture
async def h() -> AsyncIterator[ComputeHarness]:
    async with running_compute() as harness:
        yield harness
