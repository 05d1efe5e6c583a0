"""What changed between two roots, found without reading what did not."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from synnefo_archipelago import Root, RootKind, Store
from synnefo_archipelago.api import Space
from synnefo_archipelago.drivers.memory import MemoryDriver
from synnefo_archipelago.entries import ENTRY_SIZE
from synnefo_archipelago.maps import PageStore
from synnefo_archipelago.roots import PAGE_ENTRIES

from .conftest import BLOCK
from .test_costs import MIB, TIB, full_root

SUB = 64 << 10


class CountingMemory(MemoryDriver):
    def __init__(self) -> None:
        super().__init__()
        self.pages_read = 0

    def get(self, space: Space, *args: Any, **kwargs: Any) -> bytes:
        self.pages_read += space is Space.PAGE
        return super().get(space, *args, **kwargs)


def changed(root: Root, store: Store, blocks: list[int]) -> Root:
    """The same map with other entries at some blocks."""
    pages = PageStore(store.driver)
    ids = [root.page_id(number) for number in range(root.block_count // PAGE_ENTRIES)]
    for block in blocks:
        number, slot = divmod(block, PAGE_ENTRIES)
        content = bytearray(pages.load(ids[number]))
        content[slot * ENTRY_SIZE + 8] ^= 1
        ids[number] = pages.save(bytes(content))
    return root.with_map(b"".join(ids), b"")


def test_diff_of_a_tebibyte_reads_only_pages_that_differ() -> None:
    driver = CountingMemory()
    with Store(driver) as store:
        old = full_root(store, TIB)
        new = changed(old, store, [5, 6, 7, 9, 4095, 4096, 10 * PAGE_ENTRIES, 64 * PAGE_ENTRIES - 1])
        with Store(driver) as cold:
            driver.pages_read = 0
            assert list(cold.diff(old, old)) == []
            assert driver.pages_read == 0
            assert list(cold.diff(old, new)) == [
                (5 * 4 * MIB, 3 * 4 * MIB), (9 * 4 * MIB, 4 * MIB), (4095 * 4 * MIB, 2 * 4 * MIB),
                (10 * PAGE_ENTRIES * 4 * MIB, 4 * MIB), (TIB - 4 * MIB, 4 * MIB),
            ]  # fmt: skip
            assert driver.pages_read == 8  # four pages of each


def test_diff_against_nothing_is_everything() -> None:
    driver = CountingMemory()
    with Store(driver) as store:
        old = full_root(store, TIB)
        empty = Root(RootKind.FROZEN, TIB, 4 * MIB)
        assert list(store.diff(empty, old)) == list(store.diff(old, empty)) == [(0, TIB)]
        assert list(store.diff(empty, Root(RootKind.FROZEN, 2 * TIB, 4 * MIB))) == []


@pytest.mark.parametrize("seed", range(6))
def test_ranges_outside_of_a_diff_are_equal(another_store: Callable[[], Store], store: Store, seed: int) -> None:
    rng = random.Random(seed)
    size = 12 * BLOCK + 100
    store.create_volume("vol", size)
    shots, contents = [], []
    with store.open_volume("vol", owner="test") as volume:
        for _ in range(4):
            for _ in range(rng.randrange(4)):
                at = rng.randrange(size - 100)
                volume.write(at, rng.randbytes(min(size - at, rng.choice([1, 5000, BLOCK]))))
            shots.append(volume.snapshot())
            contents.append(store.read(shots[-1], 0, size))
        volume.grow(size + BLOCK)
        volume.write(size, b"beyond")
        shots.append(volume.snapshot())
        contents.append(store.read(shots[-1], 0, size + BLOCK))
    for a, old in zip(shots, contents, strict=True):
        for b, new in zip(shots, contents, strict=True):
            patched = bytearray(old.ljust(len(new), b"\0"))
            ranges = list(another_store().diff(a, b)) if rng.random() < 0.1 else list(store.diff(a, b))
            for offset, length in ranges:
                patched[offset : offset + length] = new[offset : offset + length].ljust(length, b"\0")
            assert patched[: len(new)] == new
            assert ranges == sorted(ranges)


def test_one_small_write_changes_one_block(store: Store) -> None:
    store.create_volume("vol", 100 * BLOCK)
    before = store.snapshot_volume("vol")
    with store.open_volume("vol", owner="test") as volume:
        volume.write(70 * BLOCK + 5, b"x")
    assert list(store.diff(before, store.snapshot_volume("vol"))) == [(70 * BLOCK, BLOCK)]


def test_what_cannot_be_compared_is_refused(store: Store) -> None:
    frozen = Root(RootKind.FROZEN, 100, 4096)
    with pytest.raises(ValueError, match="different sizes"):
        list(store.diff(frozen, Root(RootKind.FROZEN, 100, 8192)))
    with pytest.raises(ValueError, match="snapshot"):
        list(store.diff(frozen, Root(RootKind.VOLUME, 100, 4096)))
