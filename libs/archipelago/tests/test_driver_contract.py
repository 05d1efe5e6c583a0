"""What every driver promises to the engine."""

import threading
from collections.abc import Callable

import pytest

from synnefo_archipelago.api import Driver, Space
from synnefo_archipelago.errors import ObjectMissing, RecordConflict, StoreUnavailable

KEY = "ab" * 32
OTHER = "cd" * 32


def test_object_reads_back_whole_and_in_ranges(driver: Driver) -> None:
    assert driver.put(Space.CAS, KEY, [b"hello ", bytearray(b"wor"), memoryview(b"ld")])
    assert driver.get(Space.CAS, KEY) == b"hello world"
    assert driver.get(Space.CAS, KEY, 6) == b"world"
    assert driver.get(Space.CAS, KEY, 3, 4) == b"lo w"


def test_range_past_the_end_is_short(driver: Driver) -> None:
    driver.put(Space.CAS, KEY, [b"12345"])
    assert driver.get(Space.CAS, KEY, 3, 10) == b"45"
    assert driver.get(Space.CAS, KEY, 5, 10) == b""
    assert driver.get(Space.CAS, KEY, 9, 1) == b""


def test_absent_object_is_missing_everywhere(driver: Driver) -> None:
    with pytest.raises(ObjectMissing):
        driver.get(Space.CAS, KEY)
    with pytest.raises(ObjectMissing):
        driver.get(Space.CAS, KEY, 0, 10)
    with pytest.raises(ObjectMissing):
        driver.write_at(Space.PRIVATE, KEY, [(0, b"x")])
    with pytest.raises(ObjectMissing):
        driver.truncate(Space.PRIVATE, KEY, 0)
    assert driver.touch(Space.CAS, KEY) is None
    assert driver.delete(Space.CAS, KEY) is False
    assert list(driver.iter(Space.PRIVATE)) == []


def test_second_put_changes_nothing(driver: Driver) -> None:
    assert driver.put(Space.CAS, KEY, [b"first"]) is True
    assert driver.put(Space.CAS, KEY, [b"second"]) is False
    assert driver.get(Space.CAS, KEY) == b"first"


def test_put_with_replace_replaces_all(driver: Driver) -> None:
    driver.put(Space.PRIVATE, KEY, [b"a long first content"])
    assert driver.put(Space.PRIVATE, KEY, [b"short"], replace=True) is True
    assert driver.get(Space.PRIVATE, KEY) == b"short"


def test_spaces_do_not_share_keys(driver: Driver) -> None:
    driver.put(Space.CAS, KEY, [b"cas"])
    driver.put(Space.PRIVATE, KEY, [b"private"])
    driver.put(Space.PAGE, KEY, [b"page"])
    assert [driver.get(space, KEY) for space in (Space.CAS, Space.PRIVATE, Space.PAGE)] == [b"cas", b"private", b"page"]


def test_touch_tells_the_size(driver: Driver) -> None:
    driver.put(Space.CAS, KEY, [b"12345"])
    assert driver.touch(Space.CAS, KEY) == 5


def test_empty_object_exists(driver: Driver) -> None:
    driver.put(Space.CAS, KEY, [])
    assert driver.touch(Space.CAS, KEY) == 0
    assert driver.get(Space.CAS, KEY) == b""


@pytest.mark.parametrize("sync", [True, False])
def test_parts_are_overwritten_in_place(driver: Driver, sync: bool) -> None:
    driver.put(Space.PRIVATE, KEY, [b"0123456789"])
    driver.write_at(Space.PRIVATE, KEY, [(2, b"ab"), (7, memoryview(b"cd"))], sync=sync)
    assert driver.get(Space.PRIVATE, KEY) == b"01ab456cd9"


def test_write_past_the_end_leaves_zeros_between(driver: Driver) -> None:
    driver.put(Space.PRIVATE, KEY, [b"01"])
    driver.write_at(Space.PRIVATE, KEY, [(5, b"x")])
    assert driver.get(Space.PRIVATE, KEY) == b"01\0\0\0x"


def test_truncated_object_keeps_its_start(driver: Driver) -> None:
    driver.put(Space.PRIVATE, KEY, [b"0123456789"])
    driver.truncate(Space.PRIVATE, KEY, 4)
    assert driver.get(Space.PRIVATE, KEY, 0, 4) == b"0123"


def test_deleted_object_is_gone(driver: Driver) -> None:
    driver.put(Space.CAS, KEY, [b"x"])
    assert driver.delete(Space.CAS, KEY) is True
    assert driver.touch(Space.CAS, KEY) is None
    assert driver.put(Space.CAS, KEY, [b"y"]) is True


def test_iteration_tells_keys_and_sizes(driver: Driver) -> None:
    driver.put(Space.CAS, KEY, [b"x"])
    driver.put(Space.CAS, OTHER, [b"yyy"])
    assert sorted(driver.iter(Space.CAS)) == [(KEY, 1), (OTHER, 3)]


def test_iteration_survives_deletion_meanwhile(driver: Driver) -> None:
    keys = {f"{n:064x}" for n in range(40)}
    for key in keys:
        driver.put(Space.CAS, key, [b"x"])
    seen = set()
    for key, _ in driver.iter(Space.CAS):
        seen.add(key)
        driver.delete(Space.CAS, key)
    assert seen == keys
    assert list(driver.iter(Space.CAS)) == []


