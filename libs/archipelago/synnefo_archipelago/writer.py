"""Streaming writer of frozen data: cuts a stream into blocks, hashes them, stores those that are new.

Hashing is done by the calling thread, storing by the store's I/O threads, further hashes (md5 for an ETag) by one more
thread, all at the same time and within a bounded number of blocks. One writer belongs to one caller at a time.
"""

import hashlib
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Executor, Future

from synnefo_archipelago.api import Data
from synnefo_archipelago.blocks import CasBlocks
from synnefo_archipelago.entries import ZERO_ENTRY, pack_cas, strip_entries
from synnefo_archipelago.errors import StoreError
from synnefo_archipelago.hashing import block_hash, significant_length
from synnefo_archipelago.maps import PageStore
from synnefo_archipelago.roots import PAGE_ENTRIES, Root, RootKind

_WINDOW = 4
"""Blocks on their way to storage, per writer."""
_INLINE_HASH = 256 << 10
"""Shorter pieces are not worth another thread."""


class Writer:
    def __init__(
        self, cas: CasBlocks, pages: PageStore, *, storing: Executor, hashing: Executor,
        block_size: int, extra_hashes: Iterable[str] = (),
    ) -> None:  # fmt: skip
        self._cas = cas
        self._pages = pages
        self._storing = storing
        self._hashers = hashing
        self._block_size = block_size
        self._chunks: list[memoryview] = []
        self._filled = 0
        self._size = 0
        self._entries: list[bytes] = []
        self._done_pages: list[bytes] = []
        self._stores: deque[tuple[Future[bool], bytearray | None]] = deque()
        self._spare: list[bytearray] = []
        self._hashing: Future[None] | None = None
        self._extra = {name: hashlib.new(name, usedforsecurity=False) for name in extra_hashes}
        self._state = "open"

    @property
    def size(self) -> int:
        return self._size

    @property
    def hexdigests(self) -> dict[str, str]:
        """The extra hashes of all that was written; complete after `finish`."""
        self._wait_hashing()
        return {name: state.hexdigest() for name, state in self._extra.items()}

    def write(self, data: Data) -> None:
        """Append. An error of earlier storing may surface here; the writer is then aborted."""
        if self._state != "open":
            raise ValueError(f"the writer is {self._state}")
        view = memoryview(data).cast("B")
        self._size += len(view)
        try:
            while len(view):
                take = min(self._block_size - self._filled, len(view))
                # What may change after this call is copied; `bytes` are kept as they are until the block is full.
                piece = view[:take] if isinstance(data, bytes) else memoryview(bytes(view[:take]))
                self._chunks.append(piece)
                self._filled += take
                view = view[take:]
                if self._filled == self._block_size:
                    self._flush_chunks()
        except StoreError:
            self.abort()
            raise

    def finish(self) -> Root:
        """Store the rest and return the root. All it refers to is durable."""
        if self._state != "open":
            raise ValueError(f"the writer is {self._state}")
        try:
            if self._filled:
                self._flush_chunks(is_last=True)
            self._close_page(force=True)
            while self._stores:
                self._stores.popleft()[0].result()
            self._wait_hashing()
            pages, inline = self._pages.pack(self._size, self._block_size, self._done_pages)
        except StoreError:
            self.abort()
            raise
        self._state = "finished"
        return Root(RootKind.FROZEN, self._size, self._block_size, pages, inline)

    def abort(self) -> None:
        """Give up. Blocks that were stored stay, unreferenced, for the collector."""
        if self._state == "open":
            self._state = "aborted"
            for future, _ in self._stores:
                future.cancel()
            self._stores.clear()
            self._chunks = []

    def _flush_chunks(self, *, is_last: bool = False) -> None:
        chunks, self._chunks, self._filled = self._chunks, [], 0
        if len(chunks) == 1:
            self._emit(chunks[0], None, is_last=is_last)
        elif sum(map(len, chunks)) < self._block_size:
            self._emit(memoryview(b"".join(chunks)), None, is_last=is_last)
        else:
            # Fresh memory for every block would cost more than the copy does.
            buffer = self._spare.pop() if self._spare else bytearray(self._block_size)
            at = 0
            for chunk in chunks:
                buffer[at : at + len(chunk)] = chunk
                at += len(chunk)
            self._emit(memoryview(buffer), buffer)

    def _settle_oldest(self) -> None:
        future, buffer = self._stores.popleft()
        future.result()
        if buffer is not None:
            self._spare.append(buffer)  # the block after it is being hashed, so its own hashing is over, too

    def _emit(self, block: memoryview, buffer: bytearray | None, *, is_last: bool = False) -> None:
        self._hash_more(block)
        length = significant_length(block)
        if not length:
            self._entries.append(ZERO_ENTRY)
        else:
            digest = block_hash(block[:length])
            self._entries.append(pack_cas(digest, length))
            if is_last:  # nothing is left to do beside it, so this thread may as well store it
                self._cas.put(digest, block[:length])
                return
            while len(self._stores) >= _WINDOW or (self._stores and self._stores[0][0].done()):
                self._settle_oldest()
            self._stores.append((self._storing.submit(self._cas.put, digest, block[:length]), buffer))
        self._close_page(force=False)

    def _close_page(self, *, force: bool) -> None:
        if len(self._entries) == PAGE_ENTRIES or (force and self._entries):
            page = strip_entries(b"".join(self._entries))
            self._entries = []
            self._done_pages.append(page)

    def _hash_more(self, block: memoryview) -> None:
        if not self._extra:
            return
        self._wait_hashing()
        if len(block) <= _INLINE_HASH:
            self._update(block)
        else:
            self._hashing = self._hashers.submit(self._update, block)

    def _update(self, block: memoryview) -> None:
        for state in self._extra.values():
            state.update(block)

    def _wait_hashing(self) -> None:
        if self._hashing is not None:
            self._hashing.result()
            self._hashing = None
