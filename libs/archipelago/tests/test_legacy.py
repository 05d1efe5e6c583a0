"""Maps and pools of the original Archipelago, built here byte by byte from the description of its formats."""

import hashlib
import os
import random
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from synnefo_archipelago import CorruptData, Root, Store, StoreUnavailable, VolumeNotFound, merkle
from synnefo_archipelago.drivers.load_rados import load_rados
from synnefo_archipelago.drivers.memory import MemoryDriver
from synnefo_archipelago.legacy import FilePool, LegacyPool, LegacyPools, RadosPool, import_map, read_map

OLD_BLOCK = 4 << 20
SMALL = 8192
WRITABLE, ARCHIP, ZERO, DELETED = 1, 2, 4, 8
EMPTY = hashlib.sha256(b"").digest()

Put = Callable[[str, bytes], None]


@pytest.fixture(params=["files", pytest.param("rados", marks=pytest.mark.full)])
def pool(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[LegacyPool, Put]]:
    """An old pool for reading, and how the test fills it."""
    if request.param == "files":

        def put_file(name: str, data: bytes) -> None:
            digest = hashlib.sha256(name.encode()).hexdigest()
            path = tmp_path / digest[:2] / digest[2:4] / digest[4:6] / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

        yield FilePool(tmp_path), put_file
        return
    conf = request.getfixturevalue("ceph_conf")
    name = f"old{os.urandom(4).hex()}"
    cluster = load_rados().Rados(conffile=conf, rados_id="admin")
    cluster.connect()
    cluster.create_pool(name)
    io = cluster.open_ioctx(name)
    old = RadosPool(conf, name, timeout_s=20)
    yield old, io.write_full
    old.close()
    io.close()
    cluster.delete_pool(name)
    cluster.shutdown()


@pytest.fixture
def new_store() -> Iterator[Store]:
    with Store(MemoryDriver()) as store:
        yield store


def content(root: Root, store: Store) -> bytes:
    return store.read(root, 0, root.size)


def pools(pool: tuple[LegacyPool, Put]) -> LegacyPools:
    return LegacyPools(pool[0], pool[0])


def put_hashed(put: Put, data: bytes, *, strip: bool = True) -> bytes:
    """A content-addressed block, as the original names it; stored with or without its trailing zeros."""
    digest = hashlib.sha256(data.rstrip(b"\0")).digest()
    put(digest.hex(), data.rstrip(b"\0") if strip else data)
    return digest


def v2_head(size: int, block_size: int, *, flags: int = 1, epoch: int = 7) -> bytes:
    return b"AMF." + struct.pack(">IQIIQ", 2, size, block_size, flags, epoch) + bytes(480)


def v2_entry(name: str, flags: int) -> bytes:
    return struct.pack("<BI", flags, len(name)) + name.encode().ljust(123, b"\0")


