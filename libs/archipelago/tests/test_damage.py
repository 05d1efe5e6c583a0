"""Flipped bits and lost objects: an error or the right bytes, never wrong ones."""

import random
from collections.abc import Callable

import pytest

from synnefo_archipelago import CorruptData, LeaseHeld, LeaseLost, Root, Store
from synnefo_archipelago.api import Driver, Space
from synnefo_archipelago.drivers.memory import MemoryDriver
from synnefo_archipelago.entries import PrivateId
from synnefo_archipelago.hashing import CHECK_SIZE

BLOCK = 256 << 10
TABLES = 8192


def put(store: Store, data: bytes, *, block_size: int | None = None) -> Root:
    writer = store.writer(block_size=block_size)
    writer.write(data)
    return writer.finish()


def flip(driver: Driver, space: Space, key: str, bit: int) -> None:
    data = bytearray(driver.get(space, key))
    data[bit // 8] ^= 1 << bit % 8
    driver.put(space, key, [data], replace=True)


def test_flipped_bit_of_a_block_is_found_whole_or_ranged(
    store: Store, another_store: Callable[[], Store], rng: random.Random
) -> None:
    data = rng.randbytes(BLOCK - 1000)
    root = put(store, data)
    [(key, size)] = store.driver.iter(Space.CAS)
    head = size - len(data)
    for _ in range(25):
        bit = rng.randrange(size * 8)
        flip(store.driver, Space.CAS, key, bit)
        at = max(0, bit // 8 - head)
        reader = another_store()
        with pytest.raises(CorruptData):
            reader.read(root, 0, len(data))
        with pytest.raises(CorruptData):
            list(reader.iter_range(root, at, 1))
        flip(store.driver, Space.CAS, key, bit)
    assert another_store().read(root, 0, len(data)) == data


def test_undamaged_part_of_a_damaged_block_still_reads(
    store: Store, another_store: Callable[[], Store], rng: random.Random
) -> None:
    data = rng.randbytes(BLOCK)
    root = put(store, data)
    [(key, size)] = store.driver.iter(Space.CAS)
    flip(store.driver, Space.CAS, key, (size - 1) * 8)
    assert another_store().read(root, 10, CHECK_SIZE) == data[10 : 10 + CHECK_SIZE]


def test_shortened_and_lost_blocks_are_found(
    store: Store, another_store: Callable[[], Store], rng: random.Random
) -> None:
    data = rng.randbytes(BLOCK)
    root = put(store, data)
    [(key, _)] = store.driver.iter(Space.CAS)
    whole = store.driver.get(Space.CAS, key)
    store.driver.put(Space.CAS, key, [whole[:-100]], replace=True)
    with pytest.raises(CorruptData):
        another_store().read(root, 0, BLOCK)
    store.driver.delete(Space.CAS, key)
    with pytest.raises(CorruptData, match="missing"):
        another_store().read(root, 0, BLOCK)


def test_block_under_anothers_name_is_found(store: Store, rng: random.Random) -> None:
    first, second = put(store, rng.randbytes(1000)), put(store, rng.randbytes(1000))
    names = [store.hashmap(root)[0] for root in (first, second)]
    store.driver.put(Space.CAS, names[0], [store.driver.get(Space.CAS, names[1])], replace=True)
    with pytest.raises(CorruptData):
        store.read(first, 0, 1000)


def test_uploading_again_mends_a_block_of_wrong_length(
    store: Store, another_store: Callable[[], Store], rng: random.Random
) -> None:
    data = rng.randbytes(BLOCK)
    root = put(store, data)
    [(key, _)] = store.driver.iter(Space.CAS)
    store.driver.put(Space.CAS, key, [b"torn"], replace=True)
    put(store, data)
    assert another_store().read(root, 0, BLOCK) == data


def test_flipped_bit_of_a_page_is_found(store: Store, another_store: Callable[[], Store], rng: random.Random) -> None:
    root = put(store, rng.randbytes(100 * 4096), block_size=4096)
    [(key, size)] = store.driver.iter(Space.PAGE)
    for bit in [0, size * 8 - 1, *(rng.randrange(size * 8) for _ in range(25))]:
        flip(store.driver, Space.PAGE, key, bit)
        with pytest.raises(CorruptData):
            another_store().read(root, 0, 1)
        flip(store.driver, Space.PAGE, key, bit)
    store.driver.delete(Space.PAGE, key)
    with pytest.raises(CorruptData, match="missing"):
        another_store().read(root, 0, 1)


def test_flipped_bit_of_a_volume_root_is_found(
    store: Store, another_store: Callable[[], Store], rng: random.Random
) -> None:
    store.create_volume("vol", BLOCK, put(store, rng.randbytes(BLOCK)))
    for _ in range(25):
        record = store.driver.read_record(Space.VOLUME, "vol")
        assert record is not None
        bad = bytearray(record.value)
        bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
        version = store.driver.cas_record(Space.VOLUME, "vol", record.version, bytes(bad))
        reader = another_store()
        with pytest.raises(CorruptData):
            reader.read_volume("vol", 0, 1)
        with pytest.raises(CorruptData):
            reader.open_volume("vol", owner="test")
        store.driver.cas_record(Space.VOLUME, "vol", version, record.value)
    assert another_store().open_volume("vol", owner="test")


def test_flipped_bit_of_a_private_block_gives_an_error_or_the_right_bytes(
    store: Store, another_store: Callable[[], Store], rng: random.Random
) -> None:
    data = bytearray(rng.randbytes(BLOCK))
    store.create_volume("vol", BLOCK)
    with store.open_volume("vol", owner="test") as volume:
        volume.write(0, bytes(data))
        volume.flush()
        volume.write(5, b"changed")
    data[5:12] = b"changed"
    [(key, size)] = store.driver.iter(Space.PRIVATE)
    live = TABLES + 5 * CHECK_SIZE  # four slots and the one that the change went to; one of the five is free again
    errors = 0
    for bit in [0, 8 * 4096, *(rng.randrange(min(size, live) * 8) for _ in range(40))]:
        flip(store.driver, Space.PRIVATE, key, bit)
        try:
            assert another_store().read_volume("vol", 0, BLOCK) == data
        except CorruptData:
            errors += 1
        flip(store.driver, Space.PRIVATE, key, bit)
    assert errors > 20


@pytest.mark.parametrize("sub", [0, 3])
def test_flipped_bit_of_private_data_is_an_error(
    store: Store, another_store: Callable[[], Store], rng: random.Random, sub: int
) -> None:
    store.create_volume("vol", BLOCK)
    with store.open_volume("vol", owner="test") as volume:
        volume.write(0, rng.randbytes(BLOCK))
    [(key, _)] = store.driver.iter(Space.PRIVATE)
    flip(store.driver, Space.PRIVATE, key, (TABLES + sub * CHECK_SIZE + 77) * 8)
    with pytest.raises(CorruptData):
        another_store().read_volume("vol", sub * CHECK_SIZE + 50_000, 1)
    with pytest.raises(CorruptData):
        another_store().open_volume("vol", owner="test").write(sub * CHECK_SIZE + 5, b"part of a sub-block")


def test_one_damaged_table_of_a_private_block_costs_nothing(
    store: Store, another_store: Callable[[], Store], rng: random.Random
) -> None:
    data = rng.randbytes(BLOCK)
    store.create_volume("vol", BLOCK)
    with store.open_volume("vol", owner="test") as volume:
        volume.write(0, data)
    [(key, _)] = store.driver.iter(Space.PRIVATE)
    for table in (0, 4096):
        flip(store.driver, Space.PRIVATE, key, (table + 100) * 8)
        reader = another_store()
        with reader.open_volume("vol", owner="test") as volume:
            assert volume.read(0, BLOCK) == data
            volume.write(7, data[7:8])
        # The change wrote both tables anew, so the next damage finds a good twin again.
        assert another_store().read_volume("vol", 0, BLOCK) == data


def test_both_tables_damaged_or_block_lost_is_an_error(
    store: Store, another_store: Callable[[], Store], rng: random.Random
) -> None:
    store.create_volume("vol", BLOCK)
    with store.open_volume("vol", owner="test") as volume:
        volume.write(0, rng.randbytes(BLOCK))
    [(key, _)] = store.driver.iter(Space.PRIVATE)
    for table in (0, 4096):
        flip(store.driver, Space.PRIVATE, key, (table + 100) * 8)
    with pytest.raises(CorruptData, match="both tables"):
        another_store().read_volume("vol", 0, 1)
    store.driver.delete(Space.PRIVATE, key)
    with pytest.raises(CorruptData, match="missing"):
        another_store().read_volume("vol", 0, 1)


def test_private_block_under_anothers_name_is_found(store: Store, rng: random.Random) -> None:
    store.create_volume("vol", 2 * BLOCK)
    with store.open_volume("vol", owner="test") as volume:
        volume.write(0, rng.randbytes(2 * BLOCK))
        ids = [PrivateId(volume.root.uuid, volume.generation, block).pack().hex() for block in (0, 1)]
    store.driver.put(Space.PRIVATE, ids[0], [store.driver.get(Space.PRIVATE, ids[1])], replace=True)
    with pytest.raises(CorruptData):
        store.read_volume("vol", 0, 1)


def flipped(data: bytes, rng: random.Random) -> bytes:
    bad = bytearray(data)
    bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
    return bytes(bad)


def test_one_flipped_bit_in_each_of_1000_blocks_is_found_by_a_read(rng: random.Random) -> None:
    driver = MemoryDriver()
    with Store(driver, block_size=4096) as store:
        data = rng.randbytes(1000 * 4096 - 5)
        root = put(store, data)
        good = {key: driver.get(Space.CAS, key) for key, _ in driver.iter(Space.CAS)}
        assert len(good) == 1000
        for key, content in good.items():
            driver.put(Space.CAS, key, [flipped(content, rng)], replace=True)
        for number in range(1000):
            with pytest.raises(CorruptData):
                store.read(root, number * 4096 + rng.randrange(4000), 1)
        for key, content in good.items():
            driver.put(Space.CAS, key, [content], replace=True)
        assert store.read(root, 0, len(data)) == data


def test_one_flipped_bit_in_each_of_100_maps_is_found_by_a_read(rng: random.Random) -> None:
    driver = MemoryDriver()
    with Store(driver, block_size=4096) as store:
        pool = [rng.randbytes(4096) for _ in range(70)]
        roots, contents = [], []
        for _ in range(100):
            contents.append(b"".join(rng.sample(pool, 70)))
            roots.append(put(store, contents[-1]))
        pages = {key: driver.get(Space.PAGE, key) for key, _ in driver.iter(Space.PAGE)}
        assert len(pages) == 100
        for key, content in pages.items():
            driver.put(Space.PAGE, key, [flipped(content, rng)], replace=True)
        with Store(driver, block_size=4096) as reader:
            for root in roots:
                with pytest.raises(CorruptData):
                    reader.read(root, rng.randrange(root.size), 1)
        for key, content in pages.items():
            driver.put(Space.PAGE, key, [content], replace=True)
        for root in roots:
            with pytest.raises(CorruptData):
                Root.from_bytes(flipped(root.to_bytes(), rng))
        with Store(driver, block_size=4096) as reader:
            assert [reader.read(root, 0, root.size) for root in roots] == contents


def test_one_flipped_bit_in_each_of_300_private_blocks_is_found_or_harmless(rng: random.Random) -> None:
    """A private block has bits that say nothing: the second copy of its table, padding, slots that are free."""
    driver = MemoryDriver()
    with Store(driver, block_size=4096) as store:
        data = rng.randbytes(300 * 4096)
        store.create_volume("vol", len(data))
        with store.open_volume("vol", owner="test") as volume:
            volume.write(0, data)
        for key, _ in list(driver.iter(Space.PRIVATE)):
            driver.put(Space.PRIVATE, key, [flipped(driver.get(Space.PRIVATE, key), rng)], replace=True)
        found = 0
        for at in range(0, len(data), 4096):
            try:
                assert store.read_volume("vol", at, 4096) == data[at : at + 4096]
            except CorruptData:
                found += 1
        assert found > 60  # a third of each block is its data


def test_flipped_bit_of_a_lease_opens_nothing_twice(store: Store, another_store: Callable[[], Store]) -> None:
    """A lease has no checksum: damaged, it may be unreadable or still hold, but two writers never agree to have it."""
    store.create_volume("vol", BLOCK)
    volume = store.open_volume("vol", owner="one")
    volume.write(0, b"one")
    record = store.driver.read_record(Space.LEASE, "vol")
    assert record is not None
    version = record.version
    for bit in range(0, len(record.value) * 8, 37):
        bad = bytearray(record.value)
        bad[bit // 8] ^= 1 << bit % 8
        version = store.driver.cas_record(Space.LEASE, "vol", version, bytes(bad))
        try:
            other = another_store().open_volume("vol", owner="two")
        except (CorruptData, LeaseHeld):
            continue
        other.write(0, b"two")
        other.flush()
        with pytest.raises(LeaseLost):
            volume.flush()
        other.close()
        break
    assert another_store().read_volume("vol", 0, 3) in (b"\0\0\0", b"two")
