"""Freezing: a snapshot's private blocks become content-addressed ones, which other roots share.

The snapshot reads the same before, during and after. What is done is remembered page by page. Not for deciding who
refers to the old root: its owner exchanges it for the new one.
"""

from collections.abc import Callable
from dataclasses import replace

from synnefo_archipelago.blocks import CasBlocks
from synnefo_archipelago.entries import ENTRY_SIZE, ZERO_ENTRY, Kind, pack_cas, parse_entry, strip_entries
from synnefo_archipelago.hashing import block_hash, significant_length
from synnefo_archipelago.maps import PageStore
from synnefo_archipelago.pace import Pace
from synnefo_archipelago.reader import BlockReader
from synnefo_archipelago.roots import INLINE_ENTRIES, PAGE_ENTRIES, ZERO_PAGE, Root, RootKind, may_inline, pack_pages


def freeze_root(
    reader: BlockReader, cas: CasBlocks, pages: PageStore, root: Root, *, pace: Pace,
    done: dict[str, str], remember: Callable[[dict[str, str]], None],
) -> Root:  # fmt: skip
    """The frozen root of the same bytes; blocks of zeros become holes.

    `done` maps numbers of pages to ids of frozen pages, as an interrupted call told `remember`. Raises `CorruptData`,
    `Stopped`; a volume's root is refused, because it changes.
    """
    if root.kind is RootKind.VOLUME:
        raise ValueError("the root of a live volume changes: make a snapshot")
    if root.is_frozen:
        return root
    done = dict(done)
    count = -(-root.block_count // PAGE_ENTRIES)
    pace.begin("freezing", total=root.block_count)
    for number in range(count):
        old = done.get(str(number))
        # Touching keeps what was done before from the collector: a page that was used lately protects its blocks.
        if old is not None and (old == ZERO_PAGE.hex() or pages.touch(bytes.fromhex(old))):
            continue
        content = pages.page(root, number)
        frozen = bytearray()
        for at in range(0, len(content), ENTRY_SIZE):
            frozen += _freeze_entry(content[at : at + ENTRY_SIZE], root.block_size, reader, cas, pace)
        done[str(number)] = pages.save(strip_entries(frozen)).hex()
        remember(done)
    ids = [bytes.fromhex(done[str(number)]) for number in range(count)]
    if may_inline(root.size, root.block_size) and all(page_id == ZERO_PAGE for page_id in ids[1:]):
        first = pages.load(ids[0]) if ids else b""
        if len(first) <= INLINE_ENTRIES * ENTRY_SIZE:
            return _frozen(root, b"", first)
    return _frozen(root, pack_pages(ids), b"")


def _frozen(root: Root, pages: bytes, inline: bytes) -> Root:
    return replace(
        root, kind=RootKind.FROZEN, pages=pages, inline=inline, generation=0, epoch=0, shared_below=0,
        uuid=bytes(16), origin=bytes(32), created_size=0,
    )  # fmt: skip


def _freeze_entry(entry: bytes, block_size: int, reader: BlockReader, cas: CasBlocks, pace: Pace) -> bytes:
    parsed = parse_entry(entry)
    if parsed.kind is not Kind.PRIVATE:
        pace.step()
        return entry
    data = reader.block(entry, block_size, 0, block_size)
    pace.step(1, block_size)
    length = significant_length(data)
    if not length:
        return ZERO_ENTRY
    digest = block_hash(memoryview(data)[:length])
    cas.put(digest, memoryview(data)[:length])
    return pack_cas(digest, length)
