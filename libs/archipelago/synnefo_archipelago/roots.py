"""The root record: all there is to know about one object, image, snapshot or volume except its blocks.

Layout, big endian: a fixed head, page ids (32 bytes each), entries kept inline (40 bytes each), xxh3-128 of all before.
Small maps, and sparse ones, keep the entries of their first page inline and have no page; which form a map takes
depends on its content only, and the digest on neither.
"""

import hashlib
import struct
from dataclasses import dataclass, replace
from enum import IntEnum

from synnefo_archipelago.entries import ENTRY_SIZE, ZERO_ENTRY, strip_entries
from synnefo_archipelago.errors import CorruptData
from synnefo_archipelago.hashing import CHECK_BYTES, check

PAGE_ENTRIES = 4096
PAGE_ID_SIZE = 32
ZERO_PAGE = bytes(PAGE_ID_SIZE)
INLINE_ENTRIES = 64
INLINE_PAGES = 16
"""Maps of more pages than this keep no entry inline, so that a root stays small."""

_MAGIC = b"SROT"
_VERSION = 1
_SHA256 = 1
_HEAD = struct.Struct(">4sBBBBQIIQQQ16s32sQIHH")


class RootKind(IntEnum):
    FROZEN = 1  # only content-addressed blocks
    SNAPSHOT = 2  # immutable, but may refer to private blocks of a volume's past
    VOLUME = 3  # live: the store holds it, under a name


@dataclass(frozen=True, slots=True)
class Root:
    kind: RootKind
    size: int
    block_size: int
    pages: bytes = b""
    inline: bytes = b""
    generation: int = 0
    epoch: int = 0
    shared_below: int = 0
    """Private blocks of generations below this one may be referred to by snapshots."""
    uuid: bytes = bytes(16)
    origin: bytes = bytes(32)
    created_size: int = 0

    @property
    def block_count(self) -> int:
        return -(-self.size // self.block_size)

    @property
    def is_frozen(self) -> bool:
        return self.kind is RootKind.FROZEN

    @property
    def digest(self) -> str:
        """Identity of the content: frozen roots of equal data, size and block size have equal digests.

        A snapshot's digest identifies what it refers to; equal data in different blocks gives different digests.
        """
        return self.digest_bytes.hex()

    @property
    def digest_bytes(self) -> bytes:
        pages = hashlib.sha256(self.inline).digest() if self.inline else self.pages
        return hashlib.sha256(b"synnefo root 1\0" + struct.pack(">QI", self.size, self.block_size) + pages).digest()

    def page_id(self, number: int) -> bytes:
        return self.pages[number * PAGE_ID_SIZE : (number + 1) * PAGE_ID_SIZE] or ZERO_PAGE

    def with_map(self, pages: bytes, inline: bytes) -> "Root":
        return replace(self, pages=pages, inline=inline)

    def to_bytes(self) -> bytes:
        head = _HEAD.pack(
            _MAGIC, _VERSION, self.kind, 0, _SHA256,
            self.size, self.block_size, 0, self.generation, self.epoch, self.shared_below,
            self.uuid, self.origin, self.created_size,
            len(self.pages) // PAGE_ID_SIZE, len(self.inline) // ENTRY_SIZE, 0,
        )  # fmt: skip
        body = head + self.pages + self.inline
        return body + check(body)

    @classmethod
    def from_bytes(cls, blob: bytes) -> "Root":
        """Raises `CorruptData` for bytes that are no root or were damaged."""
        if len(blob) < _HEAD.size + CHECK_BYTES or check(blob[:-CHECK_BYTES]) != blob[-CHECK_BYTES:]:
            raise CorruptData("a root record does not match its checksum")
        (
            magic, version, kind, flags, algorithm,
            size, block_size, _, generation, epoch, shared_below,
            uuid, origin, created_size, page_count, inline_count, _,
        ) = _HEAD.unpack_from(blob)  # fmt: skip
        if (magic, version, flags, algorithm) != (_MAGIC, _VERSION, 0, _SHA256):
            raise CorruptData(f"a root record of an unknown format: {magic!r} {version} {flags} {algorithm}")
        middle = _HEAD.size + page_count * PAGE_ID_SIZE
        end = middle + inline_count * ENTRY_SIZE
        if end + CHECK_BYTES != len(blob):
            raise CorruptData("a root record has the wrong length")
        return cls(
            kind=RootKind(kind), size=size, block_size=block_size,
            pages=blob[_HEAD.size : middle], inline=blob[middle:end],
            generation=generation, epoch=epoch, shared_below=shared_below,
            uuid=uuid, origin=origin, created_size=created_size,
        )  # fmt: skip


def as_snapshot(root: Root) -> Root:
    """The immutable root of what a volume's root shows."""
    return replace(root, kind=RootKind.SNAPSHOT, epoch=0, shared_below=0, origin=bytes(32), created_size=0)


def may_inline(size: int, block_size: int) -> bool:
    blocks = -(-size // block_size)
    return blocks <= INLINE_PAGES * PAGE_ENTRIES


def inline_entry(root: Root, index: int) -> bytes:
    return root.inline[index * ENTRY_SIZE : (index + 1) * ENTRY_SIZE] or ZERO_ENTRY


def pack_pages(ids: list[bytes]) -> bytes:
    """Page ids in canonical form: without trailing zero pages."""
    while ids and ids[-1] == ZERO_PAGE:
        ids.pop()
    return b"".join(ids)


__all__ = ["Root", "RootKind", "as_snapshot", "inline_entry", "may_inline", "pack_pages", "strip_entries"]
