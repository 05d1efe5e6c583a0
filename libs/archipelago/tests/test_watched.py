"""The observer hears of every call, and the store behaves as without it."""

import os
from collections import defaultdict

import pytest

from synnefo_archipelago import open_store
from synnefo_archipelago.api import Space
from synnefo_archipelago.drivers.memory import MemoryDriver
from synnefo_archipelago.errors import StoreFull, StoreUnavailable
from synnefo_archipelago.watched import WatchedDriver


def test_bytes_moved_are_counted_and_equal_blocks_move_none() -> None:
    moved: dict[str, int] = defaultdict(int)

    def observe(operation: str, outcome: str, seconds: float, size: int) -> None:
        assert outcome == "ok"
        assert seconds >= 0
        moved[operation] += size

    data = os.urandom(1 << 20)
    with open_store("memory:", observe=observe) as store:
        for _ in range(2):
            writer = store.writer()
            writer.write(data)
            root = writer.finish()
        assert moved["put"] >= len(data)
        assert moved["put"] < 1.1 * len(data)
        assert store.read(root, 0, len(data)) == data
        assert moved["read"] >= len(data)


@pytest.mark.parametrize(("error", "outcome"), [(StoreFull("no room"), "full"), (StoreUnavailable("down"), "unavailable")])
def test_failures_are_told_apart_and_passed_on(error: Exception, outcome: str) -> None:
    class Broken(MemoryDriver):
        def touch(self, space: Space, key: str) -> int | None:
            raise error

    heard: list[tuple[str, str]] = []
    driver = WatchedDriver(Broken(), lambda operation, outcome, _seconds, _size: heard.append((operation, outcome)))
    with pytest.raises(type(error)):
        driver.touch(Space.CAS, "k")
    assert heard == [("touch", outcome)]
