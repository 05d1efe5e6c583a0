"""Scrub finds every flipped bit, fsck lists both ways and says who is hurt, freeze changes names and no bytes."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from libs.archipelago.tests.owners import Ahead, FakeOwner

from synnefo_archipelago import CorruptData, Root, RootKind, Store
from synnefo_archipelago.api import Driver, Space
from synnefo_archipelago.fsck import FsckReport, check_store
from synnefo_archipelago.gc import Collector
from synnefo_archipelago.hashing import CHECK_SIZE
from synnefo_archipelago.leases import LeaseRecord
from synnefo_archipelago.pace import Pace, Progress, Stopped
from synnefo_archipelago.scrub import scrub_store
from synnefo_archipelago.survey import IncompleteSurvey

BLOCK = 256 << 10


def put(store: Store, data: bytes, *, block_size: int | None = None) -> Root:
    writer = store.writer(block_size=block_size)
    writer.write(data)
    return writer.finish()


def flip(driver: Driver, space: Space, key: str, bit: int) -> None:
    data = bytearray(driver.get(space, key))
    data[bit // 8] ^= 1 << bit % 8
    driver.put(space, key, [data], replace=True)


def fsck(store: Store, folder: Path, **owners: FakeOwner) -> FsckReport:
    store.driver.touch_slack_s = 0.0
    return check_store(store, owners, folder / "fsck", grace_s=0, clock=Ahead())


# Scrub


def test_healthy_store_has_no_damage(store: Store, tmp_path: Path, rng: random.Random) -> None:
    put(store, rng.randbytes(3 * BLOCK + 5))
    put(store, rng.randbytes(90 * 4096), block_size=4096)
    store.create_volume("vol", BLOCK, put(store, b"base" * 1000))
    with store.open_volume("vol", owner="test") as volume:
        volume.write(0, b"one")
        volume.flush()
        volume.write(70_000, b"two")
        volume.flush()
        report = scrub_store(store, tmp_path / "scrub")
    assert (report.damaged, report.damaged_count) == ([], 0)
    assert report.objects == sum(1 for space in (Space.CAS, Space.PAGE, Space.PRIVATE) for _ in store.driver.iter(space))
    assert report.records == 2 and report.bytes > 3 * BLOCK


def test_every_flipped_bit_is_found(store: Store, tmp_path: Path, rng: random.Random) -> None:
    for _ in range(40):
        put(store, rng.randbytes(rng.choice([1, 1000, CHECK_SIZE, CHECK_SIZE + 1, BLOCK - 7])))
    for _ in range(20):
        put(store, rng.randbytes(70 * 4096), block_size=4096)
    store.create_volume("vol", 8 * BLOCK)
    with store.open_volume("vol", owner="test") as volume:
        volume.write(0, rng.randbytes(8 * BLOCK))
    flipped = set()
    for space in (Space.CAS, Space.PAGE, Space.PRIVATE):
        objects = sorted(store.driver.iter(space))
        for key, size in objects if space is not Space.CAS else rng.sample(objects, 60):
            flip(store.driver, space, key, rng.randrange(size * 8))
            flipped.add(f"{space}/{key}")
    report = scrub_store(store, tmp_path / "scrub")
    assert {entry["object"] for entry in report.damaged} == flipped
    assert report.damaged_count == len(flipped) > 80


def test_every_bit_of_a_page_counts(store: Store, tmp_path: Path) -> None:
    put(store, b"".join(bytes([n]) * 4096 for n in range(1, 70)), block_size=4096)
    [(key, size)] = store.driver.iter(Space.PAGE)
    for bit in range(0, size * 8, 61):
        flip(store.driver, Space.PAGE, key, bit)
        assert scrub_store(store, tmp_path / "scrub").damaged_count == 1, bit
        flip(store.driver, Space.PAGE, key, bit)


def test_flipped_bits_of_records_are_found(store: Store, tmp_path: Path, rng: random.Random) -> None:
    store.create_volume("vol", BLOCK)
    lease = LeaseRecord("node", "cookie", 30.0, 5.0).pack()
    for space, name in ((Space.VOLUME, "vol"), (Space.LEASE, "lease")):
        record = store.driver.read_record(space, name)
        value = record.value if record else lease
        version = record.version if record else 0
        for _ in range(60):
            bad = bytearray(value)
            bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
            version = store.driver.cas_record(space, name, version, bytes(bad))
            [found] = scrub_store(store, tmp_path / "scrub").damaged
            assert found["object"] == f"{space}/{name}"
        store.driver.cas_record(space, name, version, value)
    assert scrub_store(store, tmp_path / "scrub").damaged == []


@pytest.mark.parametrize("where", ["head", "data", "cut"])
def test_damaged_block_heals_when_it_is_uploaded_again(
    store: Store, another_store: Callable[[], Store], tmp_path: Path, rng: random.Random, where: str
) -> None:
    data = rng.randbytes(BLOCK)
    root = put(store, data)
    [(key, size)] = store.driver.iter(Space.CAS)
    if where == "cut":
        store.driver.put(Space.CAS, key, [store.driver.get(Space.CAS, key)[:-8]], replace=True)
    else:
        flip(store.driver, Space.CAS, key, 100 if where == "head" else (size - 5) * 8)
        put(store, data)  # nobody knows of the damage yet
    for _ in range(2):
        assert scrub_store(store, tmp_path / "scrub").damaged_count == 1
        with pytest.raises(CorruptData):
            another_store().read(root, 0, BLOCK)
    if where == "data":
        assert another_store().read(root, 0, CHECK_SIZE) == data[:CHECK_SIZE]
    put(another_store(), data)
    assert another_store().read(root, 0, BLOCK) == data
    assert scrub_store(store, tmp_path / "scrub").damaged == []


def test_block_with_good_checksums_of_wrong_data_becomes_an_error(
    store: Store, another_store: Callable[[], Store], tmp_path: Path
) -> None:
    from synnefo_archipelago.blocks import pack_head

    root = put(store, b"right" * 1000)
    [(key, _)] = store.driver.iter(Space.CAS)
    wrong = b"wrong" * 1000
    store.driver.put(Space.CAS, key, [pack_head(bytes.fromhex(key), wrong), wrong], replace=True)
    assert scrub_store(store, tmp_path / "scrub").damaged_count == 1
    with pytest.raises(CorruptData):
        another_store().read(root, 0, 5000)
    put(another_store(), b"right" * 1000)
    assert another_store().read(root, 0, 5000) == b"right" * 1000


def test_damaged_page_heals_when_its_map_is_stored_again(
    store: Store, another_store: Callable[[], Store], tmp_path: Path, rng: random.Random
) -> None:
    data = rng.randbytes(70 * 4096)
    root = put(store, data, block_size=4096)
    [(key, _)] = store.driver.iter(Space.PAGE)
    flip(store.driver, Space.PAGE, key, 333)
    put(another_store(), data, block_size=4096)
    assert another_store().read(root, 0, root.size) == data
    assert scrub_store(store, tmp_path / "scrub").damaged == []


def test_stopped_scrub_goes_on_where_it_was(store: Store, tmp_path: Path, rng: random.Random, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synnefo_archipelago.scrub._CHECKPOINT", 5)
    for _ in range(30):
        put(store, rng.randbytes(1000))
    [bad, *_] = sorted(store.driver.iter(Space.CAS))
    flip(store.driver, Space.CAS, bad[0], 999)
    read: list[str] = []
    get = store.driver.get

    def noted(space: Space, key: str, *where: int) -> bytes:
        read.append(key)
        return get(space, key, *where)

    monkeypatch.setattr(store.driver, "get", noted)
    done = 0
    for limit in (7, 13, 22, 99):
        seen = [0]

        def report(progress: Progress, seen: list[int] = seen) -> None:
            seen[0] = progress.done

        def is_enough(seen: list[int] = seen, limit: int = limit) -> bool:
            return seen[0] >= limit

        try:
            found = scrub_store(store, tmp_path / "scrub", pace=Pace(report=report, should_stop=is_enough))
        except Stopped:
            done += 1
    assert done == 3 and found.objects == 30 and found.damaged_count == 1
    assert len(read) < 30 + 3 * 5 and set(read) >= {key for key, _ in store.driver.iter(Space.CAS)}


# Fsck


def test_fsck_lists_missing_and_orphans_and_who_is_hurt(store: Store, tmp_path: Path, rng: random.Random) -> None:
    image, objects = FakeOwner(), FakeOwner()
    shared = rng.randbytes(BLOCK)
    image.keep("i1", put(store, shared))
    objects.keep("o1", put(store, shared + rng.randbytes(BLOCK)))
    objects.keep("o2", put(store, rng.randbytes(BLOCK)))
    orphan = put(store, rng.randbytes(BLOCK))
    store.create_volume("vol", BLOCK, put(store, rng.randbytes(BLOCK)))
    with store.open_volume("vol", owner="test") as volume:
        volume.write(0, b"x")
    clean = fsck(store, tmp_path, image=image, object=objects)
    assert not clean.is_damaged and clean.hurt == [] and clean.roots == 4
    assert clean.orphans == [f"cas/{store.hashmap(orphan)[0]}"] and clean.orphan_bytes > BLOCK
    lost = store.hashmap(Root.from_bytes(image.roots["i1"]))[0]
    store.driver.delete(Space.CAS, lost)
    [(private, _)] = store.driver.iter(Space.PRIVATE)
    store.driver.delete(Space.PRIVATE, private)
    found = fsck(store, tmp_path, image=image, object=objects)
    assert found.is_damaged and found.missing == [f"cas/{lost}", f"priv/{private}"]
    assert [(hurt["owner"], hurt["id"]) for hurt in found.hurt] == [("image", "i1"), ("object", "o1"), ("store", "vol")]


def test_fsck_tells_of_pages_and_roots_that_cannot_be_read(store: Store, tmp_path: Path, rng: random.Random) -> None:
    owner = FakeOwner()
    owner.keep("deep", put(store, rng.randbytes(70 * 4096), block_size=4096))
    owner.roots["torn"] = owner.roots["deep"][:-3]
    [(key, _)] = store.driver.iter(Space.PAGE)
    flip(store.driver, Space.PAGE, key, 500)
    found = fsck(store, tmp_path, object=owner)
    assert {entry["what"] for entry in found.unreadable} == {f"page {key}", "root torn of object"}
    assert [(hurt["id"], hurt["object"]) for hurt in found.hurt] == [("deep", f"page/{key}")]


def test_fsck_needs_every_owner(store: Store, tmp_path: Path) -> None:
    owner = FakeOwner()
    owner.is_silent = True
    with pytest.raises((IncompleteSurvey, ConnectionError)):
        fsck(store, tmp_path, object=owner)


# Freeze


def snapshot(store: Store, rng: random.Random) -> tuple[Root, bytes]:
    base = rng.randbytes(2 * BLOCK)
    store.create_volume("vol", 5 * BLOCK, put(store, base))
    with store.open_volume("vol", owner="test") as volume:
        volume.write(0, b"changed")
        volume.write(3 * BLOCK, b"x" * BLOCK)
        volume.write(4 * BLOCK, b"y")
        volume.flush()
        volume.write(4 * BLOCK, b"\0")
        volume.flush()
    return store.snapshot_volume("vol"), b"changed" + base[7:] + bytes(BLOCK) + b"x" * BLOCK + bytes(BLOCK)


def test_frozen_snapshot_reads_the_same_and_dedups_with_an_upload(
    store: Store, another_store: Callable[[], Store], tmp_path: Path, rng: random.Random
) -> None:
    root, data = snapshot(store, rng)
    frozen = store.freeze(root)
    assert frozen.kind is RootKind.FROZEN and frozen.is_frozen
    assert another_store().read(frozen, 0, frozen.size) == data == another_store().read(root, 0, root.size)
    before = store.stats().cas_blocks
    uploaded = put(store, data)
    assert store.stats().cas_blocks == before
    assert uploaded.digest == frozen.digest and store.merkle(frozen) == store.merkle(uploaded)
    store.delete_volume("vol")
    owner = FakeOwner()
    owner.keep("s", frozen)
    store.driver.touch_slack_s = 0.0
    for _ in range(2):
        Collector(store, {"volume": owner}, tmp_path, required=frozenset({"volume"}), grace_s=0, clock=Ahead()).run()
    assert store.stats().private_blocks == 0
    assert another_store().read(frozen, 0, frozen.size) == data


def test_freezing_goes_on_page_by_page(store: Store, rng: random.Random) -> None:
    size = (3 * 4096 + 70) * 4096
    store.create_volume("deep", size, Root(RootKind.FROZEN, size, 4096))
    where = [0, 4096 * 4096, 2 * 4096 * 4096, 3 * 4096 * 4096, size - 4096]
    with store.open_volume("deep", owner="test") as volume:
        for at in where:
            volume.write(at, bytes([at % 251 + 1]) * 4096)
    root = store.snapshot_volume("deep")
    done: dict[str, str] = {}
    steps = [0]
    read: list[str] = []

    def count(_: Progress) -> None:
        steps[0] += 1

    with pytest.raises(Stopped):
        store.freeze(root, remember=done.update, pace=Pace(report=count, should_stop=lambda: len(done) == 2))
    assert sorted(done) == ["0", "1"]
    frozen = store.freeze(root, done=done, remember=read.extend)
    assert "2" in read
    for at in where:
        assert store.read(frozen, at, 4096) == bytes([at % 251 + 1]) * 4096
    assert sum(entry != store.hashmap(Root(RootKind.FROZEN, 4096, 4096))[0] for entry in store.hashmap(frozen)) == len(where)


def test_live_volume_is_not_frozen(store: Store) -> None:
    store.create_volume("vol", BLOCK)
    with store.open_volume("vol", owner="test") as volume, pytest.raises(ValueError, match="snapshot"):
        store.freeze(volume.root)
