"""Power fails in the middle of writing: sectors that were not synced reach the disk, or do not, each on its own.

The disk is simulated: what `write_at` was given is only sure to be there after a sync of that object. Whole objects and
records appear atomically, as rename and link make them.
"""

import random
from collections.abc import Sequence

import pytest

from synnefo_archipelago import Store
from synnefo_archipelago.api import Data, Space
from synnefo_archipelago.drivers.memory import MemoryDriver

from .conftest import FakeClock

pytestmark = pytest.mark.slow  # a power loss at every point

BLOCK = 256 << 10
SUB = 64 << 10
SECTOR = 512


class PowerLossError(BaseException):
    """Not an `Exception`: nothing may catch it."""


class TornDisk(MemoryDriver):
    """A disk that loses power at its n-th in-place write, with any subset of unsynced sectors written."""

    atomic_writes = False

    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self.rng = rng
        self.writes_left = -1
        self.durable: dict[str, bytes] = {}
        self.is_off = False

    def put(self, space: Space, key: str, pieces: Sequence[Data], *, replace: bool = False) -> bool:
        self._ensure_power()
        self.durable.pop(key, None)
        return super().put(space, key, pieces, replace=replace)

    def write_at(
        self, space: Space, key: str, pieces: Sequence[tuple[int, Data]], *,
        sync: bool = True, expected: tuple[int, bytes] | None = None,
    ) -> None:  # fmt: skip
        self._ensure_power()
        self.durable.setdefault(key, bytes(self._objects[space][key]))
        super().write_at(space, key, pieces, sync=sync, expected=expected)
        self.writes_left -= 1
        if self.writes_left == 0:
            self._lose_power()
            raise PowerLossError
        if sync:
            del self.durable[key]

    def cas_record(self, space: Space, key: str, expected: int, value: bytes | None) -> int:
        self._ensure_power()
        return super().cas_record(space, key, expected, value)

    def _ensure_power(self) -> None:
        if self.is_off:
            raise PowerLossError

    def _lose_power(self) -> None:
        self.is_off = True
        for key, old in self.durable.items():
            new = bytes(self._objects[Space.PRIVATE][key])
            luck = self.rng.choice([0.1, 0.5, 0.9])
            torn = bytearray(old.ljust(len(new), b"\0"))
            for at in range(0, len(new), SECTOR):
                if self.rng.random() < luck:
                    torn[at : at + SECTOR] = new[at : at + SECTOR]
            self._objects[Space.PRIVATE][key] = torn
        self.durable.clear()


@pytest.mark.parametrize("seed", range(60))
def test_no_torn_write_is_seen_and_nothing_flushed_is_lost(seed: int, clock: FakeClock) -> None:
    rng = random.Random(seed)
    disk = TornDisk(rng)
    flushed = bytearray(2 * BLOCK)
    for life in range(5):
        # One I/O thread: which write is the n-th must depend on the seed only.
        store = Store(disk, block_size=BLOCK, clock=clock, monotonic=clock)
        store._executor._max_workers = 1
        store._renewer.stop()
        store.create_volume("vol", 2 * BLOCK)
        volume = store.open_volume("vol", owner=str(life))
        assert volume.read(0, 2 * BLOCK) == flushed
        pending = bytearray(flushed)
        disk.writes_left = rng.randrange(1, 25)
        try:
            while True:
                for _ in range(rng.randrange(1, 6)):
                    at = rng.randrange(2 * BLOCK - 70_000)
                    data = rng.randbytes(rng.choice([1, 4096, 70_000]))
                    volume.write(at, data)
                    pending[at : at + len(data)] = data
                if rng.random() < 0.2:
                    volume.trim(0, SUB)
                    pending[:SUB] = bytes(SUB)
                volume.flush()
                flushed[:] = pending
                if rng.random() < 0.2:
                    volume.snapshot()
        except PowerLossError:
            pass
        disk.is_off = False
        disk.writes_left = -1
        clock.pass_s(100)
        with Store(disk, block_size=BLOCK, clock=clock, monotonic=clock) as after:
            found = after.read_volume("vol", 0, 2 * BLOCK)
        for at in range(0, 2 * BLOCK, SUB):
            piece = found[at : at + SUB]
            assert piece in (flushed[at : at + SUB], pending[at : at + SUB]), (seed, life, at)
        flushed[:] = found
