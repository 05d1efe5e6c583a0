"""A writer that stalls between its last check and its write, wakes after another took over, and changes nothing."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from synnefo_archipelago import LeaseHeld, LeaseLost, Root, Store, StoreError, StoreUnavailable
from synnefo_archipelago.api import Data, Driver, Space
from synnefo_archipelago.drivers.memory import MemoryDriver
from synnefo_archipelago.errors import Fenced
from synnefo_archipelago.leases import LeaseRecord, parse_lease
from synnefo_archipelago.opening import open_driver

from .conftest import BLOCK, FakeClock

OLD, NEW = b"old" * 1000, b"NEW" * 1000


class FencingMemory(MemoryDriver):
    """Memory that several clients share and that can cut one of them off, as a cluster does."""

    reads_ahead = 2

    def __init__(self, disk: "FencingMemory | None" = None) -> None:
        super().__init__()
        self.identity = os.urandom(6).hex()
        self.fenced: set[str] = set()
        self.sessions: list[FencingMemory] = []
        if disk is not None:
            self._lock, self._objects, self._records = disk._lock, disk._objects, disk._records
            self.fenced = disk.fenced

    def session(self) -> "FencingMemory":
        if not self.sessions or self.sessions[-1].identity in self.fenced:
            self.sessions.append(FencingMemory(self))
        return self.sessions[-1]

    def fence(self, identity: str) -> None:
        if identity and identity != self.identity:
            self.fenced.add(identity)

    def _ensure(self) -> None:
        if self.identity in self.fenced:
            raise Fenced(self.identity)

    def put(self, space: Space, key: str, pieces: Sequence[Data], *, replace: bool = False) -> bool:
        self._ensure()
        return super().put(space, key, pieces, replace=replace)

    def write_at(self, *args: Any, **kwargs: Any) -> None:
        self._ensure()
        super().write_at(*args, **kwargs)

    def cas_record(self, space: Space, key: str, expected: int, value: bytes | None) -> int:
        self._ensure()
        return super().cas_record(space, key, expected, value)


@pytest.fixture(params=["memory", pytest.param("rados", marks=pytest.mark.full)])
def new_store(request: pytest.FixtureRequest, clock: FakeClock) -> Iterator[Callable[[], Store]]:
    """Opens one more store on the same storage: another process."""
    opened: list[Store] = []
    disk = FencingMemory()
    url = ""
    if request.param == "rados":
        url = f"rados://{request.getfixturevalue('ceph_conf')}?namespace=f{os.urandom(6).hex()}&timeout_s=20"

    def again() -> Store:
        driver: Driver = open_driver(url) if url else FencingMemory(disk)
        opened.append(Store(driver, block_size=BLOCK, clock=clock, monotonic=clock))
        opened[-1]._renewer.stop()
        return opened[-1]

    yield again
    for store in opened:
        store.close()


class Stall:
    """Holds a driver's next call of a method until it is told to go on."""

    def __init__(self, driver: Driver, method: str) -> None:
        self.real = getattr(driver, method)
        self.reached, self.go_on = threading.Event(), threading.Event()
        setattr(driver, method, self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.reached.set()
        assert self.go_on.wait(30)
        return self.real(*args, **kwargs)


def start(call: Callable[[], object]) -> tuple[threading.Thread, list[BaseException]]:
    errors: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except StoreError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, errors


def stalled_writer(store: Store, method: str) -> tuple[Any, Stall]:
    store.create_volume("vol", 2 * BLOCK)
    volume = store.open_volume("vol", owner="one", ttl_s=30)
    volume.write(0, OLD)
    volume.flush()
    if method == "put":
        volume.snapshot()
    volume.write(0, NEW)
    return volume, Stall(store.driver.session(), method)


@pytest.mark.parametrize("method", ["write_at", "put", "cas_record"])
@pytest.mark.parametrize("force", [True, False])
def test_writer_that_wakes_after_a_take_over_changes_nothing(
    new_store: Callable[[], Store], clock: FakeClock, method: str, force: bool
) -> None:
    mine, other = new_store(), new_store()
    volume, stall = stalled_writer(mine, method)
    thread, errors = start(volume.snapshot)
    assert stall.reached.wait(30)
    clock.pass_s(0 if force else 40)
    with other.open_volume("vol", owner="two", force=force) as successor:
        expected = successor.read(0, 3000)
        assert expected in (OLD, NEW)
        stall.go_on.set()
        thread.join()
        assert [type(error) for error in errors] == [LeaseLost]
        assert successor.read(0, 3000) == expected
    assert new_store().read_volume("vol", 0, 3000) == expected


@pytest.mark.parametrize("change", ["snapshot", "grow", "delete"])
def test_change_without_a_lease_fences_whoever_left_one(
    new_store: Callable[[], Store], clock: FakeClock, change: str
) -> None:
    mine, other = new_store(), new_store()
    volume, stall = stalled_writer(mine, "write_at")
    thread, errors = start(volume.flush)
    assert stall.reached.wait(30)
    clock.pass_s(40)
    shot: Root | None = None
    if change == "snapshot":
        shot = other.snapshot_volume("vol")
    elif change == "grow":
        other.grow_volume("vol", 3 * BLOCK)
    else:
        other.delete_volume("vol")
    stall.go_on.set()
    thread.join()
    assert [type(error) for error in errors] == [LeaseLost]
    if shot is not None:
        assert other.read(shot, 0, 3000) == OLD
    elif change == "grow":
        assert other.read_volume("vol", 0, 3000) == OLD
    else:
        assert other.stats().private_blocks == 0


def test_fenced_process_goes_on_with_new_sessions(new_store: Callable[[], Store], clock: FakeClock) -> None:
    mine, other = new_store(), new_store()
    volume, stall = stalled_writer(mine, "write_at")
    stall.go_on.set()
    clock.pass_s(40)
    other.open_volume("vol", owner="two").close()
    with pytest.raises(LeaseLost):
        volume.flush()
    mine.create_volume("another", BLOCK)
    with mine.open_volume("another", owner="one") as second:
        second.write(0, b"works")
    with mine.open_volume("vol", owner="one") as again:
        again.write(0, b"works")
    assert other.read_volume("vol", 0, 5) == other.read_volume("another", 0, 5) == b"works"


def test_holder_that_gave_the_lease_back_is_not_fenced(new_store: Callable[[], Store]) -> None:
    mine, other = new_store(), new_store()
    mine.create_volume("vol", BLOCK)
    mine.create_volume("another", BLOCK)
    still_open = mine.open_volume("another", owner="one")
    mine.open_volume("vol", owner="one").close()
    other.open_volume("vol", owner="two").close()
    mine.open_volume("vol", owner="one").abandon()
    other.open_volume("vol", owner="two").close()
    still_open.write(0, b"x")
    still_open.close()


def test_who_dies_before_fencing_leaves_it_to_the_next(new_store: Callable[[], Store], clock: FakeClock) -> None:
    mine, dying, third = new_store(), new_store(), new_store()
    volume, stall = stalled_writer(mine, "write_at")
    thread, errors = start(volume.flush)
    assert stall.reached.wait(30)
    clock.pass_s(40)

    class DiedError(BaseException):
        pass

    def die(identity: str) -> None:
        raise DiedError(identity)

    dying.driver.session().fence = die  # type: ignore[method-assign]
    with pytest.raises(DiedError):
        dying.open_volume("vol", owner="two")
    clock.pass_s(40)
    with third.open_volume("vol", owner="three") as successor:
        stall.go_on.set()
        thread.join()
        assert [type(error) for error in errors] == [LeaseLost]
        assert successor.read(0, 3000) == OLD


def test_take_over_that_cannot_fence_fails_and_blocks_nobody(new_store: Callable[[], Store], clock: FakeClock) -> None:
    mine, other = new_store(), new_store()
    stalled_writer(mine, "write_at")
    clock.pass_s(40)
    session = other.driver.session()
    real = session.fence

    def refuse(identity: str) -> None:
        raise StoreUnavailable("not allowed")

    session.fence = refuse  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable):
        other.open_volume("vol", owner="two")
    session.fence = real  # type: ignore[method-assign]
    with other.open_volume("vol", owner="two") as successor:
        assert successor.read(0, 3000) == OLD


def test_lease_says_who_is_to_be_fenced(new_store: Callable[[], Store]) -> None:
    mine = new_store()
    mine.create_volume("vol", BLOCK)
    with mine.open_volume("vol", owner="one"):
        record = mine.driver.read_record(Space.LEASE, "vol")
        assert record is not None
        assert parse_lease(record).to_fence == (mine.driver.session().identity,)
    assert LeaseRecord("a", "b", 1.0, 2.0, "x", ("y", "x", "")).to_fence == ("x", "y")


def test_handle_of_the_same_process_is_cut_off_by_a_forced_opening(new_store: Callable[[], Store]) -> None:
    mine = new_store()
    mine.create_volume("vol", BLOCK)
    first = mine.open_volume("vol", owner="one")
    first.write(0, b"never flushed")
    with mine.open_volume("vol", owner="one", force=True) as second:
        with pytest.raises(LeaseLost):
            first.flush()
        second.write(0, b"second")
    assert mine.read_volume("vol", 0, 6) == b"second"
    with pytest.raises(LeaseLost):
        first.read(0, 1)
    with mine.open_volume("vol", owner="one"), pytest.raises(LeaseHeld):
        mine.open_volume("vol", owner="one")
