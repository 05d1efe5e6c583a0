"""Live volumes: clones, snapshots, copy-on-write, growth, deletion."""

import random
from collections.abc import Callable

import pytest

from synnefo_archipelago import Root, RootKind, Store, StoreError, Volume, VolumeExists, VolumeNotFound
from synnefo_archipelago.api import Space

BLOCK = 256 << 10
SUB = 64 << 10


def put(store: Store, data: bytes) -> Root:
    writer = store.writer()
    writer.write(data)
    return writer.finish()


def open_volume(store: Store, name: str = "vol") -> Volume:
    return store.open_volume(name, owner="test")


def test_new_volume_reads_as_zeros_and_stores_nothing(store: Store) -> None:
    store.create_volume("vol", 10 * BLOCK + 5)
    assert store.read_volume("vol", 0, 10 * BLOCK + 5) == bytes(10 * BLOCK + 5)
    assert store.stats().blocks == 0
    assert store.volume_info("vol").size == 10 * BLOCK + 5
    assert list(store.list_volumes()) == ["vol"]


def test_creating_again_the_same_does_nothing(store: Store, rng: random.Random) -> None:
    origin = put(store, rng.randbytes(1000))
    store.create_volume("vol", BLOCK, origin)
    info = store.volume_info("vol")
    store.create_volume("vol", BLOCK, origin)
    assert store.volume_info("vol") == info


def test_creating_again_another_is_refused(store: Store, rng: random.Random) -> None:
    origin = put(store, rng.randbytes(1000))
    store.create_volume("vol", BLOCK, origin)
    for size, other in ((2 * BLOCK, origin), (BLOCK, None), (BLOCK, put(store, b"other"))):
        with pytest.raises(VolumeExists):
            store.create_volume("vol", size, other)


def test_creating_again_is_known_after_growth(store: Store) -> None:
    store.create_volume("vol", BLOCK)
    store.grow_volume("vol", 2 * BLOCK)
    store.create_volume("vol", BLOCK)
    with pytest.raises(VolumeExists):
        store.create_volume("vol", 2 * BLOCK)


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a~1", ".hidden", "x" * 201, "a b", "ä"])
def test_bad_names_are_refused(store: Store, name: str) -> None:
    with pytest.raises(ValueError, match="no name"):
        store.create_volume(name, BLOCK)


def test_absent_volume_is_not_found(store: Store) -> None:
    for call in (
        lambda: store.volume_info("no"),
        lambda: store.read_volume("no", 0, 1),
        lambda: store.snapshot_volume("no"),
        lambda: store.grow_volume("no", 1),
        lambda: store.delete_volume("no"),
        lambda: open_volume(store, "no"),
    ):
        with pytest.raises(VolumeNotFound):
            call()
    assert store.driver.read_record(Space.LEASE, "no") is None


def test_too_small_clone_is_refused(store: Store) -> None:
    origin = put(store, b"12345")
    with pytest.raises(ValueError, match="too small"):
        store.create_volume("vol", 4, origin)
    with pytest.raises(ValueError, match="too small"):
        store.create_volume("vol", 0)


def test_clone_shows_the_origin_then_zeros_and_moves_no_data(store: Store, rng: random.Random) -> None:
    data = rng.randbytes(2 * BLOCK + 5)
    origin = put(store, data)
    before = store.stats()
    store.create_volume("vol", 9 * BLOCK, origin)
    assert store.read_volume("vol", 0, 9 * BLOCK) == data.ljust(9 * BLOCK, b"\0")
    after = store.stats()
    assert (after.blocks, after.bytes, after.pages) == (before.blocks, before.bytes, before.pages)
    assert store.volume_info("vol").origin == origin.digest


def test_written_data_shows_to_its_writer_at_once_and_to_others_after_flush(store: Store) -> None:
    store.create_volume("vol", 2 * BLOCK)
    volume = open_volume(store)
    volume.write(BLOCK - 3, b"abcdef")
    assert volume.read(BLOCK - 4, 8) == b"\0abcdef\0"
    assert store.read_volume("vol", BLOCK - 4, 8) == bytes(8)
    volume.flush()
    assert store.read_volume("vol", BLOCK - 4, 8) == b"\0abcdef\0"


def test_closed_volume_keeps_its_data(store: Store, another_store: Callable[[], Store], rng: random.Random) -> None:
    data = rng.randbytes(3 * BLOCK)
    store.create_volume("vol", 4 * BLOCK)
    with open_volume(store) as volume:
        volume.write(1000, data)
    assert another_store().read_volume("vol", 1000, len(data)) == data
    with open_volume(another_store()) as volume:
        assert volume.read(1000, len(data)) == data
    with pytest.raises(ValueError, match="closed"):
        volume.read(0, 1)


