"""Frozen data: writing, reading, deduplication."""

import hashlib
import random
from collections.abc import Callable

import pytest

from synnefo_archipelago import Root, Store, merkle

BLOCK = 256 << 10


def put(store: Store, data: bytes, *, step: int = 100_000) -> Root:
    writer = store.writer()
    for at in range(0, len(data), step):
        writer.write(data[at : at + step])
    return writer.finish()


@pytest.mark.parametrize("size", [0, 1, 1000, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 70_000])
def test_data_reads_back_after_reopening(
    store: Store, another_store: Callable[[], Store], rng: random.Random, size: int
) -> None:
    data = rng.randbytes(size)
    blob = put(store, data).to_bytes()
    root = Root.from_bytes(blob)
    assert root.size == size
    assert root.is_frozen
    assert another_store().read(root, 0, size) == data


def test_any_range_reads_as_a_slice_does(store: Store, rng: random.Random) -> None:
    data = rng.randbytes(BLOCK) + bytes(BLOCK + 5) + rng.randbytes(2 * BLOCK - 77)
    root = put(store, data)
    for _ in range(150):
        start = rng.randrange(len(data))
        length = min(rng.choice([0, 1, 700, 65536, BLOCK, 3 * BLOCK]), len(data) - start)
        assert store.read(root, start, length) == data[start : start + length]


@pytest.mark.parametrize("chunk", [1000, 65536, 1 << 20])
def test_streamed_pieces_join_to_the_range(store: Store, rng: random.Random, chunk: int) -> None:
    data = rng.randbytes(3 * BLOCK + 12345)
    root = put(store, data)
    pieces = list(store.iter_range(root, 777, len(data) - 1000, chunk_bytes=chunk))
    assert b"".join(pieces) == data[777 : len(data) - 223]
    assert max(map(len, pieces)) <= chunk
    assert b"".join(store.iter_range(root)) == data


@pytest.mark.parametrize(("offset", "length"), [(-1, 1), (0, 11), (10, 1), (0, -1)])
def test_range_outside_of_the_data_is_refused(store: Store, offset: int, length: int) -> None:
    root = put(store, b"0123456789")
    with pytest.raises(ValueError, match="outside"):
        store.read(root, offset, length)


def test_the_same_data_twice_is_stored_once(
    store: Store, another_store: Callable[[], Store], rng: random.Random
) -> None:
    data = rng.randbytes(4 * BLOCK)
    first = put(store, data)
    before = store.stats()
    second = put(another_store(), data, step=33_333)
    assert second == first
    assert second.digest == first.digest
    assert store.stats() == before
    assert before.blocks == 4


def test_equal_blocks_of_different_objects_are_stored_once(store: Store, rng: random.Random) -> None:
    shared, mine, yours = (rng.randbytes(BLOCK) for _ in range(3))
    put(store, shared + mine)
    put(store, yours + shared + shared)
    assert store.stats().blocks == 3


def test_zeros_are_not_stored(store: Store, rng: random.Random) -> None:
    root = put(store, bytes(3 * BLOCK))
    assert store.stats().blocks == 0
    assert store.read(root, 0, 3 * BLOCK) == bytes(3 * BLOCK)
    head = rng.randbytes(1000) + b"\x01"
    put(store, head + bytes(BLOCK))
    assert store.stats().bytes < 2000


def test_trailing_zeros_do_not_count(store: Store) -> None:
    short, padded = put(store, b"abc"), put(store, b"abc".ljust(BLOCK, b"\0"))
    assert store.hashmap(short) == store.hashmap(padded) == [hashlib.sha256(b"abc").hexdigest()]
    assert store.stats().blocks == 1
    assert short.digest != padded.digest
    assert store.read(padded, 0, 5) == b"abc\0\0"


def test_hashmap_is_that_of_pithos(store: Store) -> None:
    data = b"".join(letter.ljust(BLOCK, b"\0") for letter in (b"a", b"b", b"")) + b"c"
    hashes = store.hashmap(put(store, data))
    assert hashes == [hashlib.sha256(text).hexdigest() for text in (b"a", b"b", b"", b"c")]
    assert len(merkle(map(bytes.fromhex, hashes))) == 32


def test_digest_does_not_depend_on_how_data_was_cut(store: Store, rng: random.Random) -> None:
    data = rng.randbytes(2 * BLOCK + 5)
    assert {put(store, data, step=step).digest for step in (777, 70_000, 10**7)} == {put(store, data).digest}
    assert put(store, data[:-1] + b"!").digest != put(store, data).digest


def test_caller_may_reuse_its_buffer(store: Store, rng: random.Random) -> None:
    data = rng.randbytes(4 * BLOCK)
    buffer = bytearray(2 * BLOCK)
    writer = store.writer(extra_hashes=("md5",))
    for at in range(0, len(data), len(buffer)):
        buffer[:] = data[at : at + len(buffer)]
        writer.write(buffer)
        buffer[:] = bytes(len(buffer))
    root = writer.finish()
    assert store.read(root, 0, len(data)) == data
    assert writer.hexdigests == {"md5": hashlib.md5(data, usedforsecurity=False).hexdigest()}


@pytest.mark.parametrize("size", [0, 5, BLOCK, 2 * BLOCK + 9])
def test_extra_hashes_are_of_all_the_data(store: Store, rng: random.Random, size: int) -> None:
    data = rng.randbytes(size)
    writer = store.writer(extra_hashes=("md5", "sha256"))
    writer.write(data[:3])
    writer.write(data[3:])
    writer.finish()
    assert writer.size == size
    assert writer.hexdigests == {
        "md5": hashlib.md5(data, usedforsecurity=False).hexdigest(),
        "sha256": hashlib.sha256(data).hexdigest(),
    }


def test_finished_and_aborted_writers_take_no_more(store: Store) -> None:
    for end in ("finish", "abort"):
        writer = store.writer()
        writer.write(b"x")
        getattr(writer, end)()
        with pytest.raises(ValueError, match="the writer is"):
            writer.write(b"y")
        with pytest.raises(ValueError, match="the writer is"):
            writer.finish()


def test_small_object_needs_no_page(store: Store, rng: random.Random) -> None:
    put(store, rng.randbytes(64 * 4096))
    assert store.stats().pages == 0


def test_large_map_is_kept_in_pages(store: Store, another_store: Callable[[], Store]) -> None:
    writer = store.writer(block_size=4096)
    for number in range(5000):
        writer.write((b"%d" % (number % 7)).ljust(4096, b"\0"))
    root = writer.finish()
    assert store.stats().pages == 2
    assert store.stats().blocks == 7
    assert len(root.to_bytes()) < 300
    assert another_store().read(root, 4096 * 4999, 2) == b"1\0"


def test_aligned_concatenation_moves_no_data(store: Store, rng: random.Random) -> None:
    parts = [rng.randbytes(2 * BLOCK), bytes(BLOCK), rng.randbytes(100)]
    roots = [put(store, part) for part in parts]
    before = store.stats()
    joined = store.concat(roots)
    assert store.stats() == before
    assert joined == put(store, b"".join(parts))


def test_unaligned_concatenation_is_right_too(store: Store, rng: random.Random) -> None:
    parts = [rng.randbytes(BLOCK + 5), b"", rng.randbytes(100)]
    joined = store.concat([put(store, part) for part in parts])
    assert joined == put(store, b"".join(parts))
    assert store.concat([]).size == 0
