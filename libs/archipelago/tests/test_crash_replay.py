"""Power fails after any operation of the file driver, and loses any part of what was not synced.

Every prefix of the recorded operations is replayed, and for each up to 64 losses. After each: old or new, never mixed;
nothing lost that was acknowledged; rubbish at most. The normal run takes a sample, `SYNNEFO_NIGHT=1` takes all.
"""

import os
import random
import threading
from collections.abc import Callable
from typing import Any

import pytest

from synnefo_archipelago import Root, Store, VolumeNotFound
from synnefo_archipelago.api import Space
from synnefo_archipelago.drivers.file import FileDriver
from synnefo_archipelago.errors import RecordConflict

from .conftest import FakeClock
from .crash_disk import ROOT, Disk, Mounted, Replay, mounted  # noqa: F401

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

IS_NIGHT = os.environ.get("SYNNEFO_NIGHT") == "1"
LOSSES = int(os.environ.get("SYNNEFO_TEST_CRASH_LOSSES", "64" if IS_NIGHT else "6"))
PREFIXES = int(os.environ.get("SYNNEFO_TEST_CRASH_PREFIXES", "1000000" if IS_NIGHT else "45"))
SUB = 64 << 10
BLOCK = 2 * SUB
SIZE = 3 * BLOCK
OLD = random.Random(1).randbytes(SIZE)
NEW = random.Random(2).randbytes(SIZE)


class World:
    """One simulated machine; each store that is opened on it is a process after a restart."""

    def __init__(self, where: Mounted, clock: FakeClock) -> None:
        self.mounted = where
        self.clock = clock
        self.opened: list[Store] = []

    def open(self) -> Store:
        # One I/O thread: what is recorded must depend on nothing but the code.
        store = Store(FileDriver(ROOT), block_size=BLOCK, clock=self.clock, monotonic=self.clock)
        store._executor._max_workers = 1
        store._renewer.stop()
        self.opened.append(store)
        return store

    def close(self) -> None:
        while self.opened:
            store = self.opened.pop()
            store._open.clear()  # what is open dies with its process
            store.close()

    def acknowledge(self, value: Any = None) -> None:
        self.mounted.disk.acknowledge(value)


Prepare = Callable[[Store], Any]
Run = Callable[[World, Store, Any], None]
Check = Callable[[World, Store, Any, list[Any]], None]


@pytest.fixture
def world(mounted: Mounted, clock: FakeClock) -> World:  # noqa: F811
    return World(mounted, clock)


