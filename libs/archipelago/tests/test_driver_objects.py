"""Objects of every driver: odd sizes and offsets, many pieces, mutation meanwhile, restarts."""

import random
import threading
from collections.abc import Callable

import pytest

from synnefo_archipelago.api import Driver, Read, Space
from synnefo_archipelago.errors import ObjectMissing, RecordConflict

KEY = "ab" * 32
SPACES = [Space.CAS, Space.PAGE, Space.PRIVATE]
KIB = 1024


def keys(count: int) -> list[str]:
    return [f"{number:02x}" * 31 + f"{number:02x}" for number in range(count)]


@pytest.mark.parametrize(
    "size", [0, 1, 511, 4095, 4096, 4097, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, (1 << 20) + 7, (8 << 20) + 8192]
)
def test_object_of_any_size_reads_back(driver: Driver, rng: random.Random, size: int) -> None:
    data = rng.randbytes(size)
    driver.put(Space.PRIVATE, KEY, [data])
    assert driver.get(Space.PRIVATE, KEY) == data
    assert driver.get(Space.PRIVATE, KEY, 0, size + 10) == data
    assert driver.touch(Space.PRIVATE, KEY) == size


@pytest.mark.parametrize("space", SPACES)
def test_page_sized_reads_cross_no_boundary_that_shows(driver: Driver, rng: random.Random, space: Space) -> None:
    data = rng.randbytes(200_001)
    driver.put(space, KEY, [data])
    for _ in range(30):
        at = rng.randrange(len(data) + 10)
        count = rng.choice([0, 1, 4096, 65_536, 300_000])
        assert driver.get(space, KEY, at, count) == data[at : at + count]
    assert driver.get(space, KEY, 199_990) == data[199_990:]
    assert driver.get(space, KEY, 200_001) == b""
    assert driver.get(space, KEY, 10**9) == b""


def test_thousand_pieces_are_joined_in_order(driver: Driver, rng: random.Random) -> None:
    pieces = [rng.randbytes(rng.choice([0, 1, 100])) for _ in range(1000)]
    driver.put(Space.CAS, KEY, pieces)
    assert driver.get(Space.CAS, KEY) == b"".join(pieces)


def test_pieces_may_be_views_of_wider_items(driver: Driver) -> None:
    view = memoryview(bytearray(range(16))).cast("I")
    driver.put(Space.CAS, KEY, [view.cast("B")])
    assert driver.get(Space.CAS, KEY) == bytes(range(16))


def test_caller_may_change_its_buffer_after_put(driver: Driver) -> None:
    buffer = bytearray(b"before")
    driver.put(Space.CAS, KEY, [memoryview(buffer)])
    driver.put(Space.PRIVATE, KEY, [b"......"])
    driver.write_at(Space.PRIVATE, KEY, [(0, memoryview(buffer))])
    buffer[:] = b"after!"
    assert driver.get(Space.CAS, KEY) == driver.get(Space.PRIVATE, KEY) == b"before"


def test_random_unaligned_writes_match_a_byte_array(driver: Driver, rng: random.Random) -> None:
    content = bytearray(rng.randbytes(150_000))
    driver.put(Space.PRIVATE, KEY, [content])
    for _ in range(25):
        pieces = []
        for _ in range(rng.randrange(1, 5)):
            at, data = rng.randrange(160_000), rng.randbytes(rng.choice([1, 511, 4096, 20_000]))
            pieces.append((at, data))
            content.extend(bytes(max(0, at - len(content))))
            content[at : at + len(data)] = data
        driver.write_at(Space.PRIVATE, KEY, pieces, sync=rng.random() < 0.5)
    assert driver.get(Space.PRIVATE, KEY) == content


def test_later_piece_of_one_write_wins(driver: Driver) -> None:
    driver.put(Space.PRIVATE, KEY, [b"0" * 10])
    driver.write_at(Space.PRIVATE, KEY, [(0, b"aaaaaa"), (3, b"bbb"), (5, b"c")])
    assert driver.get(Space.PRIVATE, KEY) == b"aaabbc0000"


def test_write_of_nothing_changes_nothing(driver: Driver) -> None:
    driver.put(Space.PRIVATE, KEY, [b"x"])
    driver.write_at(Space.PRIVATE, KEY, [])
    driver.write_at(Space.PRIVATE, KEY, [(0, b"")])
    assert driver.get(Space.PRIVATE, KEY) == b"x"