def test_racing_puts_have_one_content(driver: Driver) -> None:
    results: list[bool] = []
    start = threading.Barrier(6)

    def put() -> None:
        start.wait()
        results.append(driver.put(Space.CAS, KEY, [b"the same content"]))

    threads = [threading.Thread(target=put) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert any(results)
    assert driver.get(Space.CAS, KEY) == b"the same content"


def test_four_mebibytes_read_back(driver: Driver) -> None:
    data = bytes(range(256)) * (4 << 12)
    driver.put(Space.CAS, KEY, [b"head", data])
    assert driver.get(Space.CAS, KEY, 4, len(data)) == data


def test_what_one_driver_wrote_another_reads(driver: Driver, open_again: Callable[[], Driver]) -> None:
    driver.put(Space.CAS, KEY, [b"x"])
    version = driver.cas_record(Space.VOLUME, "name", 0, b"value")
    other = open_again()
    assert other.get(Space.CAS, KEY) == b"x"
    assert other.read_record(Space.VOLUME, "name") == (version, b"value")


def test_absent_record_is_none(driver: Driver) -> None:
    assert driver.read_record(Space.VOLUME, "name") is None


def test_record_is_created_once(driver: Driver) -> None:
    version = driver.cas_record(Space.VOLUME, "name", 0, b"first")
    with pytest.raises(RecordConflict):
        driver.cas_record(Space.VOLUME, "name", 0, b"second")
    assert driver.read_record(Space.VOLUME, "name") == (version, b"first")


def test_record_is_exchanged_at_its_version_only(driver: Driver) -> None:
    first = driver.cas_record(Space.VOLUME, "name", 0, b"first")
    second = driver.cas_record(Space.VOLUME, "name", first, b"second")
    assert second != first
    for stale in (first, second + 1, 0):
        with pytest.raises(RecordConflict):
            driver.cas_record(Space.VOLUME, "name", stale, b"third")
    assert driver.read_record(Space.VOLUME, "name") == (second, b"second")


def test_record_may_shrink_and_grow(driver: Driver) -> None:
    version = 0
    for size in (10, 100_000, 1, 5000):
        version = driver.cas_record(Space.VOLUME, "name", version, b"x" * size)
        assert driver.read_record(Space.VOLUME, "name") == (version, b"x" * size)


def test_absent_record_is_not_exchanged(driver: Driver) -> None:
    with pytest.raises(RecordConflict):
        driver.cas_record(Space.VOLUME, "name", 7, b"x")


def test_deleted_record_is_gone_and_may_come_back(driver: Driver) -> None:
    first = driver.cas_record(Space.VOLUME, "name", 0, b"first")
    with pytest.raises(RecordConflict):
        driver.cas_record(Space.VOLUME, "name", first + 1, None)
    driver.cas_record(Space.VOLUME, "name", first, None)
    assert driver.read_record(Space.VOLUME, "name") is None
    assert list(driver.iter_records(Space.VOLUME)) == []
    driver.cas_record(Space.VOLUME, "name", 0, b"again")
    assert list(driver.iter_records(Space.VOLUME)) == ["name"]


def test_versions_do_not_return_after_deletion(driver: Driver) -> None:
    first = driver.cas_record(Space.VOLUME, "name", 0, b"first")
    driver.cas_record(Space.VOLUME, "name", first, None)
    again = driver.cas_record(Space.VOLUME, "name", 0, b"again")
    assert again > first
    with pytest.raises(RecordConflict):
        driver.cas_record(Space.VOLUME, "name", first, b"by one who slept")


def test_records_are_listed_by_space(driver: Driver) -> None:
    driver.cas_record(Space.VOLUME, "one", 0, b"x")
    driver.cas_record(Space.VOLUME, "two.ext.disk0", 0, b"x")
    driver.cas_record(Space.LEASE, "three", 0, b"x")
    assert sorted(driver.iter_records(Space.VOLUME)) == ["one", "two.ext.disk0"]


def test_names_that_begin_alike_are_different_records(driver: Driver) -> None:
    first = driver.cas_record(Space.VOLUME, "a", 0, b"a")
    driver.cas_record(Space.VOLUME, "ab", 0, b"ab")
    driver.cas_record(Space.VOLUME, "a", first, None)
    assert driver.read_record(Space.VOLUME, "a") is None
    assert list(driver.iter_records(Space.VOLUME)) == ["ab"]


def test_one_of_many_racing_exchanges_wins_each_turn(driver: Driver, open_again: Callable[[], Driver]) -> None:
    driver.cas_record(Space.VOLUME, "counter", 0, b"0")
    rounds, others = 8, [driver, open_again(), open_again()]
    unknown: list[int] = []

    def count(mine: Driver) -> None:
        done = 0
        while done < rounds:
            record = mine.read_record(Space.VOLUME, "counter")
            assert record is not None
            try:
                mine.cas_record(Space.VOLUME, "counter", record.version, str(int(record.value) + 1).encode())
            except RecordConflict:
                continue
            except StoreUnavailable:
                unknown.append(1)  # overtaken twice: it may have arrived
                continue
            done += 1

    threads = [threading.Thread(target=count, args=(mine,)) for mine in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    record = driver.read_record(Space.VOLUME, "counter")
    assert record is not None
    assert rounds * len(others) <= int(record.value) <= rounds * len(others) + len(unknown)
