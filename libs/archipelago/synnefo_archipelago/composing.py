"""New frozen roots made of what is stored: from a list of block hashes, or from ranges of other roots.

Whole blocks are referred to again; only what does not begin and end with a block is read and written anew.
Not for deciding whether a caller may refer to a block: whoever knows a hash and may not use it is the service's affair.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from typing import NamedTuple

from synnefo_archipelago.blocks import CasBlocks
from synnefo_archipelago.entries import ZERO_ENTRY, Kind, pack_cas, parse_entry, strip_entries
from synnefo_archipelago.errors import BlocksMissing
from synnefo_archipelago.hashing import block_hash, significant_length
from synnefo_archipelago.maps import PageStore
from synnefo_archipelago.reader import BlockReader
from synnefo_archipelago.roots import PAGE_ENTRIES, Root, RootKind


class Range(NamedTuple):
    """A part of a root."""

    root: Root
    offset: int
    length: int


class Composer:
    def __init__(self, cas: CasBlocks, pages: PageStore, reader: BlockReader, *, executor: Executor) -> None:
        self._cas = cas
        self._pages = pages
        self._reader = reader
        self._executor = executor

    def from_hashes(self, size: int, hashes: Sequence[bytes], block_size: int) -> Root:
        """The root of `size` bytes in these blocks, each of which is marked as referred to now.

        Raises BlocksMissing; ValueError for hashes that cannot make `size` bytes.
        """
        if size < 0 or len(hashes) != -(-size // block_size):
            raise ValueError(f"{len(hashes)} blocks cannot be {size} bytes")
        unique = list(dict.fromkeys(hashes))
        lengths = dict(zip(unique, self._executor.map(self._cas.touch, unique), strict=True))
        missing = [digest for digest, length in lengths.items() if length is None]
        if missing:
            raise BlocksMissing(missing)
        entries: list[bytes] = []
        for index, digest in enumerate(hashes):
            length = lengths[digest] or 0
            if length > min(block_size, size - index * block_size):
                raise ValueError(f"block {index} is longer than its part of {size} bytes")
            entries.append(pack_cas(digest, length) if length else ZERO_ENTRY)
        return self._pack(size, block_size, entries)

    def compose(self, ranges: Iterable[Range], block_size: int) -> Root:
        """One root of these ranges, one after the other."""
        parts = [part for part in ranges if part.length]
        for part in parts:
            if part.offset < 0 or part.length < 0 or part.offset + part.length > part.root.size:
                raise ValueError(f"range {part.offset}+{part.length} is outside of {part.root.size} bytes")
        size = sum(part.length for part in parts)
        entries = [self._entry(pieces, block_size) for pieces in _by_block(parts, block_size)]
        return self._pack(size, block_size, entries)

    def _entry(self, pieces: Sequence[Range], block_size: int) -> bytes:
        first = pieces[0]
        root = first.root
        if len(pieces) == 1 and root.is_frozen and root.block_size == block_size and first.offset % block_size == 0:
            entry = self._pages.entry(root, first.offset // block_size)
            parsed = parse_entry(entry)
            if parsed.kind is Kind.ZERO or (parsed.kind is Kind.CAS and parsed.length <= first.length):
                return entry
        data = b"".join(piece for part in pieces for piece in self._reader.ranges(part.root, part.offset, part.length, part.root.block_size))
        length = significant_length(data)
        if not length:
            return ZERO_ENTRY
        kept = memoryview(data)[:length]
        digest = block_hash(kept)
        self._cas.put(digest, kept)
        return pack_cas(digest, length)

    def _pack(self, size: int, block_size: int, entries: Sequence[bytes]) -> Root:
        pages = [strip_entries(b"".join(entries[at : at + PAGE_ENTRIES])) for at in range(0, len(entries), PAGE_ENTRIES)]
        page_ids, inline = self._pages.pack(size, block_size, pages)
        return Root(RootKind.FROZEN, size, block_size, page_ids, inline)

    def blocks(self, root: Root) -> Iterator[tuple[bytes, int]]:
        """Hash and length of every content-addressed block of a root, in order; a block may come again."""
        for _, entry in self._pages.entries(root):
            parsed = parse_entry(entry)
            if parsed.kind is Kind.CAS:
                yield parsed.ident, parsed.length


def _by_block(parts: Sequence[Range], block_size: int) -> Iterator[list[Range]]:
    """The ranges, cut where blocks of the result end."""
    pieces: list[Range] = []
    room = block_size
    for part in parts:
        offset, left = part.offset, part.length
        while left:
            count = min(left, room)
            pieces.append(Range(part.root, offset, count))
            offset, left, room = offset + count, left - count, room - count
            if not room:
                yield pieces
                pieces, room = [], block_size
    if pieces:
        yield pieces
