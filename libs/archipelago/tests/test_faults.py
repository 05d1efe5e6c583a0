"""Each call of the driver fails in turn, before or after it took effect, during an upload, a volume's write, a snapshot.

What follows: an error with a name, nothing half visible, and a store that goes on; repeating brings the new state.
"""

import os
import random
from collections.abc import Callable
from typing import Any

import pytest

from synnefo_archipelago import Root, Store, StoreError, StoreFull, StoreUnavailable
from synnefo_archipelago.drivers.file import FileDriver
from synnefo_archipelago.drivers.memory import MemoryDriver

from .conftest import BLOCK, FakeClock

pytestmark = pytest.mark.slow

IS_NIGHT = os.environ.get("SYNNEFO_NIGHT") == "1"
SUB = 64 << 10
SIZE = 3 * BLOCK
OLD, NEW = random.Random(1).randbytes(SIZE), random.Random(2).randbytes(SIZE)
CALLS = {"get", "get_many", "put", "write_at", "truncate", "touch", "delete", "read_record", "cas_record"}


class Faulty:
    """A driver whose n-th call fails: with nothing done, or done and the answer lost."""

    def __init__(self, real: Any, error: type[StoreError]) -> None:
        self.real, self.error = real, error
        self.at: int | None = None
        self.calls = 0
        self.is_done = False

    def session(self) -> "Faulty":
        return self

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.real, name)
        if name not in CALLS:
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            is_bad = self.calls - 1 == self.at
            if is_bad and not self.is_done:
                raise self.error("injected")
            result = found(*args, **kwargs)
            if is_bad:
                raise self.error("injected, after it was done")
            return result

        return call

    def arm(self, at: int | None, *, is_done: bool) -> None:
        self.at, self.calls, self.is_done = at, 0, is_done


@pytest.fixture(params=["memory", "file"])
def make_driver(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Any]:
    if request.param == "memory":
        return MemoryDriver
    driver = FileDriver(tmp_path_factory.mktemp("faults"))
    return lambda: driver


def open_on(driver: Any, clock: FakeClock) -> Store:
    store = Store(driver, block_size=BLOCK, clock=clock, monotonic=clock)
    store._executor._max_workers = 1
    store._renewer.stop()
    return store


def put(store: Store, data: bytes) -> Root:
    writer = store.writer()
    try:
        writer.write(data)
        return writer.finish()
    except BaseException:
        writer.abort()
        raise


def upload(store: Store, _: str) -> None:
    root = put(store, NEW + NEW[:7])
    assert store.read(root, 0, SIZE) == NEW


def write(store: Store, name: str) -> None:
    with store.open_volume(name, owner="one", force=True) as volume:
        volume.write(0, NEW)


def write_parts(store: Store, name: str) -> None:
    with store.open_volume(name, owner="one", force=True) as volume:
        for at in range(0, SIZE, SUB + 5000):
            volume.write(at, NEW[at : at + 4096])
        volume.flush()
        volume.write(0, NEW)


def shoot(store: Store, name: str) -> None:
    with store.open_volume(name, owner="one", force=True) as volume:
        volume.write(0, NEW)
        shot = volume.snapshot()
        assert store.read(shot, 0, SIZE) == NEW
        assert store.read(store.snapshot_volume(name), 0, SIZE) == NEW


def ensure_old_or_new(found: bytes, piece: int) -> None:
    for at in range(0, SIZE, piece):
        assert found[at : at + piece] in (OLD[at : at + piece], NEW[at : at + piece])


@pytest.mark.parametrize("error", [StoreFull, StoreUnavailable])
@pytest.mark.parametrize("action", [upload, write, write_parts, shoot])
@pytest.mark.parametrize("is_done", [False, True])
def test_fault_at_each_call_of_the_driver(
    make_driver: Callable[[], Any], clock: FakeClock, action: Callable[[Store, str], None],
    error: type[StoreError], is_done: bool,
) -> None:  # fmt: skip
    real = make_driver()
    at, failed = 0, 0
    while True:
        name = f"vol{at}-{is_done}-{error.__name__}-{action.__name__}"
        with open_on(real, clock) as store:
            store.create_volume(name, SIZE)
            with store.open_volume(name, owner="before") as volume:
                volume.write(0, OLD)
            frozen = store.snapshot_volume(name)
        faulty = Faulty(real, error)
        with open_on(faulty, clock) as store:
            faulty.arm(at, is_done=is_done)
            try:
                action(store, name)
            except error:
                failed += 1
            was_reached = faulty.calls > at
            faulty.arm(None, is_done=False)
            # In the same process, and as another that starts afterwards: 4 KiB is the smallest piece written.
            ensure_old_or_new(store.read_volume(name, 0, SIZE), 4)
            action(store, name)
        with open_on(real, clock) as after:
            assert after.read_volume(name, 0, SIZE) == (OLD if action is upload else NEW)
            assert after.read(frozen, 0, SIZE) == OLD
            after.delete_volume(name)
        if not was_reached:
            break
        at += 1 if IS_NIGHT or not isinstance(real, FileDriver) else 5
    assert failed >= 1


def test_writer_that_repeats_a_flush_after_any_fault_ends_with_what_it_wrote(
    make_driver: Callable[[], Any], clock: FakeClock
) -> None:
    """The handle stays: nothing that was written to it is forgotten, whatever happened to the answers."""
    rng = random.Random(5)
    faulty = Faulty(make_driver(), StoreUnavailable)
    with open_on(faulty, clock) as store:
        store.create_volume("vol", SIZE)
        volume = store.open_volume("vol", owner="one")
        content = bytearray(SIZE)
        faults = 0
        for turn in range(120):
            at, count = rng.randrange(SIZE - SUB), rng.choice([1, 4096, SUB])
            data = rng.randbytes(count)
            volume.write(at, data)
            content[at : at + count] = data
            if turn % 7 == 0:
                volume.trim(0, SUB)
                content[:SUB] = bytes(SUB)
            faulty.arm(rng.randrange(8), is_done=rng.random() < 0.5)
            while True:
                try:
                    volume.snapshot() if turn % 5 == 0 else volume.flush()
                    break
                except StoreUnavailable:
                    faults += 1
            faulty.arm(None, is_done=False)
            assert volume.read(0, SIZE) == content
        assert faults > 30
        volume.close()
        assert store.read_volume("vol", 0, SIZE) == content
        store.delete_volume("vol")
