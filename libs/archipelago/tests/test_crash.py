"""A process that stops at any point leaves the old state or the new, whole; nothing acknowledged is lost.

Here the process dies and the disk keeps what was written; losing unsynced writes is another test's business.
"""

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from synnefo_archipelago import CorruptData, Root, Store, crash
from synnefo_archipelago.api import Space
from synnefo_archipelago.drivers.file import FileDriver

from .conftest import FakeClock

pytestmark = pytest.mark.slow  # a stop at every point

BLOCK = 256 << 10
SIZE = 4 * BLOCK
STOPS = int(os.environ.get("SYNNEFO_TEST_CRASH_STOPS", "15"))
"""Crash points tried in each of the long histories; 1000 tries them all."""


class PowerCutError(BaseException):
    """Not an `Exception`: nothing may catch it."""


class Cutter:
    """Counts the crash points that are passed, and stops at one."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.stop_at = stop_at
        self.names: list[str] = []

    def __call__(self, name: str) -> None:
        assert name in crash.POINTS
        self.names.append(name)
        if self.stop_at is not None and len(self.names) > self.stop_at:  # and all that comes after, in any thread
            raise PowerCutError(name)


def open_files(path: Path, clock: FakeClock) -> Store:
    store = Store(FileDriver(path), block_size=BLOCK, clock=clock, monotonic=clock)
    store._renewer.stop()  # the dead renew nothing
    return store


def put(store: Store, data: bytes) -> Root:
    writer = store.writer()
    writer.write(data)
    return writer.finish()


OLD = random.Random(1).randbytes(SIZE)
NEW = random.Random(2).randbytes(SIZE)


def prepare(path: Path, clock: FakeClock) -> None:
    with open_files(path, clock) as store:
        store.create_volume("vol", SIZE)
        with store.open_volume("vol", owner="before") as volume:
            volume.write(0, OLD)


def overwrite_in_place(store: Store) -> None:
    with store.open_volume("vol", owner="one") as volume:
        volume.write(0, NEW)
        volume.flush()


def overwrite_after_snapshot(store: Store) -> None:
    with store.open_volume("vol", owner="one") as volume:
        volume.snapshot()
        volume.write(0, NEW)
        volume.flush()


def small_writes(store: Store) -> None:
    with store.open_volume("vol", owner="one") as volume:
        volume.snapshot()
        for at in range(0, SIZE, 100_000):
            volume.write(at, NEW[at : at + 100_000])
            volume.flush()


def count_points(action: Callable[[Store], None], path: Path, clock: FakeClock, patch: pytest.MonkeyPatch) -> int:
    prepare(path, clock)
    cutter = Cutter()
    with open_files(path, clock) as store:
        patch.setattr(crash, "point", cutter)
        action(store)
        patch.undo()
    return len(cutter.names)


@pytest.mark.parametrize("action", [overwrite_in_place, overwrite_after_snapshot, small_writes])
def test_each_piece_is_old_or_new_wherever_a_writer_stops(
    action: Callable[[Store], None], tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    total = count_points(action, tmp_path / "count", clock, monkeypatch)
    assert total > 10
    piece = 32 if action is small_writes else 64 << 10  # 32: the largest that divides writes and blocks
    for stop_at in range(0, total, max(1, total // STOPS)):
        path = tmp_path / f"at{stop_at}"
        prepare(path, clock)
        dead = open_files(path, clock)
        monkeypatch.setattr(crash, "point", Cutter(stop_at))
        with pytest.raises(PowerCutError):
            action(dead)
        monkeypatch.undo()
        clock.pass_s(100)
        with open_files(path, clock) as store:
            found = store.read_volume("vol", 0, SIZE)
            for at in range(0, SIZE, piece):
                end = at + piece
                assert found[at:end] in (OLD[at:end], NEW[at:end]), (stop_at, at)
            with store.open_volume("vol", owner="after") as volume:
                assert volume.read(0, SIZE) == found
                volume.write(0, NEW)
            assert store.read_volume("vol", 0, SIZE) == NEW


def test_what_was_flushed_survives_a_stop_at_any_later_point(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for stop_at in range(0, 40, 2):
        path = tmp_path / f"at{stop_at}"
        prepare(path, clock)
        dead = open_files(path, clock)
        volume = dead.open_volume("vol", owner="one")
        expected = bytearray(OLD)
        monkeypatch.setattr(crash, "point", Cutter(stop_at))
        flushed = bytes(expected)
        try:
            for turn in range(12):
                at = turn * 80_000
                volume.write(at, b"%04d" % turn * 500)
                expected[at : at + 2000] = b"%04d" % turn * 500
                volume.flush()
                flushed = bytes(expected)
        except PowerCutError:
            pass
        monkeypatch.undo()
        clock.pass_s(100)
        with open_files(path, clock) as store:
            assert store.read_volume("vol", 0, SIZE) in (flushed, bytes(expected))


def test_snapshot_is_taken_or_not(tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(tmp_path, clock)
    stop_at = 0
    while True:
        dead = open_files(tmp_path, clock)
        monkeypatch.setattr(crash, "point", Cutter(stop_at))
        try:
            dead.snapshot_volume("vol")
            done = True
        except PowerCutError:
            done = False
        monkeypatch.undo()
        with open_files(tmp_path, clock) as store:
            assert store.read_volume("vol", 0, SIZE) == OLD
            assert store.read(store.snapshot_volume("vol"), 0, SIZE) == OLD
        if done:
            break
        stop_at += 1
    assert stop_at >= 4


@pytest.mark.parametrize("exists", [True, False])
def test_creation_and_deletion_happen_or_not(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, exists: bool
) -> None:
    for stop_at in range(8):
        path = tmp_path / f"at{stop_at}"
        if exists:
            prepare(path, clock)
        dead = open_files(path, clock)
        monkeypatch.setattr(crash, "point", Cutter(stop_at))
        try:
            if exists:
                dead.delete_volume("vol")
            else:
                dead.create_volume("vol", SIZE)
        except PowerCutError:
            pass
        monkeypatch.undo()
        with open_files(path, clock) as store:
            if "vol" in list(store.list_volumes()):
                assert store.read_volume("vol", 0, SIZE) == (OLD if exists else bytes(SIZE))
                store.delete_volume("vol")
            store.create_volume("vol", SIZE)
            assert store.read_volume("vol", 0, SIZE) == bytes(SIZE)


def test_upload_that_stopped_leaves_nothing_wrong(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for stop_at in range(16):
        path = tmp_path / f"at{stop_at}"
        dead = open_files(path, clock)
        monkeypatch.setattr(crash, "point", Cutter(stop_at))
        with pytest.raises(PowerCutError):
            put(dead, NEW)
        monkeypatch.undo()
        with open_files(path, clock) as store:
            for key, _ in store.driver.iter(Space.CAS):
                assert len(key) == 64
            root = put(store, NEW)
        with open_files(path, clock) as store:
            assert store.read(root, 0, SIZE) == NEW


def test_torn_table_is_no_false_alarm(tmp_path: Path, clock: FakeClock) -> None:
    """The first table copy torn in the middle of an update: what the second shows is right, and stays writable."""
    prepare(tmp_path, clock)
    with open_files(tmp_path, clock) as store:
        for key, _ in store.driver.iter(Space.PRIVATE):
            store.driver.write_at(Space.PRIVATE, key, [(0, b"\xff" * 512)])
    with open_files(tmp_path, clock) as store:
        assert store.read_volume("vol", 0, SIZE) == OLD
        overwrite_in_place(store)
    with open_files(tmp_path, clock) as store:
        assert store.read_volume("vol", 0, SIZE) == NEW


def test_unsynced_second_table_is_mended_before_the_first_is_overwritten(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(tmp_path, clock)
    with open_files(tmp_path, clock) as store:
        key, _ = next(store.driver.iter(Space.PRIVATE))
        store.driver.write_at(Space.PRIVATE, key, [(4096, b"\xff" * 512)])
    dead = open_files(tmp_path, clock)

    def cut(name: str) -> None:
        if name == "private.slots":
            raise PowerCutError(name)

    monkeypatch.setattr(crash, "point", cut)
    with pytest.raises(PowerCutError):
        overwrite_in_place(dead)
    monkeypatch.undo()
    with open_files(tmp_path, clock) as store:
        for key, _ in store.driver.iter(Space.PRIVATE):
            store.driver.write_at(Space.PRIVATE, key, [(0, b"\xff" * 512)])
        clock.pass_s(100)
        try:
            assert store.read_volume("vol", 0, BLOCK) == OLD[:BLOCK]
        except CorruptData:
            pytest.fail("the second table was not written again")
