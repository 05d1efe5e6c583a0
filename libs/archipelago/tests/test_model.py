"""Random histories of volumes, clones, snapshots, freezes and collections, compared with byte arrays."""

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from libs.archipelago.tests.owners import Ahead, FakeOwner

from synnefo_archipelago import Root, Store, Volume
from synnefo_archipelago.gc import Collector

BLOCK = 256 << 10
ROUNDS = int(os.environ.get("SYNNEFO_TEST_MODEL_ROUNDS", "4"))
STEPS = 60


class Model:
    """Does everything twice: to the store, and to byte arrays."""

    def __init__(self, store: Store, reopen: Callable[[], Store], rng: random.Random, folder: Path) -> None:
        self.folder = folder
        self.store = store
        self.reopen = reopen
        self.rng = rng
        self.live: dict[str, bytearray] = {}
        self.open: dict[str, Volume] = {}
        self.frozen: list[tuple[Root, bytes]] = []
        self.names = 0

    def data(self) -> bytes:
        size = self.rng.choice([1, 511, 4096, 65536, 100_000, BLOCK, BLOCK + 4096])
        return bytes(size) if self.rng.random() < 0.15 else self.rng.randbytes(size)

    def volume(self) -> tuple[str, Volume, bytearray]:
        name = self.rng.choice(sorted(self.live))
        if name not in self.open:
            self.open[name] = self.store.open_volume(name, owner="model")
        return name, self.open[name], self.live[name]

    def create(self) -> None:
        self.names += 1
        name = f"vol{self.names}"
        origin, content = self.rng.choice([(None, b""), *self.frozen])
        size = max(1, len(content)) + self.rng.choice([0, 1, 5000, 2 * BLOCK])
        self.store.create_volume(name, size, origin)
        self.live[name] = bytearray(content.ljust(size, b"\0"))

    def write(self) -> None:
        _, volume, content = self.volume()
        at = self.rng.randrange(len(content))
        data = self.data()[: len(content) - at]
        volume.write(at, data)
        content[at : at + len(data)] = data

    def zero(self) -> None:
        _, volume, content = self.volume()
        at = self.rng.randrange(len(content))
        if self.rng.random() < 0.5:
            at -= at % BLOCK
        count = min(len(content) - at, self.rng.choice([1, 65536, BLOCK, 2 * BLOCK]))
        self.rng.choice([volume.trim, volume.write_zeroes])(at, count)
        content[at : at + count] = bytes(count)

    def flush(self) -> None:
        self.volume()[1].flush()

    def snapshot(self) -> None:
        name = self.rng.choice(sorted(self.live))
        root = self.store.snapshot_volume(name)
        self.frozen.append((Root.from_bytes(root.to_bytes()), bytes(self.live[name])))

    def upload(self) -> None:
        data = b"".join(self.data() for _ in range(3))
        writer = self.store.writer()
        writer.write(data)
        self.frozen.append((writer.finish(), data))

    def grow(self) -> None:
        name = self.rng.choice(sorted(self.live))
        content = self.live[name]
        extra = self.rng.choice([0, 1, 70_000, BLOCK])
        self.store.grow_volume(name, len(content) + extra)
        content.extend(bytes(extra))

    def close(self) -> None:
        name, volume, _ = self.volume()
        volume.close()
        del self.open[name]

    def delete(self) -> None:
        if len(self.live) > 1:
            name, volume, _ = self.volume()
            volume.close()
            self.store.delete_volume(name)
            del self.open[name], self.live[name]

    def forget(self) -> None:
        if len(self.frozen) > 1:
            self.frozen.pop(self.rng.randrange(len(self.frozen)))

    def freeze(self) -> None:
        if self.frozen:
            number = self.rng.randrange(len(self.frozen))
            root, content = self.frozen[number]
            self.frozen[number] = self.store.freeze(root), content

    def collect(self) -> None:
        """One epoch over what is referred to now; nothing is under way, so everything else may go."""
        owner = FakeOwner()
        for number, (root, _) in enumerate(self.frozen):
            owner.keep(f"{number:04}", root)
        for volume in self.open.values():
            volume.flush()
        self.store.driver.touch_slack_s = 0.0
        owners = {"model": owner}
        Collector(self.store, owners, self.folder, required=frozenset(owners), grace_s=0, clock=Ahead()).run()

    def restart(self) -> None:
        for name in list(self.open):
            self.open.pop(name).close()
        self.store.close()
        self.store = self.reopen()

    def compare(self) -> None:
        for name, content in self.live.items():
            volume = self.open.get(name)
            found = volume.read(0, len(content)) if volume else self.store.read_volume(name, 0, len(content))
            assert found == content, name
        for root, frozen in self.frozen:
            assert self.store.read(root, 0, root.size) == frozen


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_any_history_reads_as_byte_arrays_do(store: Store, another_store: Callable[[], Store], tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    model = Model(store, another_store, rng, tmp_path / "work")
    model.create()
    actions = [
        model.create, model.snapshot, model.upload, model.grow, model.close, model.delete, model.flush, model.flush,
        model.forget, model.freeze, model.collect, model.collect, *[model.write] * 8, *[model.zero] * 3,
    ]  # fmt: skip
    for step in range(STEPS):
        rng.choice(actions)()
        if step % 20 == 19:
            model.compare()
    model.restart()
    model.compare()
    assert sorted(model.store.list_volumes()) == sorted(model.live)
    for _ in range(2):
        model.collect()
    model.restart()
    model.compare()
