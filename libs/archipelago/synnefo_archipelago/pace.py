"""How fast background work may go, how far it is, and whether it should stop.

For the collector, scrubber and freezer; what they do is theirs.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

_LONGEST_NAP_S = 0.5


class Stopped(Exception):
    """The work was told to stop; it goes on from its checkpoint when it is run again."""


@dataclass(frozen=True, slots=True)
class Progress:
    phase: str
    done: int
    total: int
    """0 where nobody knows yet."""
    bytes: int


class Pace:
    """Counts steps of the work, sleeps so that it keeps its limits (0: none), reports, and stops. For one thread."""

    def __init__(
        self, *, objects_per_s: float = 0, bytes_per_s: float = 0,
        report: Callable[[Progress], None] = lambda _: None, should_stop: Callable[[], bool] = lambda: False,
        sleep: Callable[[float], None] = time.sleep, monotonic: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._objects_per_s = objects_per_s
        self._bytes_per_s = bytes_per_s
        self._report = report
        self._should_stop = should_stop
        self._sleep = sleep
        self._monotonic = monotonic
        self._free_at = monotonic()
        self._progress = Progress("", 0, 0, 0)

    def begin(self, phase: str, total: int = 0, done: int = 0) -> None:
        """What is done from here on, and how much of it there is. Raises `Stopped`."""
        self.check()
        self._progress = Progress(phase, done, total, 0)
        self._report(self._progress)

    def step(self, objects: int = 1, size: int = 0) -> None:
        """Raises `Stopped`."""
        now = self._monotonic()
        cost = objects / self._objects_per_s if self._objects_per_s else 0.0
        cost = max(cost, size / self._bytes_per_s if self._bytes_per_s else 0.0)
        self._free_at = max(self._free_at, now) + cost
        self.check()
        while (left := self._free_at - self._monotonic()) > 0:
            self._sleep(min(left, _LONGEST_NAP_S))
            self.check()
        last = self._progress
        self._progress = Progress(last.phase, last.done + objects, last.total, last.bytes + size)
        self._report(self._progress)

    def check(self) -> None:
        """Raises `Stopped`."""
        if self._should_stop():
            raise Stopped
