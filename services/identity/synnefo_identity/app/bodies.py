"""Encoded token bodies that are asked for again and again."""

from __future__ import annotations

from collections import OrderedDict

Mark = tuple[int, int]  # (revocations applied, generation of what is shown)


class TokenBodies:
    """By token and form; an entry holds as long as its mark is the current one and its time is not over."""

    def __init__(self, *, size: int = 5000) -> None:
        self._size = size
        self._bodies: OrderedDict[tuple[str, bool], tuple[Mark, float, bytes]] = OrderedDict()

    def get(self, key: tuple[str, bool], *, mark: Mark, now: float) -> bytes | None:
        """The body, or None."""
        found = self._bodies.get(key)
        return found[2] if found is not None and found[0] == mark and found[1] > now else None

    def put(self, key: tuple[str, bool], body: bytes, *, mark: Mark, until: float) -> None:
        """Keep a body."""
        self._bodies[key] = (mark, until, body)
        self._bodies.move_to_end(key)
        if len(self._bodies) > self._size:
            self._bodies.popitem(last=False)
