"""The fixed-width entry that says where one block of a map is.

Layout, 40 bytes, big endian: kind u8, flags u8, key id u16, length u32, identity 32 bytes.
`flags` and `key id` are zero today and kept for encryption and compression; a reader refuses flags it does not know.
The identity of a content-addressed block is its hash, of a private one (volume uuid 16, generation 8, index 8).
"""

import struct
from enum import IntEnum
from typing import NamedTuple

from synnefo_archipelago.errors import CorruptData

_ENTRY = struct.Struct(">BBHI32s")
_PRIVATE = struct.Struct(">16sQQ")
ENTRY_SIZE = _ENTRY.size
ZERO_ENTRY = bytes(ENTRY_SIZE)


class Kind(IntEnum):
    ZERO = 0
    CAS = 1
    PRIVATE = 2


class Entry(NamedTuple):
    kind: Kind
    length: int
    """Bytes stored of a content-addressed block; 0 for others."""
    ident: bytes


class PrivateId(NamedTuple):
    uuid: bytes
    generation: int
    block: int

    def pack(self) -> bytes:
        return _PRIVATE.pack(*self)


def parse_private_id(ident: bytes) -> PrivateId:
    return PrivateId(*_PRIVATE.unpack(ident))


def pack_cas(digest: bytes, length: int) -> bytes:
    return _ENTRY.pack(Kind.CAS, 0, 0, length, digest)


def pack_private(private: PrivateId) -> bytes:
    return _ENTRY.pack(Kind.PRIVATE, 0, 0, 0, private.pack())


def parse_entry(raw: bytes | bytearray | memoryview) -> Entry:
    kind, flags, key_id, length, ident = _ENTRY.unpack(raw)
    if flags or key_id or kind not in (0, 1, 2):
        raise CorruptData(f"an entry of a map has kind {kind}, flags {flags}, key {key_id}")
    return Entry(Kind(kind), length, ident)


def strip_entries(table: bytes | bytearray | memoryview) -> bytes:
    """A table of entries without trailing zero entries: its canonical form."""
    whole = bytes(table)
    used = len(whole.rstrip(b"\0"))
    return whole[: -(-used // ENTRY_SIZE) * ENTRY_SIZE]
