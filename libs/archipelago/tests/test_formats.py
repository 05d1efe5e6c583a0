"""Hashes, entries and roots: what is written to disk and to other services' databases."""

import dataclasses
import hashlib
import random
from typing import Any

import pytest

from synnefo_archipelago.entries import (
    ENTRY_SIZE,
    ZERO_ENTRY,
    Kind,
    PrivateId,
    pack_cas,
    pack_private,
    parse_entry,
    parse_private_id,
    strip_entries,
)
from synnefo_archipelago.errors import CorruptData
from synnefo_archipelago.hashing import ZERO_HASH, merkle, significant_length
from synnefo_archipelago.roots import Root, RootKind

LEAVES = [hashlib.sha256(letter.encode()).digest() for letter in "abcde"]


@pytest.mark.parametrize(
    ("leaves", "expected"),
    [
        (LEAVES[:0], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (LEAVES[:1], "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"),
        (LEAVES[:2], "e5a01fee14e0ed5c48714f22180f25ad8365b53f9779f79dc4a3d7e93963f94a"),
        (LEAVES[:3], "d0a664079d491a97357efa1ce1eab5aeb566adef78a2b910e8d13e901e192832"),
        (LEAVES[:4], "14ede5e8e97ad9372327728f5099b95604a39593cac3bd38a343ad76205213e7"),
        (LEAVES[:5], "c6cde104e4847b9111f224882d4fb270b5f240f1bd24dda998828dc06303708c"),
        ([ZERO_HASH] * 2, "2dba5dbc339e7316aea2683faf839c1b7b1ee2313db792112588118df066aa35"),
    ],
)
def test_object_hash_is_that_of_pithos(leaves: list[bytes], expected: str) -> None:
    assert merkle(leaves).hex() == expected


def test_significant_length_equals_that_of_rstrip() -> None:
    rng = random.Random(7)
    for size in (0, 1, 4095, 4096, 4097, 65536, (1 << 20) + 5, 4 << 20):
        for kept in {0, 1, size // 2, max(0, size - 1), size, max(0, size - 4096), rng.randrange(size + 1)}:
            data = rng.randbytes(kept).ljust(size, b"\0")[:size]
            assert significant_length(data) == len(data.rstrip(b"\0")), (size, kept)
            assert significant_length(memoryview(bytearray(data))) == len(data.rstrip(b"\0"))


def test_entries_survive_packing() -> None:
    cas = parse_entry(pack_cas(b"h" * 32, 77))
    assert (cas.kind, cas.length, cas.ident) == (Kind.CAS, 77, b"h" * 32)
    private = PrivateId(b"u" * 16, 3, 9)
    parsed = parse_entry(pack_private(private))
    assert (parsed.kind, parse_private_id(parsed.ident)) == (Kind.PRIVATE, private)
    assert parse_entry(ZERO_ENTRY).kind is Kind.ZERO


@pytest.mark.parametrize("at", [0, 1, 2, 3])
def test_entry_of_an_unknown_kind_or_flag_is_refused(at: int) -> None:
    raw = bytearray(pack_cas(b"h" * 32, 77))
    raw[at] |= 0x40
    with pytest.raises(CorruptData):
        parse_entry(raw)


def test_entries_are_stripped_whole_even_when_they_end_in_zeros() -> None:
    entry = pack_private(PrivateId(b"u" * 16, 1, 0))
    assert strip_entries(entry + ZERO_ENTRY * 3) == entry
    assert strip_entries(ZERO_ENTRY + entry) == ZERO_ENTRY + entry
    assert strip_entries(ZERO_ENTRY * 2) == b""


def make_root(**changes: Any) -> Root:
    root = Root(
        RootKind.VOLUME, 10**12, 4 << 20, pages=b"p" * 64, generation=5, epoch=6, shared_below=4, uuid=b"u" * 16,
        origin=b"o" * 32, created_size=77,
    )  # fmt: skip
    return dataclasses.replace(root, **changes)


def test_root_survives_packing() -> None:
    for root in (make_root(), make_root(pages=b"", inline=b"i" * ENTRY_SIZE * 64), make_root(kind=RootKind.FROZEN)):
        assert Root.from_bytes(root.to_bytes()) == root


def test_damaged_root_is_refused_whatever_bit_flipped() -> None:
    blob = make_root().to_bytes()
    for bit in range(len(blob) * 8):
        bad = bytearray(blob)
        bad[bit // 8] ^= 1 << bit % 8
        with pytest.raises(CorruptData):
            Root.from_bytes(bytes(bad))


@pytest.mark.parametrize("cut", [0, 1, 15, 50, 150])
def test_shortened_root_is_refused(cut: int) -> None:
    with pytest.raises(CorruptData):
        Root.from_bytes(make_root().to_bytes()[:cut])


def test_digest_depends_on_size_and_block_size() -> None:
    digests = {make_root().digest, make_root(size=10**12 - 1).digest, make_root(block_size=1 << 20).digest}
    assert len(digests) == 3