def test_abandoned_volume_forgets_what_was_not_flushed(store: Store) -> None:
    store.create_volume("vol", BLOCK)
    volume = open_volume(store)
    volume.write(0, b"kept")
    volume.flush()
    volume.write(0, b"gone")
    volume.abandon()
    assert store.read_volume("vol", 0, 4) == b"kept"
    with open_volume(store) as volume:
        assert volume.read(0, 4) == b"kept"


def test_writing_to_a_clone_leaves_the_origin(store: Store, rng: random.Random) -> None:
    data = rng.randbytes(2 * BLOCK)
    origin = put(store, data)
    for name in ("one", "two"):
        store.create_volume(name, 2 * BLOCK, origin)
        with open_volume(store, name) as volume:
            volume.write(100, name.encode())
    assert store.read(origin, 0, 2 * BLOCK) == data
    assert store.read_volume("one", 100, 3) == b"one"
    assert store.read_volume("two", 0, 2 * BLOCK) == data[:100] + b"two" + data[103:]


def test_small_write_to_a_shared_block_moves_one_piece(store: Store, rng: random.Random) -> None:
    store.create_volume("vol", BLOCK, put(store, rng.randbytes(BLOCK)))
    before = store.stats().bytes
    with open_volume(store) as volume:
        volume.write(SUB + 7, b"x")
    assert store.stats().bytes - before <= SUB + (16 << 10)


def test_snapshot_never_changes(store: Store, another_store: Callable[[], Store], rng: random.Random) -> None:
    data = bytearray(rng.randbytes(3 * BLOCK))
    store.create_volume("vol", 3 * BLOCK, put(store, bytes(data)))
    volume = open_volume(store)
    shots = []
    for _ in range(6):
        for _ in range(4):
            at, piece = rng.randrange(3 * BLOCK - 5000), rng.randbytes(rng.choice([3, 5000]))
            volume.write(at, piece)
            data[at : at + len(piece)] = piece
        shots.append((Root.from_bytes(store.snapshot_volume("vol").to_bytes()), bytes(data)))
    volume.write(0, bytes(3 * BLOCK))
    volume.close()
    for reader in (store, another_store()):
        for shot, content in shots:
            assert shot.kind is RootKind.SNAPSHOT
            assert reader.read(shot, 0, shot.size) == content


def test_snapshot_of_a_closed_volume(store: Store) -> None:
    store.create_volume("vol", BLOCK)
    with open_volume(store) as volume:
        volume.write(0, b"old")
    shot = store.snapshot_volume("vol")
    with open_volume(store) as volume:
        volume.write(0, b"new")
    assert store.read(shot, 0, 3) == b"old"
    assert store.read_volume("vol", 0, 3) == b"new"


def test_snapshot_moves_no_data(store: Store, rng: random.Random) -> None:
    store.create_volume("vol", 8 * BLOCK)
    with open_volume(store) as volume:
        volume.write(0, rng.randbytes(8 * BLOCK))
    before = store.stats()
    store.snapshot_volume("vol")
    assert store.stats() == before


def test_clone_of_a_snapshot_and_its_source_part_ways(store: Store) -> None:
    store.create_volume("vol", BLOCK)
    volume = open_volume(store)
    volume.write(0, b"common")
    shot = volume.snapshot()
    store.create_volume("clone", 3 * BLOCK, shot)
    volume.write(0, b"source")
    volume.close()
    with open_volume(store, "clone") as clone:
        clone.write(2, b"CLONE")
    store.delete_volume("vol")
    assert store.read_volume("clone", 0, 8) == b"coCLONE\0"
    assert store.read(shot, 0, 6) == b"common"


def test_long_chain_of_snapshots_reads_right(store: Store, rng: random.Random) -> None:
    data = bytearray(rng.randbytes(BLOCK))
    store.create_volume("vol", BLOCK, put(store, bytes(data)))
    volume = open_volume(store)
    for turn in range(25):
        volume.write(turn * 17, b"!")
        data[turn * 17] = 33
        volume.snapshot()
    assert volume.read(0, BLOCK) == data
    volume.close()
    assert store.read_volume("vol", 0, BLOCK) == data


@pytest.mark.parametrize("flush", [False, True])
@pytest.mark.parametrize(("offset", "length"), [(0, BLOCK), (SUB, SUB), (5, 100), (BLOCK - 10, BLOCK + 20), (1, SUB)])
def test_zeroed_range_reads_as_zeros(store: Store, rng: random.Random, offset: int, length: int, flush: bool) -> None:
    data = bytearray(rng.randbytes(3 * BLOCK))
    store.create_volume("vol", 3 * BLOCK, put(store, bytes(data)))
    volume = open_volume(store)
    volume.write(BLOCK, rng.randbytes(1) + bytes(data[BLOCK + 1 : 2 * BLOCK]))
    if flush:
        volume.flush()
    volume.write_zeroes(offset, length)
    volume.trim(2 * BLOCK, 10)
    data[BLOCK : BLOCK + 1] = volume.read(BLOCK, 1)
    data[offset : offset + length] = bytes(length)
    data[2 * BLOCK : 2 * BLOCK + 10] = bytes(10)
    assert volume.read(0, 3 * BLOCK) == data
    volume.close()
    assert store.read_volume("vol", 0, 3 * BLOCK) == data


