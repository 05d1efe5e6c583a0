"""Time as a parameter: what reads the clock or sleeps takes a `Clock`. Not for formatting in one API's taste beyond `iso`."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol

MICROS = 1_000_000


class Clock(Protocol):
    """Wall clock in µs since the epoch (UTC), a monotonic clock in seconds, and sleep."""

    def now_us(self) -> int: ...

    def monotonic(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's clock."""

    def now_us(self) -> int:
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class ManualClock:
    """A clock that moves only when told (tests): sleepers wake as `advance` passes their time."""

    def __init__(self, start_us: int = 1_700_000_000 * MICROS) -> None:
        self._now_us = start_us
        self._sleepers: list[tuple[int, asyncio.Future[None]]] = []

    def now_us(self) -> int:
        return self._now_us

    def monotonic(self) -> float:
        return self._now_us / MICROS

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._now_us + int(seconds * MICROS), future))
        await future

    def advance(self, seconds: float) -> None:
        self._now_us += int(seconds * MICROS)
        due = [f for t, f in self._sleepers if t <= self._now_us]
        self._sleepers = [(t, f) for t, f in self._sleepers if t > self._now_us]
        for future in due:
            if not future.done():
                future.set_result(None)


def iso(us: int | None, *, micros: bool = False, zone: bool = True) -> str | None:
    """µs since the epoch as ISO 8601 UTC: `2026-11-22T10:00:00Z`, with `.ffffff` if `micros`, without `Z` unless `zone`."""
    if us is None:
        return None
    moment = datetime.fromtimestamp(us // MICROS, UTC)
    text = moment.isoformat(timespec="seconds")[:19]  # ten times as fast as strftime, and lists are full of times
    if micros:
        text += f".{us % MICROS:06d}"
    return text + "Z" if zone else text


def parse_iso(text: str) -> int:
    """ISO 8601 (zone missing = UTC) to µs since the epoch. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * MICROS)
