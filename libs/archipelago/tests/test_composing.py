"""Roots made of what is stored: by hashes and by ranges of other roots. Nothing that is whole is copied."""

import hashlib
import random
from collections.abc import Callable

import pytest

from synnefo_archipelago import BlocksMissing, Range, Root, Store, open_store
from synnefo_archipelago.blocks import data_length, head_size
from synnefo_archipelago.hashing import CHECK_SIZE, merkle

B = 64 << 10
MERKLE = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb",
    2: "e5a01fee14e0ed5c48714f22180f25ad8365b53f9779f79dc4a3d7e93963f94a",
    3: "d0a664079d491a97357efa1ce1eab5aeb566adef78a2b910e8d13e901e192832",
    4: "14ede5e8e97ad9372327728f5099b95604a39593cac3bd38a343ad76205213e7",
    5: "c6cde104e4847b9111f224882d4fb270b5f240f1bd24dda998828dc06303708c",
}


@pytest.fixture
def store() -> Store:
    return open_store("memory:", block_size=B)


def put(store: Store, data: bytes) -> Root:
    writer = store.writer()
    writer.write(data)
    return writer.finish()


def whole(store: Store, root: Root) -> bytes:
    return store.read(root, 0, root.size)


@pytest.mark.parametrize("count", sorted(MERKLE))
def test_merkle_of_few_blocks(count: int) -> None:
    assert merkle(hashlib.sha256(bytes([97 + i])).digest() for i in range(count)).hex() == MERKLE[count]


@pytest.mark.parametrize("length", [0, 1, CHECK_SIZE - 1, CHECK_SIZE, CHECK_SIZE + 1, 4 << 20, (4 << 20) - 1])
def test_length_of_data_is_found_from_its_object(length: int) -> None:
    assert data_length(head_size(length) + length) == length


@pytest.mark.parametrize("size", [0, 1, B - 1, B, B + 1, 2 * B, 3 * B + 7])
def test_root_of_hashes_is_the_root_of_the_data(store: Store, size: int) -> None:
    data = random.Random(size).randbytes(size)
    root = put(store, data)
    again = store.from_hashes(size, [bytes.fromhex(h) for h in store.hashmap(root)])
    assert again == root and whole(store, again) == data


def test_missing_blocks_are_named_once_and_in_order(store: Store) -> None:
    there = hashlib.sha256(b"a").digest()
    put(store, b"a")
    gone = [hashlib.sha256(bytes([i])).digest() for i in (5, 6)]
    with pytest.raises(BlocksMissing) as caught:
        store.from_hashes(4 * B, [gone[1], there, gone[0], gone[1]])
    assert caught.value.hashes == (gone[1], gone[0])


def test_hashes_that_do_not_make_the_size_are_refused(store: Store) -> None:
    root = put(store, b"x" * (B + 10))
    hashes = [bytes.fromhex(h) for h in store.hashmap(root)]
    for size in (B + 9, B, 2 * B + 1, -1):
        with pytest.raises(ValueError):
            store.from_hashes(size, hashes)


def test_any_ranges_of_roots_make_their_joined_bytes(store: Store) -> None:
    rng = random.Random(7)
    bodies = [rng.randbytes(rng.choice([1, B, 2 * B, 3 * B + 5, 5 * B - 1])) + bytes(rng.choice([0, B, 17])) for _ in range(6)]
    roots = [put(store, body) for body in bodies]
    for _ in range(200):
        parts, expected = [], b""
        for _ in range(rng.randrange(5)):
            i = rng.randrange(6)
            start = rng.choice([0, B, rng.randrange(len(bodies[i]))]) % len(bodies[i])
            length = rng.choice([0, min(B, len(bodies[i]) - start), rng.randrange(len(bodies[i]) - start + 1)])
            parts.append(Range(roots[i], start, length))
            expected += bodies[i][start : start + length]
        made = store.compose(parts)
        assert whole(store, made) == expected
        assert made == put(store, expected)


def test_whole_blocks_are_not_read_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    root = put(store, random.Random(1).randbytes(64 * B))
    reads: list[str] = []
    get: Callable[..., bytes] = store.driver.get

    def read(space: str, key: str, *where: int) -> bytes:
        reads.append(space)
        return get(space, key, *where)

    monkeypatch.setattr(store.driver, "get", read)
    made = store.compose([Range(root, 32 * B, 32 * B), Range(root, 0, 31 * B)])
    assert made.size == 63 * B and not [space for space in reads if space == "cas"]
