"""Many threads on one store: what each of them sees is something that was written."""

import threading
import time
from collections.abc import Callable
from functools import partial

import pytest

from synnefo_archipelago import LeaseHeld, Store

pytestmark = pytest.mark.slow  # threads for seconds

BLOCK = 256 << 10
SUB = 64 << 10


def run_all(calls: list[Callable[[], None]]) -> None:
    errors: list[BaseException] = []

    def guarded(call: Callable[[], None]) -> None:
        try:
            call()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_readers_see_whole_pieces_while_a_writer_flushes(store: Store, another_store: Callable[[], Store]) -> None:
    store.create_volume("vol", 2 * BLOCK)
    volume = store.open_volume("vol", owner="test")
    volume.write(0, b"A" * 2 * BLOCK)
    volume.flush()
    elsewhere = another_store()
    until = time.monotonic() + 1.5

    def write() -> None:
        turn = 0
        while time.monotonic() < until:
            turn += 1
            for at in range(0, 2 * BLOCK, SUB):
                volume.write(at, bytes([65 + turn % 26]) * SUB)
            volume.flush()

    def read(call: Callable[[int, int], bytes]) -> Callable[[], None]:
        def loop() -> None:
            while time.monotonic() < until:
                found = call(0, 2 * BLOCK)
                for at in range(0, 2 * BLOCK, SUB):
                    assert len(set(found[at : at + SUB])) == 1

        return loop

    run_all([write, read(volume.read), read(volume.read), read(lambda at, n: elsewhere.read_volume("vol", at, n))])
    volume.close()


def test_snapshots_under_load_do_not_change(store: Store) -> None:
    store.create_volume("vol", BLOCK)
    volume = store.open_volume("vol", owner="test")
    until = time.monotonic() + 1.0

    def write() -> None:
        turn = 0
        while time.monotonic() < until:
            turn += 1
            volume.write(turn % 4 * SUB, b"%06d" % turn * 100)

    shots = []

    def snapshot() -> None:
        while time.monotonic() < until:
            root = store.snapshot_volume("vol")
            shots.append((root, store.read(root, 0, BLOCK)))
            time.sleep(0.02)

    run_all([write, snapshot])
    volume.close()
    assert len(shots) > 3
    for root, content in shots:
        assert store.read(root, 0, BLOCK) == content


def test_one_of_many_openers_wins(store: Store, another_store: Callable[[], Store]) -> None:
    store.create_volume("vol", BLOCK)
    won: list[str] = []
    start = threading.Barrier(5)

    def opener(name: str, mine: Store) -> Callable[[], None]:
        def call() -> None:
            start.wait()
            try:
                mine.open_volume("vol", owner=name)
            except LeaseHeld:
                return
            won.append(name)

        return call

    run_all([opener(str(number), another_store()) for number in range(5)])
    assert len(won) == 1


def test_racing_creators_of_one_volume_agree(store: Store, another_store: Callable[[], Store]) -> None:
    run_all([partial(mine.create_volume, "vol", BLOCK) for mine in (store, another_store(), another_store())])
    assert list(store.list_volumes()) == ["vol"]


def test_parallel_uploads_of_the_same_data_store_it_once(store: Store, another_store: Callable[[], Store]) -> None:
    data = bytes(range(256)) * 1024 + b"tail"
    roots = []

    def upload(mine: Store) -> Callable[[], None]:
        def call() -> None:
            writer = mine.writer()
            writer.write(data)
            roots.append(writer.finish())

        return call

    run_all([upload(store), upload(another_store()), upload(store), upload(another_store())])
    assert len(set(roots)) == 1
    assert store.stats().blocks == 2
    assert store.read(roots[0], 0, len(data)) == data
