"""Maps: from the number of a block to its entry, through immutable pages of 4096 entries.

For reading maps of any root and changing the map of an open volume; the blocks themselves are `blocks` and `private`.
A page is stored compressed under the SHA-256 of its canonical (uncompressed) content, and verified when loaded.
"""

import hashlib
from collections.abc import Iterator

import zstandard

from synnefo_archipelago.api import Driver, Space
from synnefo_archipelago.cache import Cache
from synnefo_archipelago.entries import ENTRY_SIZE, ZERO_ENTRY, strip_entries
from synnefo_archipelago.errors import CorruptData, ObjectMissing
from synnefo_archipelago.roots import (
    INLINE_ENTRIES,
    PAGE_ENTRIES,
    ZERO_PAGE,
    Root,
    inline_entry,
    may_inline,
    pack_pages,
)

_PAGE_BYTES = PAGE_ENTRIES * ENTRY_SIZE
_CACHE_BYTES = 32 << 20
_LEVEL = 3


class PageStore:
    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._cache: Cache[bytes, bytes] = Cache(_CACHE_BYTES)

    def load(self, page_id: bytes) -> bytes:
        if page_id == ZERO_PAGE:
            return b""
        found = self._cache.get(page_id)
        if found is not None:
            return found
        try:
            stored = self._driver.get(Space.PAGE, page_id.hex())
        except ObjectMissing:
            raise CorruptData(f"page {page_id.hex()} is missing") from None
        content = self.unpack(page_id, stored)
        self._cache.put(page_id, content, len(content))
        return content

    @staticmethod
    def unpack(page_id: bytes, stored: bytes) -> bytes:
        """The entries of a stored page. Raises `CorruptData`."""
        try:
            content = zstandard.ZstdDecompressor().decompress(stored, max_output_size=_PAGE_BYTES)
        except zstandard.ZstdError as error:
            raise CorruptData(f"page {page_id.hex()} cannot be unpacked") from error
        if hashlib.sha256(content).digest() != page_id or len(content) % ENTRY_SIZE:
            raise CorruptData(f"page {page_id.hex()} does not match its name")
        return content

    @staticmethod
    def pack_page(content: bytes) -> bytes:
        return zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(content)

    def save(self, content: bytes) -> bytes:
        """Store a page in canonical form and return its id; a damaged one of that name is replaced."""
        if not content:
            return ZERO_PAGE
        page_id = hashlib.sha256(content).digest()
        is_there = self.touch(page_id)
        if not is_there or not self._is_good(page_id):
            self._driver.put(Space.PAGE, page_id.hex(), [self.pack_page(content)], replace=is_there)
        self._cache.put(page_id, content, len(content))
        return page_id

    def touch(self, page_id: bytes) -> bool:
        """Mark a page as used; whether it is there."""
        return self._driver.touch(Space.PAGE, page_id.hex()) is not None

    def _is_good(self, page_id: bytes) -> bool:
        try:
            self.load(page_id)
        except CorruptData:
            return False
        return True

    def page(self, root: Root, number: int) -> bytes:
        if root.inline:
            return root.inline if number == 0 else b""
        return self.load(root.page_id(number))

    def entry(self, root: Root, index: int) -> bytes:
        if root.inline:
            return inline_entry(root, index)
        number, slot = divmod(index, PAGE_ENTRIES)
        page = self.load(root.page_id(number))
        return page[slot * ENTRY_SIZE : (slot + 1) * ENTRY_SIZE] or ZERO_ENTRY

    def entries(self, root: Root) -> Iterator[tuple[int, bytes]]:
        """Every entry that is not zero, with its number; pages of zeros cost nothing."""
        for number in range(-(-root.block_count // PAGE_ENTRIES)):
            page = self.page(root, number)
            for at in range(0, len(page), ENTRY_SIZE):
                entry = page[at : at + ENTRY_SIZE]
                if entry != ZERO_ENTRY:
                    yield number * PAGE_ENTRIES + at // ENTRY_SIZE, entry

    def diff(self, old: Root, new: Root) -> Iterator[tuple[int, int]]:
        """(first block, how many) of the runs of blocks whose entries differ. Loads only pages that differ."""
        start = end = 0  # the run that grows
        for number in range(-(-max(old.block_count, new.block_count) // PAGE_ENTRIES)):
            if old.page_id(number) == new.page_id(number) and (number or old.inline == new.inline):
                continue
            pages = self.page(old, number), self.page(new, number)
            for slot in range(max(map(len, pages)) // ENTRY_SIZE):
                at = slot * ENTRY_SIZE
                if (pages[0][at : at + ENTRY_SIZE] or ZERO_ENTRY) == (pages[1][at : at + ENTRY_SIZE] or ZERO_ENTRY):
                    continue
                index = number * PAGE_ENTRIES + slot
                if index != end:
                    if end > start:
                        yield start, end - start
                    start = index
                end = index + 1
        if end > start:
            yield start, end - start

    def pack(self, size: int, block_size: int, pages: list[bytes]) -> tuple[bytes, bytes]:
        """The (page ids, inline entries) of a map given as canonical pages: the writer of whole maps."""
        if may_inline(size, block_size) and not any(pages[1:]):
            first = pages[0] if pages else b""
            if len(first) <= INLINE_ENTRIES * ENTRY_SIZE:
                return b"", first
        return pack_pages([self.save(page) for page in pages]), b""


class LiveMap:
    """The map of an open volume: pages loaded when touched, changed in memory, stored by `commit`."""

    def __init__(self, pages: PageStore, root: Root) -> None:
        self._store = pages
        self._loaded: dict[int, bytearray] = {}
        self._dirty: set[int] = set()
        self.root = root

    @property
    def is_dirty(self) -> bool:
        return bool(self._dirty)

    def _page(self, number: int) -> bytearray:
        page = self._loaded.get(number)
        if page is None:
            content = self._store.page(self.root, number)
            page = self._loaded[number] = bytearray(content.ljust(_PAGE_BYTES, b"\0"))
        return page

    def get(self, index: int) -> bytes:
        if index // PAGE_ENTRIES not in self._loaded:
            return self._store.entry(self.root, index)
        number, slot = divmod(index, PAGE_ENTRIES)
        return bytes(self._page(number)[slot * ENTRY_SIZE : (slot + 1) * ENTRY_SIZE])

    def set(self, index: int, entry: bytes) -> None:
        number, slot = divmod(index, PAGE_ENTRIES)
        self._page(number)[slot * ENTRY_SIZE : (slot + 1) * ENTRY_SIZE] = entry
        self._dirty.add(number)

    def pack(self, size: int) -> tuple[bytes, bytes]:
        """Store the changed pages and return (page ids, inline entries); nothing is forgotten until `committed`."""
        root = self.root
        count = -(-size // (root.block_size * PAGE_ENTRIES))
        changed = {number: strip_entries(self._loaded[number]) for number in self._dirty}
        if root.inline or not root.pages or count == 1:
            return self._store.pack(size, root.block_size, [
                changed[number] if number in changed else self._store.page(root, number) for number in range(count)
            ])  # fmt: skip
        ids = [
            self._store.save(changed[number]) if number in changed else root.page_id(number) for number in range(count)
        ]
        return pack_pages(ids), b""

    def committed(self, root: Root) -> None:
        self.root = root
        self._dirty.clear()
