"""The observer hears of every call, and the store behaves as without it."""

import os
from collections import defaultdict
from pathlib import Path

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


def test_a_volume_lives_through_a_watched_store(tmp_path: Path) -> None:
    """Cloned, written under a lease, snapshotted and deleted: whatever the store asks of its driver is passed on."""
    heard: set[str] = set()
    block = 64 << 10
    with open_store(f"file://{tmp_path}", block_size=block, observe=lambda operation, *_: heard.add(operation)) as store:
        writer = store.writer()
        writer.write(os.urandom(4 * block))
        root = writer.finish()
        store.create_volume("v", 4 * block, root)
        with store.open_volume("v", owner="me") as volume:
            volume.write(block, b"x" * 100)
            volume.flush()
            assert volume.read(block, 100) == b"x" * 100
        snapshot = store.snapshot_volume("v")
        assert store.read(snapshot, block, 100) == b"x" * 100
        store.delete_volume("v")
    assert {"put", "read", "touch", "cas_record"} <= heard
