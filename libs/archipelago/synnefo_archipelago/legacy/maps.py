"""The original's three formats of maps, as their bytes are.

0: digests of 32 bytes, up to the first that is zero; no header, no size. 1: version u32 and size u64, little endian, then
entries of 33 bytes. 2: a header of 32 bytes, big endian, and entries of 128 bytes in objects of their own, whose lengths
are little endian. Not for writing any of them.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from synnefo_archipelago.errors import CorruptData, VolumeNotFound
from synnefo_archipelago.hashing import ZERO_HASH
from synnefo_archipelago.legacy.pools import LegacyPool

_SIGNATURE = b"AMF."
_V2_HEAD = struct.Struct(">4sIQIIQ")
_V2_ENTRY = struct.Struct("<BI123s")
_V1_HEAD = struct.Struct("<IQ")
_V1_ENTRY = 33
_BLOCK_SIZE = 4 << 20
_MAP_DELETED = 2
_ARCHIP, _ZERO, _DELETED = 2, 4, 8
_CHUNK = 4096
_HASH_DIGITS = 64


class LegacyPools(NamedTuple):
    maps: LegacyPool
    blocks: LegacyPool


class LegacyBlock(NamedTuple):
    name: str
    digest: bytes | None
    """The SHA-256 that the name promises; None for a generated name, which promises nothing."""


@dataclass(frozen=True, slots=True)
class LegacyMap:
    name: str
    version: int
    size: int
    block_size: int
    epoch: int
    pool: LegacyPool

    @property
    def block_count(self) -> int:
        return -(-self.size // self.block_size)

    def blocks(self) -> Iterator[LegacyBlock | None]:
        """One for each block of the map; None for a block of zeros. Raises `CorruptData` when entries are missing."""
        entries = {0: self._v0, 1: self._v1, 2: self._v2}[self.version]()
        count = 0
        for block in islice(entries, self.block_count):
            count += 1
            yield block
        if count != self.block_count:
            raise CorruptData(f"map {self.name} has {count} entries of {self.block_count}")

    def _v0(self) -> Iterator[LegacyBlock | None]:
        return (_hashed(digest) for digest in _v0_digests(self.pool, self.name))

    def _v1(self) -> Iterator[LegacyBlock | None]:
        for raw in _records(self.pool, self.name, _V1_HEAD.size, _V1_ENTRY):
            yield LegacyBlock(f"archip_{raw[1:].hex()}", None) if raw[0] else _hashed(raw[1:])

    def _v2(self) -> Iterator[LegacyBlock | None]:
        per_object = self.block_size // _V2_ENTRY.size
        for number in range(-(-self.block_count // per_object)):
            name = f"{self.name}_{number:016x}"
            for raw in islice(_records(self.pool, name, 0, _V2_ENTRY.size), per_object):
                yield self._v2_entry(raw)

    def _v2_entry(self, raw: bytes) -> LegacyBlock | None:
        flags, length, text = _V2_ENTRY.unpack(raw)
        if flags & _ZERO:
            return None
        if flags & _DELETED or not 0 < length <= len(text):
            raise CorruptData(f"map {self.name} has an entry with flags {flags} and a name of {length} bytes")
        try:
            name = text[:length].decode("ascii")
            # Copies of snapshots lost the flag of generated names: what is not 64 digits is generated all the same.
            if not flags & _ARCHIP and length == _HASH_DIGITS:
                return _hashed(bytes.fromhex(name))
        except ValueError as error:
            raise CorruptData(f"map {self.name} has an entry with the name {text[:length]!r}") from error
        return LegacyBlock(name, None)


def _hashed(digest: bytes) -> LegacyBlock | None:
    return None if digest == ZERO_HASH else LegacyBlock(digest.hex(), digest)


def _records(pool: LegacyPool, name: str, offset: int, size: int) -> Iterator[bytes]:
    while True:
        chunk = pool.read(name, offset, _CHUNK * size)
        if chunk is None:
            raise CorruptData(f"object {name} of a map is missing")
        for at in range(0, len(chunk) - size + 1, size):
            yield chunk[at : at + size]
        if len(chunk) < _CHUNK * size:
            return
        offset += len(chunk)


def _v0_digests(pool: LegacyPool, name: str) -> Iterator[bytes]:
    for digest in _records(pool, name, 0, 32):
        if not any(digest):
            return
        yield digest


def read_map(pool: LegacyPool, name: str, *, size: int | None = None) -> LegacyMap:
    """The map of that name. `size` is for version 0, which does not know its own: else it is whole blocks.

    Raises `VolumeNotFound`, also for what was deleted, and `CorruptData`.
    """
    head = pool.read(name, 0, _V2_HEAD.size)
    if head is None:
        raise VolumeNotFound(name)
    if head.startswith(_SIGNATURE):
        return _read_v2(pool, name, head)
    if len(head) >= _V1_HEAD.size and _V1_HEAD.unpack_from(head)[0] == 1:
        return LegacyMap(name, 1, _V1_HEAD.unpack_from(head)[1], _BLOCK_SIZE, 0, pool)
    count = sum(1 for _ in _v0_digests(pool, name))
    if size is not None and -(-size // _BLOCK_SIZE) > count:
        raise CorruptData(f"map {name} has {count} entries, too few for {size} bytes")
    return LegacyMap(name, 0, count * _BLOCK_SIZE if size is None else size, _BLOCK_SIZE, 0, pool)


def _read_v2(pool: LegacyPool, name: str, head: bytes) -> LegacyMap:
    if len(head) < _V2_HEAD.size:
        raise CorruptData(f"the header of map {name} is cut off")
    _, version, size, block_size, flags, epoch = _V2_HEAD.unpack(head)
    if version != 2 or block_size <= 128 or block_size & (block_size - 1):
        raise CorruptData(f"map {name} has version {version} and blocks of {block_size} bytes")
    if flags & _MAP_DELETED:
        raise VolumeNotFound(f"{name} was deleted")
    return LegacyMap(name, 2, size, block_size, epoch, pool)