def test_trimming_a_written_block_gives_its_space_back(store: Store, rng: random.Random) -> None:
    store.create_volume("vol", 2 * BLOCK)
    volume = open_volume(store)
    volume.write(0, rng.randbytes(BLOCK))
    volume.flush()
    volume.trim(0, BLOCK)
    volume.flush()
    assert store.stats().bytes < SUB
    volume.write(7, b"again")
    volume.close()
    assert store.read_volume("vol", 0, 20) == bytes(7) + b"again" + bytes(8)


def test_grown_volume_reads_zeros_in_its_new_part(store: Store) -> None:
    store.create_volume("vol", 1000)
    with open_volume(store) as volume:
        volume.write(990, b"0123456789")
        store.grow_volume("vol", BLOCK + 5)
        assert volume.size == BLOCK + 5
        assert volume.read(990, 15) == b"0123456789" + bytes(5)
        volume.write(BLOCK, b"tail!")
    store.grow_volume("vol", 100 * BLOCK)
    assert store.read_volume("vol", BLOCK, 8) == b"tail!\0\0\0"
    with pytest.raises(ValueError, match="already"):
        store.grow_volume("vol", BLOCK)


def test_growth_from_an_inline_map_to_pages(store: Store, another_store: Callable[[], Store]) -> None:
    store.create_volume("vol", BLOCK)
    with open_volume(store) as volume:
        volume.write(0, b"first")
        volume.grow(BLOCK * 4096 * 20)
        volume.write(BLOCK * 4096 * 19, b"last")
        for index in range(70):
            volume.write(index * BLOCK + 100, b"%d" % index)
    again = another_store()
    assert again.read_volume("vol", 0, 5) == b"first"
    assert again.read_volume("vol", BLOCK * 4096 * 19, 4) == b"last"
    assert again.read_volume("vol", 69 * BLOCK + 100, 2) == b"69"


def test_deleted_volume_takes_its_unshared_blocks_with_it(store: Store, rng: random.Random) -> None:
    store.create_volume("vol", 4 * BLOCK)
    with open_volume(store) as volume:
        volume.write(0, rng.randbytes(4 * BLOCK))
    assert store.stats().private_blocks == 4
    store.delete_volume("vol")
    assert store.stats().private_blocks == 0
    assert list(store.list_volumes()) == []


def test_deleting_a_volume_leaves_what_its_snapshots_need(store: Store, rng: random.Random) -> None:
    data = rng.randbytes(2 * BLOCK)
    store.create_volume("vol", 2 * BLOCK)
    volume = open_volume(store)
    volume.write(0, data)
    shot = volume.snapshot()
    volume.write(10, b"later")
    volume.close()
    store.delete_volume("vol")
    assert store.read(shot, 0, 2 * BLOCK) == data
    assert store.stats().private_blocks == 2


def test_name_may_be_used_again(store: Store) -> None:
    for turn in range(3):
        store.create_volume("vol", BLOCK)
        with open_volume(store) as volume:
            assert volume.read(0, 3) == bytes(3)
            volume.write(0, b"%03d" % turn)
        store.delete_volume("vol")


def test_open_volume_is_not_deleted(store: Store) -> None:
    store.create_volume("vol", BLOCK)
    volume = open_volume(store)
    with pytest.raises(StoreError):
        store.delete_volume("vol")
    volume.close()
    store.delete_volume("vol")


def test_much_unflushed_data_is_flushed_by_itself(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synnefo_archipelago.volume._DIRTY_LIMIT", 4 * SUB)
    store.create_volume("vol", 4 * BLOCK)
    volume = open_volume(store)
    for at in range(0, 4 * BLOCK, SUB):
        volume.write(at, b"x" * SUB)
    assert store.read_volume("vol", 0, BLOCK) == b"x" * BLOCK


@pytest.mark.parametrize(("offset", "length"), [(-1, 2), (BLOCK, 1), (0, BLOCK + 1)])
def test_access_outside_of_the_volume_is_refused(store: Store, offset: int, length: int) -> None:
    store.create_volume("vol", BLOCK)
    with open_volume(store) as volume:
        for call in (volume.read, volume.trim, volume.write_zeroes):
            with pytest.raises(ValueError, match="outside"):
                call(offset, length)
        with pytest.raises(ValueError, match="outside"):
            volume.write(offset, bytes(length))


def test_hashmap_of_a_snapshot_is_that_of_its_data(store: Store, rng: random.Random) -> None:
    data = rng.randbytes(BLOCK) + bytes(BLOCK) + rng.randbytes(BLOCK)
    store.create_volume("vol", 3 * BLOCK)
    with open_volume(store) as volume:
        volume.write(0, data)
        shot = volume.snapshot()
    assert store.hashmap(shot) == store.hashmap(put(store, data))
