"""Records of every driver: exchange under contention, odd names and sizes, deletion and return, leases on top."""

import random
import threading
from collections.abc import Callable

import pytest

from synnefo_archipelago import LeaseHeld, LeaseLost
from synnefo_archipelago.api import Driver, Space
from synnefo_archipelago.errors import Fenced, RecordConflict
from synnefo_archipelago.leases import Lease, live_lease

from .conftest import FakeClock

NAMES = ["a", "A", "a.ext.disk0", "x:y@z-1_2", "0" * 200, "tmp", "format", "a1", "a10"]


def run_all(calls: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_odd_names_are_all_different(driver: Driver) -> None:
    versions = {name: driver.cas_record(Space.VOLUME, name, 0, name.encode()) for name in NAMES}
    assert sorted(driver.iter_records(Space.VOLUME)) == sorted(NAMES)
    for name in NAMES:
        assert driver.read_record(Space.VOLUME, name) == (versions[name], name.encode())


@pytest.mark.parametrize("size", [1, 7, 8, 9, 4096, 65_528, 65_536, 65_537, 300_000])
def test_record_of_any_size_reads_back(driver: Driver, rng: random.Random, size: int) -> None:
    value = rng.randbytes(size)
    version = driver.cas_record(Space.VOLUME, "vol", 0, value)
    assert driver.read_record(Space.VOLUME, "vol") == (version, value)


def test_one_of_many_creators_wins(driver: Driver, open_again: Callable[[], Driver]) -> None:
    drivers = [driver, open_again(), open_again()]
    won: list[bytes] = []
    start = threading.Barrier(6)

    def create(number: int) -> None:
        start.wait()
        try:
            drivers[number % 3].cas_record(Space.VOLUME, "vol", 0, b"%d" % number)
        except RecordConflict:
            return
        won.append(b"%d" % number)

    run_all([lambda number=number: create(number) for number in range(6)])  # type: ignore[misc]
    record = driver.read_record(Space.VOLUME, "vol")
    assert record is not None
    assert won == [record.value]


def test_one_of_exchange_and_deletion_wins(driver: Driver, open_again: Callable[[], Driver]) -> None:
    other = open_again()
    for _ in range(8):
        version = driver.cas_record(Space.VOLUME, "vol", 0, b"first")
        won: list[str] = []
        start = threading.Barrier(2)

        def change(
            mine: Driver, value: bytes | None, version: int = version, won: list[str] = won,
            start: threading.Barrier = start,
        ) -> None:  # fmt: skip
            start.wait()
            try:
                mine.cas_record(Space.VOLUME, "vol", version, value)
            except RecordConflict:
                return
            won.append("changed" if value else "deleted")

        run_all([lambda c=change: c(driver, b"second"), lambda c=change: c(other, None)])  # type: ignore[misc]
        record = driver.read_record(Space.VOLUME, "vol")
        assert won == (["changed"] if record else ["deleted"])
        if record:
            driver.cas_record(Space.VOLUME, "vol", record.version, None)


def test_reader_sees_whole_values_in_rising_order(driver: Driver, open_again: Callable[[], Driver]) -> None:
    other, stop = open_again(), threading.Event()
    version = driver.cas_record(Space.VOLUME, "vol", 0, b"0" * 100)

    def exchange(version: int) -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            version = driver.cas_record(Space.VOLUME, "vol", version, b"%d" % (turn % 10) * (100 + turn))

    thread = threading.Thread(target=exchange, args=(version,))
    thread.start()
    last = 0
    try:
        for _ in range(80):
            record = other.read_record(Space.VOLUME, "vol")
            assert record is not None
            assert len(set(record.value)) == 1
            assert record.version >= last
            last = record.version
    finally:
        stop.set()
        thread.join()


def test_absent_record_may_be_deleted_once_more(driver: Driver) -> None:
    driver.cas_record(Space.VOLUME, "vol", 0, None)
    assert driver.read_record(Space.VOLUME, "vol") is None
    assert list(driver.iter_records(Space.VOLUME)) == []
    driver.cas_record(Space.VOLUME, "vol", 0, b"x")
    with pytest.raises(RecordConflict):
        driver.cas_record(Space.VOLUME, "vol", 0, None)


def test_versions_rise_through_many_lives(driver: Driver) -> None:
    seen: list[int] = []
    for _ in range(6):
        seen.append(driver.cas_record(Space.VOLUME, "vol", 0, b"x"))
        driver.cas_record(Space.VOLUME, "vol", seen[-1], None)
    assert seen == sorted(set(seen))
    for version in seen:
        with pytest.raises(RecordConflict):
            driver.cas_record(Space.VOLUME, "vol", version, b"late")


def test_listing_with_changes_meanwhile_sees_what_stays(driver: Driver) -> None:
    versions = {f"vol{n}": driver.cas_record(Space.VOLUME, f"vol{n}", 0, b"x") for n in range(30)}
    seen = []
    for number, name in enumerate(driver.iter_records(Space.VOLUME)):
        seen.append(name)
        if number < 10:
            driver.cas_record(Space.VOLUME, f"vol{number}", versions[f"vol{number}"], None)
            driver.cas_record(Space.VOLUME, f"vol{29 - number}", versions[f"vol{29 - number}"], b"changed")
    assert {f"vol{n}" for n in range(10, 30)} <= set(seen)
    assert sorted(driver.iter_records(Space.VOLUME)) == sorted(f"vol{n}" for n in range(10, 30))


def test_records_do_not_show_among_objects(driver: Driver) -> None:
    driver.cas_record(Space.VOLUME, "vol", 0, b"x")
    driver.cas_record(Space.LEASE, "vol", 0, b"x")
    assert all(list(driver.iter(space)) == [] for space in (Space.CAS, Space.PAGE, Space.PRIVATE))


def make_lease(driver: Driver, clock: FakeClock, owner: str) -> Lease:
    return Lease(driver.session(), "vol", owner=owner, ttl_s=30, clock=clock, monotonic=clock)


def test_one_of_many_contenders_takes_an_expired_lease(
    driver: Driver, open_again: Callable[[], Driver], clock: FakeClock
) -> None:
    dead = make_lease(driver, clock, "dead")
    dead.acquire()
    clock.pass_s(40)
    drivers = [driver, open_again(), open_again()]
    won: list[str] = []
    start = threading.Barrier(6)

    def contend(number: int) -> None:
        lease = make_lease(drivers[number % 3], clock, str(number))
        start.wait()
        try:
            clean = lease.acquire()
        except LeaseHeld:
            return
        won.append(f"{number} {clean}")

    run_all([lambda number=number: contend(number) for number in range(6)])  # type: ignore[misc]
    [winner] = won
    held = live_lease(driver, "vol", clock)
    assert held is not None
    assert winner == f"{held.owner} False"
    with pytest.raises((LeaseLost, Fenced)):
        dead.check()


def test_late_renewal_and_take_over_exclude_each_other(
    driver: Driver, open_again: Callable[[], Driver], clock: FakeClock
) -> None:
    for _ in range(6):
        # A driver of its own each time: whoever is taken over is fenced for good.
        slow, quick = make_lease(open_again(), clock, "slow"), make_lease(open_again(), clock, "quick")
        slow.acquire(force=True)
        clock.pass_s(40)
        holders: list[str] = []

        def renew(slow: Lease = slow, holders: list[str] = holders) -> None:
            try:
                slow.check()
            except (LeaseLost, Fenced):
                return
            holders.append("slow")

        def take(quick: Lease = quick, holders: list[str] = holders) -> None:
            try:
                quick.acquire()
            except LeaseHeld:
                return
            holders.append("quick")

        run_all([renew, take])
        held = live_lease(open_again(), "vol", clock)
        assert held is not None
        assert holders == [held.owner]


def test_lease_given_back_properly_leaves_no_record(driver: Driver, clock: FakeClock) -> None:
    lease = make_lease(driver, clock, "one")
    assert lease.acquire() is True
    lease.release()
    assert driver.read_record(Space.LEASE, "vol") is None
    assert make_lease(driver, clock, "two").acquire() is True


def test_release_of_a_lease_that_was_taken_over_changes_nothing(driver: Driver, clock: FakeClock) -> None:
    first, second = make_lease(driver, clock, "one"), make_lease(driver, clock, "two")
    first.acquire()
    second.acquire(force=True)
    first.release()
    held = live_lease(driver, "vol", clock)
    assert held is not None
    assert held.owner == "two"
