"""Hashes and checksums: Pithos' block and object hashes, and the checksums that reads verify.

For pure functions of bytes; nothing here stores anything.
"""

import hashlib
from collections.abc import Iterable

import xxhash

from synnefo_archipelago.api import Data

CHECK_SIZE = 64 << 10
"""Bytes under one checksum."""
CHECK_BYTES = 16

ZERO_HASH = hashlib.sha256(b"").digest()
"""The hash of a block of zeros: nothing is left after its trailing zeros are taken away."""

_STEPS = (1 << 20, 64 << 10, 4 << 10)
_ZEROS = bytes(_STEPS[0])


def significant_length(data: Data) -> int:
    """The length without trailing zero bytes, found by comparing ever smaller pieces (much faster than `rstrip`)."""
    view = memoryview(data).cast("B")
    end = len(view)
    zeros = memoryview(_ZEROS)
    for step in _STEPS:
        while end >= step and view[end - step : end] == zeros[:step]:
            end -= step
    # What is left of the tail has its last non-zero byte within one step, or is shorter than a step.
    start = max(0, end - _STEPS[-1])
    return start + len(view[start:end].tobytes().rstrip(b"\0"))


def block_hash(significant: Data) -> bytes:
    """SHA-256 of a block whose trailing zeros were taken away."""
    return hashlib.sha256(significant).digest()


def check(data: Data) -> bytes:
    return xxhash.xxh3_128_digest(data)


def checks(data: Data) -> bytes:
    """The checksums of every 64 KiB, joined."""
    view = memoryview(data)
    return b"".join(xxhash.xxh3_128_digest(view[i : i + CHECK_SIZE]) for i in range(0, len(view), CHECK_SIZE))


def merkle(hashes: Iterable[bytes]) -> bytes:
    """Pithos' object hash: pairs of block hashes, padded with zero digests to a power of two."""
    level = list(hashes)
    if not level:
        return ZERO_HASH
    width = 1 << (len(level) - 1).bit_length()
    level += [bytes(32)] * (width - len(level))
    while len(level) > 1:
        level = [hashlib.sha256(level[i] + level[i + 1]).digest() for i in range(0, len(level), 2)]
    return level[0]
