"""Level-triggered waits."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any


async def wait_until(predicate: Callable[[], Any | Awaitable[Any]], timeout_s: float = 10.0, *, what: str = "") -> Any:
    """Ask until the answer is true and return it. Raises AssertionError after `timeout_s`."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    pause = 0.002
    while True:
        value = predicate()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        if loop.time() > deadline:
            raise AssertionError(f"not true within {timeout_s} s: {what or predicate}")
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 0.1)
