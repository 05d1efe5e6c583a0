"""Reading ranges of any root: entries to bytes, verified, through the parents of partial private blocks.

For committed state only; what an open volume still holds in memory is the volume's.
"""

import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from typing import Protocol

from synnefo_archipelago.api import Driver
from synnefo_archipelago.blocks import CasBlocks
from synnefo_archipelago.cache import Cache
from synnefo_archipelago.entries import Kind, parse_entry
from synnefo_archipelago.errors import CorruptData
from synnefo_archipelago.maps import PageStore
from synnefo_archipelago.private import PrivateBlocks, Table
from synnefo_archipelago.roots import Root

_ATTEMPTS = 4


class Tables(Protocol):
    """Where tables of private blocks come from: storage, or what a writer knows."""

    def table(self, blocks: PrivateBlocks, ident: bytes, *, fresh: bool) -> Table: ...


class StoredTables:
    def table(self, blocks: PrivateBlocks, ident: bytes, *, fresh: bool) -> Table:
        return blocks.load(ident)


class KnownTables:
    """Tables for readers without the lock. They remember nothing: what they load may be overtaken meanwhile."""

    def __init__(self, known: Cache[bytes, Table]) -> None:
        self._known = known

    def table(self, blocks: PrivateBlocks, ident: bytes, *, fresh: bool) -> Table:
        return (None if fresh else self._known.get(ident)) or blocks.load(ident)


_STORED = StoredTables()


class BlockReader:
    def __init__(self, driver: Driver, cas: CasBlocks, pages: PageStore, executor: Executor) -> None:
        self._driver = driver
        self._executor = executor
        self._cas = cas
        self._pages = pages
        self._private: dict[int, PrivateBlocks] = {}
        self._lock = threading.Lock()

    def private(self, block_size: int) -> PrivateBlocks:
        with self._lock:
            blocks = self._private.get(block_size)
            if blocks is None:
                blocks = self._private[block_size] = PrivateBlocks(self._driver, block_size)
            return blocks

    def block(self, entry: bytes, block_size: int, start: int, count: int, tables: Tables = _STORED) -> bytes:
        """Verified bytes of one block."""
        parsed = parse_entry(entry)
        if parsed.kind is Kind.ZERO:
            return bytes(count)
        if parsed.kind is Kind.CAS:
            return self._cas.read(parsed.ident, parsed.length, start, count)
        return self._read_private(parsed.ident, block_size, start, count, tables)

    def _read_private(self, ident: bytes, block_size: int, start: int, count: int, tables: Tables) -> bytes:
        blocks = self.private(block_size)
        table = tables.table(blocks, ident, fresh=False)
        for _ in range(_ATTEMPTS):
            try:
                return self._merge(table, block_size, start, count, tables)
            except CorruptData:
                # A reader without a lease may have been overtaken: the slot was freed, then used again.
                again = tables.table(blocks, ident, fresh=True)
                if again.sequence == table.sequence:
                    raise
                table = again
        raise CorruptData(f"private block {ident.hex()} changes faster than it can be read")

    def _merge(self, table: Table, block_size: int, start: int, count: int, tables: Tables) -> bytes:
        blocks = self.private(block_size)
        sub = blocks.sub_size
        first, last = start // sub, (start + count - 1) // sub
        pieces: list[bytes] = []
        absent: int | None = None
        for index, data in [*blocks.read_slots(table, first, last - first + 1), (last + 1, b"")]:
            if data is None:
                absent = index if absent is None else absent
                continue
            if absent is not None:
                run = (index - absent) * sub
                pieces.append(self.block(table.parent, block_size, absent * sub, run, tables))
                absent = None
            pieces.append(data)
        whole = b"".join(pieces) if len(pieces) > 2 else pieces[0]  # the last piece is always the empty end mark
        skip = start - first * sub
        return whole if len(whole) == count else whole[skip : skip + count]

    def ranges(self, root: Root, offset: int, length: int, chunk_bytes: int) -> Iterator[bytes]:
        """Verified pieces of a root's range, none larger than `chunk_bytes` or across two blocks.

        Where the driver says that it pays, the pieces after the one that is yielded are under way already.
        """
        if offset < 0 or length < 0 or offset + length > root.size:
            raise ValueError(f"range {offset}+{length} is outside of {root.size} bytes")
        steps = self._steps(root, offset, length, chunk_bytes)
        limit = self._driver.reads_ahead
        if not limit or length <= chunk_bytes - offset % chunk_bytes:
            yield from (self.block(entry, root.block_size, start, count) for entry, start, count in steps)
            return
        waiting: deque[Future[bytes]] = deque()
        try:
            for entry, start, count in steps:
                waiting.append(self._executor.submit(self.block, entry, root.block_size, start, count))
                if len(waiting) > limit:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

    def _steps(self, root: Root, offset: int, length: int, chunk_bytes: int) -> Iterator[tuple[bytes, int, int]]:
        end = offset + length
        while offset < end:
            index, start = divmod(offset, root.block_size)
            # Pieces after the first begin at multiples of the chunk size, so that no checksum is computed twice.
            count = min(chunk_bytes - start % chunk_bytes, root.block_size - start, end - offset)
            yield self._pages.entry(root, index), start, count
            offset += count