def put_v2(put: Put, name: str, size: int, entries: list[bytes], block_size: int = SMALL, **kwargs: int) -> None:
    put(name, v2_head(size, block_size, **kwargs))
    per_object = block_size // 128
    for number in range(-(-len(entries) // per_object)):
        data = b"".join(entries[number * per_object : (number + 1) * per_object])
        put(f"{name}_{number:016x}", data)


def test_v0_image_of_pithos(pool: tuple[LegacyPool, Put], new_store: Store, rng: random.Random) -> None:
    blocks = [rng.randbytes(OLD_BLOCK), b"", rng.randbytes(5000) + bytes(3000), rng.randbytes(100)]
    digests = [put_hashed(pool[1], blocks[0]), EMPTY, put_hashed(pool[1], blocks[2]), put_hashed(pool[1], blocks[3])]
    pool[1]("image", b"".join(digests) + bytes(32) + b"rubbish after the end of the map")
    size = 3 * OLD_BLOCK + 100
    root = import_map(new_store, pools(pool), "image", size=size)
    assert root.size == size
    assert content(root, new_store) == b"".join(block.ljust(OLD_BLOCK, b"\0") for block in blocks)[:size]
    assert new_store.hashmap(root) == [digest.hex() for digest in digests]
    assert merkle(map(bytes.fromhex, new_store.hashmap(root))) == merkle(digests)
    assert import_map(new_store, pools(pool), "image").size == 4 * OLD_BLOCK


def test_v0_map_that_is_too_short_for_the_size_is_refused(pool: tuple[LegacyPool, Put], new_store: Store) -> None:
    pool[1]("image", put_hashed(pool[1], b"x") * 2)
    with pytest.raises(CorruptData, match="too few"):
        import_map(new_store, pools(pool), "image", size=2 * OLD_BLOCK + 1)


def test_block_stored_with_its_trailing_zeros_is_taken_over(
    pool: tuple[LegacyPool, Put], new_store: Store, rng: random.Random
) -> None:
    data = rng.randbytes(1000).ljust(OLD_BLOCK, b"\0")
    pool[1]("image", put_hashed(pool[1], data, strip=False))
    root = import_map(new_store, pools(pool), "image")
    assert content(root, new_store) == data
    assert new_store.stats().bytes < 2000


def test_v1_volume(pool: tuple[LegacyPool, Put], new_store: Store, rng: random.Random) -> None:
    hashed, private = rng.randbytes(3000), rng.randbytes(7000)
    generated = rng.randbytes(32)
    pool[1](f"archip_{generated.hex()}", private)
    entries = b"\0" + put_hashed(pool[1], hashed) + b"\1" + generated + b"\0" + EMPTY
    pool[1]("volume", struct.pack("<IQ", 1, 2 * OLD_BLOCK + 50) + entries)
    root = import_map(new_store, pools(pool), "volume")
    expected = hashed.ljust(OLD_BLOCK, b"\0") + private.ljust(OLD_BLOCK, b"\0") + bytes(50)
    assert content(root, new_store) == expected


def test_v2_volume_with_every_kind_of_entry(pool: tuple[LegacyPool, Put], new_store: Store, rng: random.Random) -> None:
    hashed, private, short, lost_flag = (rng.randbytes(n) for n in (SMALL, SMALL, 100, 200))
    names = [f"volume_{7:016x}_{index:016x}" for index in range(5)]
    for name, data in ((names[1], private), (names[2], short), (names[4], lost_flag)):
        pool[1](name, data)
    entries = [
        v2_entry(put_hashed(pool[1], hashed).hex(), 0),
        v2_entry(names[1], WRITABLE | ARCHIP),
        v2_entry(names[2], ARCHIP),
        v2_entry(EMPTY.hex(), ZERO),
        v2_entry(names[4], 0),  # a copy of a snapshot: the flag got lost
        v2_entry(EMPTY.hex(), 0),
    ]
    put_v2(pool[1], "volume", 6 * SMALL - 5, entries, flags=0)
    root = import_map(new_store, pools(pool), "volume")
    parts = [hashed, private, short, b"", lost_flag, b""]
    assert content(root, new_store) == b"".join(part.ljust(SMALL, b"\0") for part in parts)[: 6 * SMALL - 5]
    assert root.block_size == SMALL


def test_v2_map_of_many_objects(pool: tuple[LegacyPool, Put], new_store: Store, rng: random.Random) -> None:
    """64 entries in each object of 8 KiB; the original's loader went wrong beyond the first."""
    parts = [rng.randbytes(20) if number % 3 else b"" for number in range(200)]
    entries = [v2_entry(put_hashed(pool[1], part).hex(), 0) if part else v2_entry(EMPTY.hex(), ZERO) for part in parts]
    put_v2(pool[1], "volume", 200 * SMALL, entries)
    done: list[int] = []
    root = import_map(new_store, pools(pool), "volume", on_block=done.append)
    assert content(root, new_store) == b"".join(part.ljust(SMALL, b"\0") for part in parts)
    assert done == list(range(200))
    assert read_map(pool[0], "volume").epoch == 7


def test_what_lies_beyond_the_end_of_a_volume_does_not_come_along(
    pool: tuple[LegacyPool, Put], new_store: Store, rng: random.Random
) -> None:
    data = rng.randbytes(SMALL)
    pool[1]("v_0_0", data)
    put_v2(pool[1], "volume", 100, [v2_entry("v_0_0", ARCHIP)])
    root = import_map(new_store, pools(pool), "volume")
    assert content(root, new_store) == data[:100]
    assert new_store.stats().bytes < 300
    with new_store:
        new_store.create_volume("clone", SMALL, root)
        assert new_store.read_volume("clone", 0, SMALL) == data[:100].ljust(SMALL, b"\0")


def test_imported_root_is_a_root_like_any_other(
    pool: tuple[LegacyPool, Put], new_store: Store, rng: random.Random
) -> None:
    data = rng.randbytes(OLD_BLOCK + 500)
    digests = [put_hashed(pool[1], data[:OLD_BLOCK]), put_hashed(pool[1], data[OLD_BLOCK:])]
    pool[1]("image", b"".join(digests))
    root = import_map(new_store, pools(pool), "image", size=len(data))
    before = new_store.stats().blocks
    writer = new_store.writer()
    writer.write(data)
    assert writer.finish() == root
    assert import_map(new_store, pools(pool), "image", size=len(data)) == root
    assert new_store.stats().blocks == before


def test_damaged_or_missing_block_is_refused(
    pool: tuple[LegacyPool, Put], new_store: Store, rng: random.Random
) -> None:
    data = rng.randbytes(1000)
    digest = put_hashed(pool[1], data)
    pool[1]("image", digest)
    pool[1](digest.hex(), data[:500])  # the original wrote blocks under their final names: they may be torn
    with pytest.raises(CorruptData, match="not what its name says"):
        import_map(new_store, pools(pool), "image")
    pool[1](digest.hex(), bytes(OLD_BLOCK + 1))
    with pytest.raises(CorruptData, match="bytes"):
        import_map(new_store, pools(pool), "image")
    put_v2(pool[1], "volume", SMALL, [v2_entry("volume_0_0", ARCHIP)])
    with pytest.raises(CorruptData, match="missing"):
        import_map(new_store, pools(pool), "volume")
    assert new_store.stats().blocks == 0


@pytest.mark.parametrize(
    ("entry", "match"),
    [
        (v2_entry("x", DELETED), "flags 8"),
        (struct.pack("<BI", 0, 200).ljust(128, b"x"), "200 bytes"),
        (struct.pack("<BI", 0, 0).ljust(128, b"\0"), "0 bytes"),
        (struct.pack("<BI", ARCHIP, 3).ljust(128, b"\xff"), "the name"),
        (v2_entry("g" * 64, 0), "the name"),
        (b"", "0 entries of 1"),
        (b"short", "0 entries of 1"),
    ],
)
def test_bad_entry_is_refused(pool: tuple[LegacyPool, Put], new_store: Store, entry: bytes, match: str) -> None:
    pool[1]("volume", v2_head(SMALL, SMALL))
    pool[1](f"volume_{0:016x}", entry)
    with pytest.raises(CorruptData, match=match):
        import_map(new_store, pools(pool), "volume")


@pytest.mark.parametrize(
    "head",
    [b"AMF.", v2_head(5, SMALL)[:20], v2_head(5, 3000), v2_head(5, 128), b"AMF." + struct.pack(">IQIIQ", 3, 5, SMALL, 0, 0)],
)
def test_bad_header_is_refused(pool: tuple[LegacyPool, Put], new_store: Store, head: bytes) -> None:
    pool[1]("volume", head)
    with pytest.raises(CorruptData):
        import_map(new_store, pools(pool), "volume")


def test_absent_and_deleted_maps_are_not_found(pool: tuple[LegacyPool, Put], new_store: Store) -> None:
    with pytest.raises(VolumeNotFound):
        import_map(new_store, pools(pool), "volume")
    put_v2(pool[1], "volume", SMALL, [v2_entry("x", DELETED)], flags=2)
    with pytest.raises(VolumeNotFound, match="deleted"):
        import_map(new_store, pools(pool), "volume")
    pool[1]("other", v2_head(SMALL, SMALL))
    with pytest.raises(CorruptData, match="missing"):
        import_map(new_store, pools(pool), "other")
    pool[1]("tiny", v2_head(SMALL, 512))
    with pytest.raises(ValueError, match="512"):
        import_map(new_store, pools(pool), "tiny")


def test_sparse_tebibyte_is_taken_over_by_its_entries(pool: tuple[LegacyPool, Put], new_store: Store) -> None:
    size = 1 << 40
    zero = v2_entry(EMPTY.hex(), ZERO)
    pool[1]("volume", v2_head(size, OLD_BLOCK))
    for number in range(8):
        pool[1](f"volume_{number:016x}", zero * 32768)
    root = import_map(new_store, pools(pool), "volume")
    assert (root.size, root.pages, root.inline) == (size, b"", b"")


def test_blocks_in_the_layout_of_old_pithos(tmp_path: Path, new_store: Store, rng: random.Random) -> None:
    data = rng.randbytes(5000)
    name = hashlib.sha256(data).hexdigest()
    path = tmp_path / name[:2] / name[2:4] / name[4:6] / name
    path.parent.mkdir(parents=True)
    path.write_bytes(data)

    def put(name: str, data: bytes) -> None:
        digest = hashlib.sha256(name.encode()).hexdigest()
        target = tmp_path / digest[:2] / digest[2:4] / digest[4:6] / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    put("image", bytes.fromhex(name))
    root = import_map(new_store, LegacyPools(FilePool(tmp_path), FilePool(tmp_path)), "image", size=5000)
    assert content(root, new_store) == data


def test_names_do_not_lead_out_of_the_pool(tmp_path: Path) -> None:
    for name in ("../x", "", "a/b", ".."):
        with pytest.raises(ValueError, match="no name"):
            FilePool(tmp_path).read(name)


def test_unreadable_pool_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(5, "I/O error")

    monkeypatch.setattr(Path, "open", fail)
    with pytest.raises(StoreUnavailable):
        FilePool(tmp_path).read("x")


@pytest.mark.full
def test_absent_rados_pool_is_unavailable(ceph_conf: str) -> None:
    with pytest.raises(StoreUnavailable):
        RadosPool(ceph_conf, "no-such-pool")
