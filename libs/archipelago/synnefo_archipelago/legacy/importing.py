"""Copies one map of the original, and the blocks that it refers to, into a store.

The source is only read; nothing is visible before the root is returned. Repeating an import stores nothing twice.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from synnefo_archipelago.entries import ZERO_ENTRY, pack_cas, strip_entries
from synnefo_archipelago.errors import CorruptData
from synnefo_archipelago.hashing import block_hash, significant_length
from synnefo_archipelago.legacy.maps import LegacyBlock, LegacyMap, LegacyPools, read_map
from synnefo_archipelago.roots import PAGE_ENTRIES, Root, RootKind
from synnefo_archipelago.store import Store

_SIDE_BY_SIDE = 4
_SMALLEST = 4096


def import_map(
    store: Store, pools: LegacyPools, name: str, *, size: int | None = None, on_block: Callable[[int], None] | None = None
) -> Root:
    """The root of a frozen copy of an old image, snapshot or volume, which nobody may write to meanwhile.

    `size` is for maps of version 0, which do not know theirs. `on_block` is told each block's number when it is done.
    Raises `VolumeNotFound`; `CorruptData` for a block that is missing, longer than a block, or not what its name says.
    """
    legacy = read_map(pools.maps, name, size=size)
    if legacy.block_size < _SMALLEST:
        raise ValueError(f"map {name} has blocks of {legacy.block_size} bytes; {_SMALLEST} is the least here")
    pages: list[bytes] = []
    entries: list[bytes] = []
    for number, entry in enumerate(_copy_blocks(store, pools, legacy)):
        entries.append(entry)
        if len(entries) == PAGE_ENTRIES:
            pages.append(strip_entries(b"".join(entries)))
            entries = []
        if on_block is not None:
            on_block(number)
    if entries:
        pages.append(strip_entries(b"".join(entries)))
    page_ids, inline = store.save_map(legacy.size, legacy.block_size, pages)
    return Root(RootKind.FROZEN, legacy.size, legacy.block_size, page_ids, inline)


def _copy_blocks(store: Store, pools: LegacyPools, legacy: LegacyMap) -> Iterator[bytes]:
    """The entries of the new map, in order; several blocks are under way at once."""

    def copy(block: LegacyBlock, limit: int) -> bytes:
        data = pools.blocks.read(block.name)
        if data is None:
            raise CorruptData(f"block {block.name} of {legacy.name} is missing")
        if len(data) > legacy.block_size:
            raise CorruptData(f"block {block.name} of {legacy.name} has {len(data)} bytes")
        length = significant_length(data)
        if block.digest is not None and block_hash(memoryview(data)[:length]) != block.digest:
            raise CorruptData(f"block {block.name} of {legacy.name} is not what its name says")
        # A volume whose size ends within a block may have been larger, or written beyond its end: that is not ours.
        significant = memoryview(data)[: min(length, limit)]
        significant = significant[: significant_length(significant)]
        return pack_cas(store.put_block(significant), len(significant)) if len(significant) else ZERO_ENTRY

    waiting: deque[Future[bytes] | None] = deque()
    with ThreadPoolExecutor(_SIDE_BY_SIDE, thread_name_prefix="archipelago-import") as executor:
        try:
            for number, block in enumerate(legacy.blocks()):
                limit = min(legacy.block_size, legacy.size - number * legacy.block_size)
                waiting.append(executor.submit(copy, block, limit) if block else None)
                if len(waiting) > _SIDE_BY_SIDE:
                    yield _entry(waiting.popleft())
            while waiting:
                yield _entry(waiting.popleft())
        finally:
            for future in waiting:
                if future is not None:
                    future.cancel()


def _entry(future: Future[bytes] | None) -> bytes:
    return ZERO_ENTRY if future is None else future.result()
