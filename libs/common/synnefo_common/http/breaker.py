"""A circuit breaker per upstream: after several failures in a row, calls fail at once for a short time."""

from __future__ import annotations

from synnefo_common.clock import Clock


class Breaker:
    """Opens after `threshold` failures in a row; lets one call through every `open_s` seconds."""

    def __init__(self, *, clock: Clock, threshold: int = 8, open_s: float = 1.0) -> None:
        self._clock = clock
        self._threshold = threshold
        self._open_s = open_s
        self._failures = 0
        self._retry_at = 0.0

    def allows(self) -> bool:
        """False while open."""
        if self._failures < self._threshold:
            return True
        now = self._clock.monotonic()
        if now < self._retry_at:
            return False
        self._retry_at = now + self._open_s
        return True

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self) -> None:
        self._failures += 1
        if self._failures >= self._threshold:
            self._retry_at = self._clock.monotonic() + self._open_s
