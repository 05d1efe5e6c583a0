"""Content-addressed blocks: immutable, named by the SHA-256 of their data without trailing zeros.

Layout: head (48 bytes, big endian), one xxh3-128 per 64 KiB of data, xxh3-128 of all before, data.
Every read verifies the checksums of what it touches; whether the data still has its SHA-256 is the scrubber's question.
"""

import struct
from typing import NamedTuple

from synnefo_archipelago.api import Data, Driver, Read, Space
from synnefo_archipelago.cache import Cache
from synnefo_archipelago.errors import CorruptData, ObjectMissing
from synnefo_archipelago.hashing import CHECK_BYTES, CHECK_SIZE, ZERO_HASH, check, checks

_MAGIC = b"SBLK"
_HEAD = struct.Struct(">4sBBBxII32s")
_SHIFT = CHECK_SIZE.bit_length() - 1
_HEADS = 2048
_SMALL = 128 << 10
"""Blocks up to this size are read whole, in one go."""


class Head(NamedTuple):
    data_offset: int
    length: int
    sums: bytes


def head_size(length: int) -> int:
    return _HEAD.size + -(-length // CHECK_SIZE) * CHECK_BYTES + CHECK_BYTES


def data_length(stored: int) -> int:
    """The data in a block object of `stored` bytes: what `head_size` adds, taken away."""
    sums_and_data = stored - _HEAD.size - CHECK_BYTES
    return sums_and_data - CHECK_BYTES * -(-sums_and_data // (CHECK_SIZE + CHECK_BYTES))


def pack_head(digest: bytes, data: Data) -> bytes:
    body = _HEAD.pack(_MAGIC, 1, 0, _SHIFT, len(data), 0, digest) + checks(data)
    return body + check(body)


def parse_head(digest: bytes, length: int, raw: bytes) -> Head:
    size = head_size(length)
    body, seal = raw[: size - CHECK_BYTES], raw[size - CHECK_BYTES : size]
    if len(raw) < size or check(body) != seal:
        raise CorruptData(f"the head of block {digest.hex()} does not match its checksum")
    magic, version, flags, shift, stored, _, name = _HEAD.unpack_from(body)
    if (magic, version, flags, shift) != (_MAGIC, 1, 0, _SHIFT):
        raise CorruptData(f"block {digest.hex()} has an unknown format")
    if stored != length or name != digest:
        raise CorruptData(f"block {digest.hex()} is another one: {stored} bytes of {name.hex()}")
    return Head(size, length, body[_HEAD.size :])


def stored_length(raw: bytes) -> int:
    """The length of the data as the head of a whole block tells it. Raises `CorruptData`."""
    if len(raw) < _HEAD.size:
        raise CorruptData("a block is too short")
    return int(_HEAD.unpack_from(raw)[4])


def verify(sums: bytes, first: int, data: Data) -> bool:
    """Whether `data`, which starts at checksum number `first`, matches."""
    return sums[first * CHECK_BYTES : (first + -(-len(data) // CHECK_SIZE)) * CHECK_BYTES] == checks(data)


class CasBlocks:
    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._heads: Cache[bytes, Head] = Cache(_HEADS)

    def put(self, digest: bytes, data: Data) -> bool:
        """Store a block durably unless it is there. False when it was."""
        key = digest.hex()
        size = head_size(len(data)) + len(data)
        # Few bytes cost less to be offered in vain than it costs to ask first.
        if len(data) <= _SMALL and self._driver.put(Space.CAS, key, [pack_head(digest, data), data]):
            return True
        found = self._driver.touch(Space.CAS, key)
        if found == size:
            return False
        # A block of another length cannot be what its name says: it was damaged, and here is the truth.
        return self._driver.put(Space.CAS, key, [pack_head(digest, data), data], replace=found is not None)

    def touch(self, digest: bytes) -> int | None:
        """The length of a block's data, marked as referred to now; None when it is not there. Zeros are always there."""
        if digest == ZERO_HASH:
            return 0
        size = self._driver.touch(Space.CAS, digest.hex())
        return None if size is None else data_length(size)

    def read(self, digest: bytes, length: int, start: int, count: int) -> bytes:
        """Verified bytes of a block that has `length` stored ones; zeros after those."""
        if start >= length:
            return bytes(count)
        begin = start - start % CHECK_SIZE
        end = min(-(-(start + count) // CHECK_SIZE) * CHECK_SIZE, length)
        try:
            head, data = self._fetch(digest, length, begin, end)
        except ObjectMissing:
            raise CorruptData(f"block {digest.hex()} is missing") from None
        if len(data) != end - begin or not verify(head.sums, begin // CHECK_SIZE, data):
            self._heads.discard(digest)
            raise CorruptData(f"block {digest.hex()} does not match its checksums between {begin} and {end}")
        if begin == start and len(data) == count:
            return data
        return data[start - begin : start - begin + count].ljust(count, b"\0")

    def _fetch(self, digest: bytes, length: int, begin: int, end: int) -> tuple[Head, bytes]:
        key = digest.hex()
        head = self._heads.get(digest)
        if head is None and length <= _SMALL:
            raw = self._driver.get(Space.CAS, key, 0, head_size(length) + length)
            head = parse_head(digest, length, raw)
            return head, raw[head.data_offset + begin : head.data_offset + end]
        if head is None:
            size = head_size(length)
            raw, data = self._driver.get_many(
                [Read(Space.CAS, key, 0, size), Read(Space.CAS, key, size + begin, end - begin)]
            )
            head = parse_head(digest, length, raw)
            self._heads.put(digest, head)
            return head, data
        return head, self._driver.get(Space.CAS, key, head.data_offset + begin, end - begin)
