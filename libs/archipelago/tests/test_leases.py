"""Who may write: exclusion, expiry, take-over, fencing."""

import time
from collections.abc import Callable

import pytest

from synnefo_archipelago import CorruptData, LeaseHeld, LeaseLost, Store, VolumeNotFound
from synnefo_archipelago.api import Driver, Space
from synnefo_archipelago.errors import RecordOvertaken

from .conftest import FakeClock

BLOCK = 256 << 10


@pytest.fixture
def other(another_store: Callable[[], Store], store: Store) -> Store:
    store.create_volume("vol", 4 * BLOCK)
    return another_store()


def test_second_writer_is_refused_here_and_elsewhere(store: Store, other: Store) -> None:
    with store.open_volume("vol", owner="one"):
        for contender in (store, other):
            with pytest.raises(LeaseHeld, match="one"):
                contender.open_volume("vol", owner="two")
            with pytest.raises(LeaseHeld):
                contender.delete_volume("vol")
        assert other.volume_info("vol").leased_by == "one"
    with other.open_volume("vol", owner="two"):
        assert store.volume_info("vol").leased_by == "two"
    assert store.volume_info("vol").leased_by is None


def test_writer_elsewhere_forbids_snapshot_and_growth(store: Store, other: Store) -> None:
    with store.open_volume("vol", owner="one"):
        with pytest.raises(LeaseHeld):
            other.snapshot_volume("vol")
        with pytest.raises(LeaseHeld):
            other.grow_volume("vol", 5 * BLOCK)
    other.snapshot_volume("vol")
    other.grow_volume("vol", 5 * BLOCK)


def test_proper_closing_keeps_the_generation_and_raises_the_epoch(store: Store, other: Store) -> None:
    with store.open_volume("vol", owner="one") as volume:
        first = (volume.epoch, volume.generation)
    with other.open_volume("vol", owner="two") as volume:
        assert (volume.epoch, volume.generation) == (first[0] + 1, first[1])


def test_expired_lease_is_taken_over_with_a_new_epoch_and_generation(
    store: Store, other: Store, clock: FakeClock
) -> None:
    stale = store.open_volume("vol", owner="one", ttl_s=30)
    clock.pass_s(34)
    with other.open_volume("vol", owner="two") as volume:
        assert volume.epoch == stale.epoch + 1
        assert volume.generation == stale.generation + 1


def test_contender_waits_a_little_longer_than_the_lease_says(store: Store, other: Store, clock: FakeClock) -> None:
    stale = store.open_volume("vol", owner="one", ttl_s=30)
    stale.lease.check()
    clock.pass_s(31)
    try:
        other.open_volume("vol", owner="two").close()
    except LeaseHeld:
        return
    pytest.fail("the lease was taken over too early")


def test_stale_writer_changes_nothing_any_more(store: Store, other: Store, clock: FakeClock) -> None:
    stale = store.open_volume("vol", owner="one", ttl_s=30)
    stale.write(0, b"flushed")
    stale.flush()
    stale.write(0, b"in place")
    stale.write(2 * BLOCK, b"new block")
    with other.open_volume("vol", owner="two", force=True) as volume:
        assert volume.read(0, 8) == b"flushed\0"
        with pytest.raises(LeaseLost):
            stale.flush()
        volume.write(100, b"two")
        volume.flush()
        for call in (stale.flush, stale.snapshot, stale.close, lambda: stale.read(0, 1), lambda: stale.write(0, b"x")):
            with pytest.raises(LeaseLost):
                call()
        stale.abandon()
        assert volume.read(0, 8) == b"flushed\0"
    assert store.read_volume("vol", 100, 3) == b"two"
    assert store.read_volume("vol", 2 * BLOCK, 9) == bytes(9)


def test_blocks_of_the_writer_before_are_not_changed_in_place(store: Store, other: Store) -> None:
    stale = store.open_volume("vol", owner="one")
    stale.write(0, b"one")
    stale.flush()
    before = store.stats().private_blocks
    with other.open_volume("vol", owner="two", force=True) as volume:
        volume.write(1, b"two")
    assert store.stats().private_blocks == before + 1
    assert store.read_volume("vol", 0, 4) == b"otwo"


def test_lease_is_renewed_by_use(store: Store, other: Store, clock: FakeClock) -> None:
    volume = store.open_volume("vol", owner="one", ttl_s=30)
    for turn in range(10):
        clock.pass_s(20)
        volume.write(0, b"%d" % turn)
        volume.flush()
    with pytest.raises(LeaseHeld):
        other.open_volume("vol", owner="two")
    volume.close()


def test_idle_lease_is_renewed_by_itself(open_again: Callable[[], Driver]) -> None:
    with Store(open_again()) as mine, Store(open_again()) as other:
        mine.create_volume("vol", BLOCK)
        with mine.open_volume("vol", owner="one", ttl_s=1):
            time.sleep(1.5)
            with pytest.raises(LeaseHeld):
                other.open_volume("vol", owner="two")


def test_damaged_lease_is_an_error(store: Store, other: Store) -> None:
    store.driver.cas_record(Space.LEASE, "vol", 0, b"not a lease")
    with pytest.raises(CorruptData):
        other.open_volume("vol", owner="two")


def test_snapshot_after_expiry_fences_the_stale_writer(store: Store, other: Store, clock: FakeClock) -> None:
    stale = store.open_volume("vol", owner="one", ttl_s=30)
    stale.write(0, b"old")
    stale.flush()
    clock.pass_s(34)
    shot = other.snapshot_volume("vol")
    stale.write(0, b"NEW")
    with pytest.raises(LeaseLost):
        stale.flush()
    assert other.read(shot, 0, 3) == b"old"


def test_deleting_after_expiry_fences_the_stale_writer(store: Store, other: Store, clock: FakeClock) -> None:
    stale = store.open_volume("vol", owner="one", ttl_s=30)
    stale.write(0, b"x")
    clock.pass_s(34)
    other.delete_volume("vol")
    with pytest.raises(LeaseLost):
        stale.flush()
    with pytest.raises(VolumeNotFound):
        other.open_volume("vol", owner="two")
    other.create_volume("vol", 4 * BLOCK)
    assert other.read_volume("vol", 0, 1) == b"\0"


def test_abandoned_volume_opens_at_once_with_a_new_generation(store: Store, other: Store) -> None:
    volume = store.open_volume("vol", owner="one")
    generation = volume.generation
    volume.abandon()
    with other.open_volume("vol", owner="two") as volume:
        assert volume.generation == generation + 1


def test_who_slept_while_others_came_and_went_is_told_that_it_is_held(
    store: Store, other: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others wrote the lease's record twice since we looked: whatever became of ours, it is not the lease now."""
    kind = type(other.driver.session())
    real = kind.cas_record

    def overtaken(*args: object) -> int:
        monkeypatch.setattr(kind, "cas_record", real)
        raise RecordOvertaken("lease/vol went past version 3 while this was written")

    monkeypatch.setattr(kind, "cas_record", overtaken)
    with pytest.raises(LeaseHeld):
        other.open_volume("vol", owner="two")
    with other.open_volume("vol", owner="two"):
        pass
