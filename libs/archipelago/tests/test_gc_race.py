"""The collector beside threads that upload, hit known blocks, copy, move, write, snapshot and delete."""

import os
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from libs.archipelago.tests.test_gc import BLOCK, Cloud, total

from synnefo_archipelago import Root, Store


@pytest.fixture
def cloud(store: Store, tmp_path: Path) -> Cloud:
    return Cloud(store, tmp_path / "work")


class Busy:
    """The start of the oldest thing under way: as far as a grace time must reach."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since: dict[int, float] = {}

    def __enter__(self) -> None:
        with self._lock:
            self._since[threading.get_ident()] = time.time()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            del self._since[threading.get_ident()]

    def __call__(self) -> float:
        with self._lock:
            return min([time.time(), *self._since.values()]) - 1.1  # files and RADOS tell times of some coarseness


def test_collector_racing_writers_loses_nothing(cloud: Cloud, another_store: Callable[[], Store]) -> None:
    """Threads upload, hit known blocks, copy, clone, write, snapshot and delete while epochs follow each other."""
    seconds = float(os.environ.get("SYNNEFO_TEST_RACE_S", "8"))
    busy, deadline = Busy(), time.monotonic() + seconds
    contents = [random.Random(number).randbytes(BLOCK + 999) for number in range(6)]
    failures: list[BaseException] = []
    owners = [cloud.image, cloud.object]

    def work(seed: int) -> None:
        rng = random.Random(seed)
        mine: dict[tuple[int, str], tuple[Root, bytes]] = {}
        volumes: dict[str, bytes] = {}
        number = 0
        try:
            while time.monotonic() < deadline:
                number += 1
                act, name = rng.randrange(6), f"{rng.randrange(1000):03}-{seed}-{number}"
                with busy:
                    if act <= 1 or not mine:
                        data = rng.choice(contents)
                        root = cloud.put(data)
                        time.sleep(rng.random() / 20)
                        mine[0, name] = root, data
                        owners[0].keep(name, root)
                    elif act == 2:  # move to the other owner
                        (at, old), (root, data) = rng.choice(list(mine.items()))
                        assert cloud.store.hold(root)
                        owners[1 - at].keep(name, root)
                        owners[at].drop(old)
                        del mine[at, old]
                        mine[1 - at, name] = root, data
                    elif act == 3:
                        (at, old), _ = rng.choice(list(mine.items()))
                        owners[at].drop(old)
                        del mine[at, old]
                    elif act == 4 and len(volumes) < 3:
                        (at, old), (root, data) = rng.choice(list(mine.items()))
                        cloud.store.create_volume(name, root.size, root)
                        with cloud.store.open_volume(name, owner="test") as volume:
                            volume.write(100, b"mine" + bytes([seed]))
                        volumes[name] = data[:100] + b"mine" + bytes([seed]) + data[105:]
                        owners[at].drop(old)
                        del mine[at, old]
                    elif volumes:
                        old = rng.choice(list(volumes))
                        root = cloud.store.snapshot_volume(old)
                        owners[1].keep(name, root)
                        mine[1, name] = root, volumes.pop(old)
                        cloud.store.delete_volume(old)
                for (_, _), (root, data) in mine.items():
                    assert cloud.store.read(root, 0, root.size) == data
                for old, data in volumes.items():
                    assert cloud.store.read_volume(old, 0, len(data)) == data
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    freed = epochs = 0
    while any(thread.is_alive() for thread in threads):
        report = cloud.collector(clock=busy).run()
        epochs += 1
        freed += total(report.freed)
    for thread in threads:
        thread.join()
    assert failures == []
    for owner in owners:
        for blob in owner.roots.values():
            root = Root.from_bytes(blob)
            assert another_store().read(root, 0, root.size)
    print(f"{epochs} epochs, {freed} objects removed")
    assert freed
