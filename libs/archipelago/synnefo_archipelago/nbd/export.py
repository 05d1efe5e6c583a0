"""One volume as an export: shared by all its connections, written under a lease that moves between nodes.

Opening takes the lease if it is free. If another node has it (the guest is migrating), reads show the committed state,
and the first write asks for the lease: the other node's endpoint flushes and gives it up as soon as its guest is silent.
For a snapshot it gives the lease up at once, and has it back as soon as the snapshot is made; writes wait that long.
"""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from synnefo_archipelago.api import Data
from synnefo_archipelago.errors import LeaseHeld, LeaseLost, StoreError
from synnefo_archipelago.nbd.journal import Journal
from synnefo_archipelago.pausing import PAUSE
from synnefo_archipelago.store import Store
from synnefo_archipelago.volume import Volume

_JOURNAL_LIMIT = 64 << 20
_WAIT_S = 20.0
"""How long a write waits for another node to give the lease up: longer than its endpoint looks, shorter than guests do."""
_PAUSE_S = 5.0
"""How long a wish for a pause holds writes back, should the one who wished be dead."""
_SILENT_S = 0.3
"""A guest that was paused for migration writes nothing any more."""


class Export:
    """Thread-safe. `store` and `owner` (the node) are the endpoint's, `folder` is where journals are."""

    def __init__(self, store: Store, name: str, *, owner: str, folder: Path, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self._connections = 0
        self._store = store
        self._owner = owner
        self._path = folder / f"{name}.journal"
        self._monotonic = monotonic
        self._lock = threading.RLock()
        self._volume: Volume | None = None
        self._journal: Journal | None = None
        self._last_write = 0.0
        self._paused_until = 0.0

    def attach(self) -> None:
        """One more connection; the first takes the lease if it is free. Raises VolumeNotFound."""
        with self._lock:
            self._store.volume_info(self.name)
            if self._volume is None:
                self._try_lease()
            self._connections += 1

    def detach(self) -> None:
        """One connection less; the last gives the lease back."""
        with self._lock:
            self._connections -= 1
            if not self._connections:
                self._release()

    def release(self) -> None:
        """Flush and give the lease back, whoever is connected."""
        with self._lock:
            self._release()

    @property
    def size(self) -> int:
        volume = self._volume
        return volume.size if volume is not None else self._store.volume_info(self.name).size

    @property
    def is_leased(self) -> bool:
        return self._volume is not None

    def _is_paused(self) -> bool:
        """Whether somebody is at work on the volume between two leases of ours."""
        return self._monotonic() < self._paused_until and self._store.lease_wanted_by(self.name) == PAUSE

    def _try_lease(self) -> bool:
        if self._is_paused():
            return False
        try:
            # Our own lease is that of a server that died: two cannot run on one node (see `__main__`).
            was_ours = self._store.last_holder(self.name) == self._owner
            self._volume = self._store.open_volume(self.name, owner=self._owner, force=was_ours)
        except LeaseHeld:
            return False
        self._store.ask_for_lease(self.name, None)
        self._journal = Journal(self._path)
        if was_ours:
            self._recover(self._volume, self._journal)
        self._journal.clear()
        return True

    @staticmethod
    def _recover(volume: Volume, journal: Journal) -> None:
        """What the dead server acknowledged. A journal of a volume that another node had since is void: it was flushed
        before that node got it, or its guest was lost with this node.
        """
        for entry in journal.replay():
            if entry.data is None:
                volume.write_zeroes(entry.offset, entry.length)
            else:
                volume.write(entry.offset, entry.data)
        volume.flush()

    def _writable(self) -> tuple[Volume, Journal]:
        """With the lease. Raises LeaseHeld when its holder does not give it up in time."""
        if self._volume is None:
            deadline = self._monotonic() + _WAIT_S
            while not self._try_lease():
                if self._monotonic() > deadline:
                    raise LeaseHeld(f"volume {self.name} is held by {self._store.last_holder(self.name)}, which goes on writing")
                if not self._is_paused():
                    self._store.ask_for_lease(self.name, self._owner)
                time.sleep(0.05)
        assert self._volume is not None and self._journal is not None
        return self._volume, self._journal

    def read(self, offset: int, length: int) -> bytes:
        volume = self._volume
        if volume is None:
            return self._store.read_volume(self.name, offset, length)
        return volume.read(offset, length)

    def write(self, offset: int, data: Data, *, fua: bool = False) -> None:
        with self._lock:
            volume, journal = self._writable()
            journal.write(offset, data)
            volume.write(offset, data)
            self._written(volume, journal, fua=fua)

    def write_zeroes(self, offset: int, length: int, *, fua: bool = False) -> None:
        with self._lock:
            volume, journal = self._writable()
            journal.write_zeroes(offset, length)
            volume.write_zeroes(offset, length)
            self._written(volume, journal, fua=fua)

    def _written(self, volume: Volume, journal: Journal, *, fua: bool) -> None:
        self._last_write = self._monotonic()
        if fua or journal.size > _JOURNAL_LIMIT:
            volume.flush()
            journal.clear()

    def flush(self) -> None:
        with self._lock:
            if self._volume is not None and self._journal is not None:
                self._volume.flush()
                self._journal.clear()

    def extents(self, offset: int, length: int) -> Iterator[tuple[int, int, bool]]:
        """(offset, length, whether it holds data) of the range, in order."""
        volume = self._volume
        if volume is None:
            yield offset, length, True
        else:
            yield from volume.extents(offset, length)

    def yield_lease(self) -> bool:
        """Give the lease up if another node asked for it and the guest is silent, or for a moment if somebody asked for that;
        and take it again after that moment. For the endpoint's watcher.
        """
        if self._volume is None:
            if self._paused_until and not self._is_paused():
                with self._lock:
                    self._paused_until = 0.0
                    if self._volume is None and self._connections:
                        self._try_lease()
            return False
        wanted_by = self._store.lease_wanted_by(self.name)
        if wanted_by is None or wanted_by == self._owner:
            return False
        if wanted_by != PAUSE and self._monotonic() - self._last_write < _SILENT_S:
            return False
        with self._lock:
            self._paused_until = self._monotonic() + _PAUSE_S if wanted_by == PAUSE else 0.0
            self._release()
        return True

    def _release(self) -> None:
        """Flush and give back. A volume that another took by force is not ours to flush."""
        volume, journal = self._volume, self._journal
        if volume is None or journal is None:
            return
        try:
            volume.flush()
            journal.clear()
            volume.close()
        except LeaseLost:
            volume.abandon()
        except StoreError:
            return  # it stays ours, with its journal: the next try or the next server goes on
        self._volume = self._journal = None
        journal.close()
