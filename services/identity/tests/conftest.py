"""Identity alone, with its own tokens: the verifier is the real one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from services.identity.tests.cloud import Cloud


@pytest.fixture
async def cloud() -> AsyncIterator[Cloud]:
    """A freshly seeded identity service."""
    async with Cloud() as running:
        yield running