def replay(world: World, prepare: Prepare, run: Run, check: Check) -> int:
    """Record `run` after `prepare`, then crash it everywhere. Returns how many crashes were looked at."""
    place = world.mounted
    place.disk = Disk()
    prepared = prepare(world.open())
    world.close()
    base = place.disk.image()
    place.disk = Disk(base)
    run(world, world.open(), prepared)
    log = place.disk.log
    world.close()
    log = log[: next((i + 1 for i in reversed(range(len(log))) if log[i].kind == "ack"), len(log))]
    walk, crashes = Replay(base), 0
    stride = max(1, len(log) // PREFIXES)
    offset = random.Random(len(log)).randrange(stride)
    for number in range(len(log) + 1):
        # What cannot change by a loss needs to be looked at once only.
        for seed in range(LOSSES if walk.unsynced else 1) if number % stride == offset or number == len(log) else ():
            place.disk = Disk(walk.crash(seed if seed < 4 else seed * 100_003 + number))
            world.clock.pass_s(100)
            try:
                check(world, world.open(), prepared, walk.acknowledged)
            except BaseException as error:
                error.add_note(f"crash after {number} of {len(log)} operations ({log[number - 1][:3]}), loss {seed}")
                raise
            finally:
                world.close()
            crashes += 1
        if number < len(log):
            walk.step(log[number])
    return crashes


def put(store: Store, data: bytes) -> Root:
    writer = store.writer()
    writer.write(data)
    return writer.finish()


def make_volume(store: Store) -> None:
    store.create_volume("vol", SIZE)
    with store.open_volume("vol", owner="before") as volume:
        volume.write(0, OLD)


def ensure_old_or_new(found: bytes, old: bytes, new: bytes) -> None:
    assert len(found) == len(old) == len(new)
    for at in range(0, len(found), SUB):
        assert found[at : at + SUB] in (old[at : at + SUB], new[at : at + SUB]), f"mixed at {at}"


def ensure_writable(store: Store, size: int = SIZE) -> None:
    """The volume goes on as if nothing had happened."""
    with store.open_volume("vol", owner="after") as volume:
        content = bytearray(volume.read(0, size))
        volume.write(SUB - 5, b"after the crash")
        content[SUB - 5 : SUB + 10] = b"after the crash"
        volume.flush()
    assert store.read_volume("vol", 0, size) == content


def test_upload(world: World) -> None:
    def run(world: World, store: Store, _: Any) -> None:
        world.acknowledge(put(store, NEW))
        world.acknowledge(put(store, NEW[:BLOCK] + OLD))

    def check(_: World, store: Store, __: Any, acknowledged: list[Any]) -> None:
        for root, data in zip(acknowledged, (NEW, NEW[:BLOCK] + OLD), strict=False):
            assert store.read(root, 0, len(data)) == data
        again = put(store, NEW)
        assert store.read(again, 0, SIZE) == NEW

    assert replay(world, lambda store: None, run, check) > 50


def test_upload_with_pages(world: World) -> None:
    data = random.Random(3).randbytes(3 * 4096) * 24  # more entries than a root keeps inline, few blocks

    def upload(store: Store) -> Root:
        writer = store.writer(block_size=4096)
        writer.write(data)
        return writer.finish()

    def run(world: World, store: Store, _: Any) -> None:
        world.acknowledge(upload(store))

    def check(_: World, store: Store, __: Any, acknowledged: list[Any]) -> None:
        for root in acknowledged or [upload(store)]:
            assert store.read(root, 0, len(data)) == data

    assert replay(world, lambda store: None, run, check) > 50


@pytest.mark.parametrize("shared", [False, True])
def test_volume_write_and_flush(world: World, shared: bool) -> None:
    """In place, and, after a snapshot, copied on write into partial blocks."""

    def prepare(store: Store) -> Root | None:
        make_volume(store)
        return store.snapshot_volume("vol") if shared else None

    def run(world: World, store: Store, _: Any) -> None:
        content = bytearray(OLD)
        volume = store.open_volume("vol", owner="one")
        for at, count in ((0, 5000), (BLOCK - 100, 70_000), (SUB, 10), (0, SIZE)):
            volume.write(at, NEW[at : at + count])
            volume.flush()
            content[at : at + count] = NEW[at : at + count]
            world.acknowledge(bytes(content))
        volume.trim(BLOCK, BLOCK)
        volume.trim(0, SUB)
        volume.flush()
        content[BLOCK : 2 * BLOCK] = bytes(BLOCK)
        content[:SUB] = bytes(SUB)
        world.acknowledge(bytes(content))
        volume.close()
        world.acknowledge(bytes(content))
        history[:] = [op.value for op in world.mounted.disk.log if op.kind == "ack"]

    history: list[bytes] = []

    def check(_: World, store: Store, shot: Root | None, acknowledged: list[Any]) -> None:
        states = [OLD, *history]
        now = len(acknowledged)
        ensure_old_or_new(store.read_volume("vol", 0, SIZE), states[now], states[min(now + 1, len(history))])
        if shot is not None:
            assert store.read(shot, 0, SIZE) == OLD
        ensure_writable(store)

    assert replay(world, prepare, run, check) > 100


def test_snapshot(world: World) -> None:
    def run(world: World, store: Store, _: Any) -> None:
        world.acknowledge((store.snapshot_volume("vol"), OLD))
        volume = store.open_volume("vol", owner="one")
        volume.write(0, NEW[:BLOCK])
        world.acknowledge((volume.snapshot(), NEW[:BLOCK] + OLD[BLOCK:]))
        volume.write(BLOCK + 7, NEW[BLOCK + 7 :])
        volume.close()
        world.acknowledge((store.snapshot_volume("vol"), NEW[:BLOCK] + OLD[BLOCK : BLOCK + 7] + NEW[BLOCK + 7 :]))

    last = NEW[:BLOCK] + OLD[BLOCK : BLOCK + 7] + NEW[BLOCK + 7 :]

    def check(_: World, store: Store, __: Any, acknowledged: list[Any]) -> None:
        for root, content in acknowledged:
            assert store.read(root, 0, SIZE) == content
        old = acknowledged[-1][1] if acknowledged else OLD
        new = NEW[:BLOCK] + OLD[BLOCK:] if len(acknowledged) < 2 else last
        ensure_old_or_new(store.read_volume("vol", 0, SIZE), old, new)
        ensure_writable(store)
        for root, content in acknowledged:
            assert store.read(root, 0, SIZE) == content

    assert replay(world, make_volume, run, check) > 100


def test_clone(world: World) -> None:
    def run(world: World, store: Store, image: Root) -> None:
        store.create_volume("vol", SIZE + BLOCK, image)
        world.acknowledge()
        with store.open_volume("vol", owner="one") as volume:
            volume.write(5, NEW[5:100])
        world.acknowledge()

    def check(_: World, store: Store, image: Root, acknowledged: list[Any]) -> None:
        assert store.read(image, 0, SIZE) == OLD
        if acknowledged or "vol" in list(store.list_volumes()):
            old, new = OLD, OLD[:5] + NEW[5:100] + OLD[100:]
            found = store.read_volume("vol", 0, SIZE + BLOCK)
            assert found[SIZE:] == bytes(BLOCK)
            ensure_old_or_new(found[:SIZE], new if len(acknowledged) == 2 else old, new)
        store.create_volume("vol", SIZE + BLOCK, image)
        ensure_writable(store, SIZE + BLOCK)

    assert replay(world, lambda store: put(store, OLD), run, check) > 50


def test_grow(world: World) -> None:
    def run(world: World, store: Store, _: Any) -> None:
        store.grow_volume("vol", SIZE + 5000)
        world.acknowledge()
        volume = store.open_volume("vol", owner="one")
        volume.grow(SIZE + BLOCK)
        world.acknowledge()

    sizes = [SIZE, SIZE + 5000, SIZE + BLOCK]

    def check(_: World, store: Store, __: Any, acknowledged: list[Any]) -> None:
        size = store.volume_info("vol").size
        assert size in sizes[len(acknowledged) : len(acknowledged) + 2]
        assert store.read_volume("vol", 0, size) == OLD + bytes(size - SIZE)
        ensure_writable(store, size)

    assert replay(world, make_volume, run, check) > 20


def test_delete(world: World) -> None:
    def prepare(store: Store) -> Root:
        make_volume(store)
        shot = store.snapshot_volume("vol")
        with store.open_volume("vol", owner="before") as volume:
            volume.write(0, NEW[:BLOCK])
        return shot

    def run(world: World, store: Store, _: Any) -> None:
        store.delete_volume("vol")
        world.acknowledge()

    def check(_: World, store: Store, shot: Root, acknowledged: list[Any]) -> None:
        assert store.read(shot, 0, SIZE) == OLD
        try:
            found = store.read_volume("vol", 0, SIZE)
        except VolumeNotFound:
            assert list(store.list_volumes()) == []
        else:
            assert not acknowledged
            assert found == NEW[:BLOCK] + OLD[BLOCK:]
            store.delete_volume("vol")
        store.create_volume("vol", SIZE)
        assert store.read_volume("vol", 0, SIZE) == bytes(SIZE)
        ensure_writable(store)

    assert replay(world, prepare, run, check) > 10


def test_record_exchange(world: World) -> None:
    """Values rise by one, versions never come back with another value, through deletion as well."""
    seen: dict[int, bytes | None] = {}

    def run(world: World, store: Store, _: Any) -> None:
        expected = 0
        for value in (b"0", b"1", b"2", None, b"4", b"5", None):
            version = store.driver.cas_record(Space.VOLUME, "r", expected, value)
            expected = version if value else 0
            seen[version] = value
            world.acknowledge((version, value))

    def check(_: World, store: Store, __: Any, acknowledged: list[Any]) -> None:
        record = store.driver.read_record(Space.VOLUME, "r")
        history = [(0, None), *((version, value) for version, value in seen.items())]
        allowed = history[len(acknowledged) : len(acknowledged) + 2]
        assert (record.value if record else None) in [value for _, value in allowed]
        if record:
            assert seen[record.version] == record.value
        new = store.driver.cas_record(Space.VOLUME, "r", record.version if record else 0, b"after")
        assert new > max([0, *(version for version, _ in acknowledged)])
        for version, value in acknowledged:
            if value is not None:
                with pytest.raises(RecordConflict):
                    store.driver.cas_record(Space.VOLUME, "r", version, b"late")

    assert replay(world, lambda store: None, run, check) > 50


def test_lease_take_over(world: World) -> None:
    def prepare(store: Store) -> int:
        make_volume(store)
        volume = store.open_volume("vol", owner="dead")
        volume.write(0, NEW[:SUB])
        volume.flush()
        return volume.epoch

    def run(world: World, store: Store, _: Any) -> None:
        volume = store.open_volume("vol", owner="two", force=True)
        world.acknowledge((volume.epoch, volume.generation))
        volume.write(SUB, NEW[SUB:])
        volume.close()
        world.acknowledge((volume.epoch, volume.generation))

    def check(_: World, store: Store, epoch: int, acknowledged: list[Any]) -> None:
        before = NEW[:SUB] + OLD[SUB:]
        ensure_old_or_new(store.read_volume("vol", 0, SIZE), NEW if len(acknowledged) == 2 else before, NEW)
        with store.open_volume("vol", owner="three") as volume:
            assert volume.epoch > max([epoch, *(number for number, _ in acknowledged)])
            # Whoever died without closing left its generation behind.
            assert volume.generation > 1 or not acknowledged or len(acknowledged) == 2
        ensure_writable(store)

    assert replay(world, prepare, run, check) > 50


def test_concurrent_puts_of_the_same_block(world: World) -> None:
    def run(world: World, store: Store, _: Any) -> None:
        start = threading.Barrier(3)

        def upload(mine: Store) -> None:
            start.wait()
            world.acknowledge(put(mine, NEW))

        threads = [threading.Thread(target=upload, args=(mine,)) for mine in (store, world.open(), world.open())]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def check(_: World, store: Store, __: Any, acknowledged: list[Any]) -> None:
        for root in [*acknowledged, put(store, NEW)]:
            assert store.read(root, 0, SIZE) == NEW

    assert replay(world, lambda store: None, run, check) > 50


def test_removal_of_what_nobody_uses_and_its_return(world: World) -> None:
    def remove_all(store: Store) -> None:
        for space in (Space.CAS, Space.PAGE):
            for key, _ in list(store.driver.iter(space)):
                store.driver.delete_unused(space, key, since=1.0)  # files of the simulated disk are from 1970

    def run(world: World, store: Store, _: Any) -> None:
        remove_all(store)
        world.acknowledge(None)
        world.acknowledge(put(store, NEW))

    def check(_: World, store: Store, old: Root, acknowledged: list[Any]) -> None:
        for root in filter(None, acknowledged):
            assert store.read(root, 0, SIZE) == NEW
        store.driver.tidy(before=1.0)
        for root in filter(None, [*acknowledged, put(store, NEW)]):
            assert store.read(root, 0, SIZE) == NEW
        remove_all(store)
        assert store.stats().blocks == 0

    assert replay(world, lambda store: put(store, NEW), run, check) > 50


def test_the_disk_does_lose_what_is_not_synced(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that syncs no data, or no directory, must not pass: or all of the above would prove nothing."""

    def run(world: World, store: Store, _: Any) -> None:
        world.acknowledge(put(store, NEW))

    def check(_: World, store: Store, __: Any, acknowledged: list[Any]) -> None:
        for root in acknowledged:
            assert store.read(root, 0, SIZE) == NEW

    for name in ("fdatasync", "fsync"):
        real = getattr(Disk, name)
        monkeypatch.setattr(Disk, name, lambda *_: None)
        with pytest.raises(Exception, match=r"missing|checksum|another"):
            replay(world, lambda store: None, run, check)
        monkeypatch.setattr(Disk, name, real)