@pytest.mark.parametrize("offset", [0, 3, 9])
def test_expected_bytes_decide_over_a_write(driver: Driver, offset: int) -> None:
    driver.put(Space.PRIVATE, KEY, [b"0123456789"])
    now = b"0123456789"[offset:]
    driver.write_at(Space.PRIVATE, KEY, [(0, b"A")], expected=(offset, now if offset else b"0123456789"))
    for wrong in (b"x", now + b"beyond the end"):
        with pytest.raises(RecordConflict):
            driver.write_at(Space.PRIVATE, KEY, [(1, b"B"), (2, b"C")], expected=(offset, wrong))
    assert driver.get(Space.PRIVATE, KEY) == b"A123456789"


def test_expected_bytes_of_an_absent_object_make_none(driver: Driver) -> None:
    for expected in (b"x", b"\0", b"", bytes(4096)):
        with pytest.raises(ObjectMissing):
            driver.write_at(Space.PRIVATE, KEY, [(0, b"x")], expected=(0, expected))
    assert driver.touch(Space.PRIVATE, KEY) is None


def test_one_of_many_racing_writers_of_expected_bytes_wins_each_turn(
    driver: Driver, open_again: Callable[[], Driver]
) -> None:
    if not driver.atomic_writes:
        pytest.skip("this driver compares just before it writes")
    driver.put(Space.PRIVATE, KEY, [b"%08d" % 0])
    drivers, turns = [driver, open_again(), open_again()], 15

    def count(mine: Driver) -> None:
        done = 0
        while done < turns:
            seen = mine.get(Space.PRIVATE, KEY)
            try:
                mine.write_at(Space.PRIVATE, KEY, [(0, b"%08d" % (int(seen) + 1))], expected=(0, seen))
            except RecordConflict:
                continue
            done += 1

    threads = [threading.Thread(target=count, args=(mine,)) for mine in drivers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert int(driver.get(Space.PRIVATE, KEY)) == turns * len(drivers)


def test_several_parts_come_in_the_order_asked_for(driver: Driver, rng: random.Random) -> None:
    data = rng.randbytes(100_000)
    driver.put(Space.PRIVATE, KEY, [data])
    driver.put(Space.CAS, KEY, [b"cas"])
    reads = [Read(Space.PRIVATE, KEY, rng.randrange(110_000), rng.randrange(5000)) for _ in range(40)]
    expected = [data[read.offset : read.offset + read.length] for read in reads]
    assert driver.get_many([*reads, Read(Space.CAS, KEY, 1, 1)]) == [*expected, b"a"]
    assert driver.get_many([Read(Space.CAS, KEY, 0, 0)] * 2) == [b"", b""]
    assert driver.get_many([]) == []


def test_several_parts_of_which_one_is_missing_are_an_error(driver: Driver) -> None:
    driver.put(Space.CAS, KEY, [b"cas"])
    with pytest.raises(ObjectMissing):
        driver.get_many([Read(Space.CAS, KEY, 0, 1), Read(Space.CAS, "cd" * 32, 0, 1), Read(Space.CAS, KEY, 0, 1)])
    with pytest.raises(ObjectMissing):
        driver.get_many([Read(Space.CAS, "cd" * 32, 0, 1)])


def test_truncating_to_more_or_the_same_loses_nothing(driver: Driver) -> None:
    driver.put(Space.PRIVATE, KEY, [b"0123"])
    driver.truncate(Space.PRIVATE, KEY, 4)
    assert driver.get(Space.PRIVATE, KEY) == b"0123"
    driver.truncate(Space.PRIVATE, KEY, 0)
    driver.write_at(Space.PRIVATE, KEY, [(0, b"again")])
    assert driver.get(Space.PRIVATE, KEY, 0, 5) == b"again"


def test_replacing_a_longer_object_leaves_no_tail(driver: Driver) -> None:
    driver.put(Space.PRIVATE, KEY, [b"x" * 100_000])
    driver.put(Space.PRIVATE, KEY, [b"short"], replace=True)
    driver.write_at(Space.PRIVATE, KEY, [(10, b"y")])
    assert driver.get(Space.PRIVATE, KEY) == b"short\0\0\0\0\0y"


def test_replace_of_nothing_creates(driver: Driver) -> None:
    assert driver.put(Space.PRIVATE, KEY, [b"x"], replace=True) is True
    assert driver.get(Space.PRIVATE, KEY) == b"x"


def test_reader_sees_one_of_two_contents_while_they_are_exchanged(
    driver: Driver, open_again: Callable[[], Driver]
) -> None:
    contents = [b"a" * 50_000, b"b" * 50_000]
    driver.put(Space.PRIVATE, KEY, [contents[0]])
    other, stop = open_again(), threading.Event()

    def exchange() -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            driver.put(Space.PRIVATE, KEY, [contents[turn % 2]], replace=True)

    thread = threading.Thread(target=exchange)
    thread.start()
    try:
        for _ in range(60):
            assert other.get(Space.PRIVATE, KEY) in contents
    finally:
        stop.set()
        thread.join()


def test_object_put_and_deleted_by_turns_is_whole_or_missing(driver: Driver, open_again: Callable[[], Driver]) -> None:
    other, stop = open_again(), threading.Event()

    def toggle() -> None:
        while not stop.is_set():
            driver.put(Space.CAS, KEY, [b"x" * 9000])
            driver.delete(Space.CAS, KEY)

    thread = threading.Thread(target=toggle)
    thread.start()
    try:
        for _ in range(100):
            try:
                assert other.get(Space.CAS, KEY) == b"x" * 9000
            except ObjectMissing:
                continue
    finally:
        stop.set()
        thread.join()


def test_what_stays_is_seen_by_an_iteration_with_changes_meanwhile(driver: Driver) -> None:
    stay, go, come = keys(60)[:20], keys(60)[20:40], keys(60)[40:]
    for key in (*stay, *go):
        driver.put(Space.CAS, key, [b"x"])
    seen = []
    for number, (key, _) in enumerate(driver.iter(Space.CAS)):
        seen.append(key)
        if number < 20:
            driver.delete(Space.CAS, go[number])
            driver.put(Space.CAS, come[number], [b"y"])
    assert set(stay) <= set(seen)
    assert len(seen) == len(set(seen))
    assert sorted(key for key, _ in driver.iter(Space.CAS)) == sorted((*stay, *come))


def test_iteration_sees_one_space_only(driver: Driver) -> None:
    for space in SPACES:
        driver.put(space, keys(4)[SPACES.index(space)], [b"x" * (1 + SPACES.index(space))])
    driver.cas_record(Space.VOLUME, "vol", 0, b"x")
    for space in SPACES:
        assert list(driver.iter(space)) == [(keys(4)[SPACES.index(space)], 1 + SPACES.index(space))]


def test_deleting_twice_is_told_apart(driver: Driver) -> None:
    driver.put(Space.CAS, KEY, [b"x"])
    results: list[bool] = []
    threads = [threading.Thread(target=lambda: results.append(driver.delete(Space.CAS, KEY))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [False] * 4 + [True]


def test_racing_puts_of_different_keys_all_arrive(driver: Driver) -> None:
    wanted = keys(48)

    def put(mine: list[str]) -> None:
        for key in mine:
            assert driver.put(Space.CAS, key, [key.encode()]) is True

    threads = [threading.Thread(target=put, args=(wanted[number::4],)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {key: driver.get(Space.CAS, key) for key in wanted} == {key: key.encode() for key in wanted}


def test_everything_is_there_after_a_restart(driver: Driver, open_again: Callable[[], Driver]) -> None:
    driver.put(Space.CAS, KEY, [b"cas"])
    driver.put(Space.PRIVATE, KEY, [b"private"])
    driver.write_at(Space.PRIVATE, KEY, [(0, b"P")])
    first = driver.cas_record(Space.VOLUME, "vol", 0, b"1")
    second = driver.cas_record(Space.VOLUME, "vol", first, b"2")
    gone = driver.cas_record(Space.VOLUME, "gone", 0, b"1")
    driver.cas_record(Space.VOLUME, "gone", gone, None)
    driver.close()
    after = open_again()
    assert after.get(Space.CAS, KEY) == b"cas"
    assert after.get(Space.PRIVATE, KEY) == b"Private"
    assert after.read_record(Space.VOLUME, "vol") == (second, b"2")
    assert after.read_record(Space.VOLUME, "gone") is None
    assert list(after.iter_records(Space.VOLUME)) == ["vol"]


def test_session_is_a_driver_of_the_same_storage(driver: Driver) -> None:
    session = driver.session()
    session.put(Space.PRIVATE, KEY, [b"x"])
    assert driver.get(Space.PRIVATE, KEY) == b"x"
    assert driver.session() is session
    driver.fence("")
    session.fence(session.identity)
    session.write_at(Space.PRIVATE, KEY, [(0, b"y")])
    assert driver.get(Space.PRIVATE, KEY) == b"y"
