"""A driver that keeps everything in this process: for tests and for trying things out. Nothing survives it."""

import threading
import time
from collections.abc import Iterator, Sequence

from synnefo_archipelago.api import Data, Found, Read, Record, Space
from synnefo_archipelago.errors import ObjectMissing, RecordConflict


class MemoryDriver:
    atomic_writes = True
    reads_ahead = 0
    touch_slack_s = 0.0
    identity = ""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._objects: dict[Space, dict[str, bytes | bytearray]] = {space: {} for space in Space}
        self._times: dict[tuple[Space, str], float] = {}
        self._records: dict[Space, dict[str, tuple[int, bytes | None]]] = {space: {} for space in Space}

    def _object(self, space: Space, key: str) -> bytes | bytearray:
        try:
            return self._objects[space][key]
        except KeyError:
            raise ObjectMissing(f"{space}/{key}") from None

    def session(self) -> "MemoryDriver":
        return self

    def fence(self, identity: str) -> None:
        """Nobody outside of this process writes here."""

    def get(self, space: Space, key: str, offset: int = 0, length: int | None = None) -> bytes:
        with self._lock:
            data = self._object(space, key)
            end = len(data) if length is None else offset + length
            return bytes(memoryview(data)[offset:end])

    def get_many(self, reads: Sequence[Read]) -> list[bytes]:
        return [self.get(*read) for read in reads]

    def put(self, space: Space, key: str, pieces: Sequence[Data], *, replace: bool = False) -> bool:
        data = b"".join(pieces)
        with self._lock:
            objects = self._objects[space]
            if key in objects and not replace:
                self._times[space, key] = time.time()
                return False
            objects[key] = bytearray(data) if space is Space.PRIVATE else data
            self._times[space, key] = time.time()
            return True

    def write_at(
        self, space: Space, key: str, pieces: Sequence[tuple[int, Data]], *,
        sync: bool = True, expected: tuple[int, bytes] | None = None,
    ) -> None:  # fmt: skip
        with self._lock:
            data = bytearray(self._object(space, key))
            if expected and not data.startswith(expected[1], expected[0]):
                raise RecordConflict(f"{space}/{key} does not hold what was expected")
            for offset, piece in pieces:
                data.extend(bytes(max(0, offset - len(data))))
                data[offset : offset + len(piece)] = piece
            self._objects[space][key] = data
            self._times[space, key] = time.time()

    def truncate(self, space: Space, key: str, size: int) -> None:
        with self._lock:
            self._objects[space][key] = self._object(space, key)[:size]

    def touch(self, space: Space, key: str) -> int | None:
        with self._lock:
            data = self._objects[space].get(key)
            if data is None:
                return None
            self._times[space, key] = time.time()
            return len(data)

    def delete(self, space: Space, key: str) -> bool:
        with self._lock:
            return self._objects[space].pop(key, None) is not None

    def delete_unused(self, space: Space, key: str, since: float) -> bool:
        with self._lock:
            if self._times.get((space, key), since) >= since:
                return False
            return self._objects[space].pop(key, None) is not None

    def tidy(self, before: float) -> int:
        return 0

    def scan(self, space: Space) -> Iterator[Found]:
        with self._lock:
            found = [Found(key, len(data), self._times[space, key]) for key, data in self._objects[space].items()]
        yield from found

    def iter(self, space: Space) -> Iterator[tuple[str, int]]:
        with self._lock:
            found = [(key, len(data)) for key, data in self._objects[space].items()]
        yield from found

    def read_record(self, space: Space, key: str) -> Record | None:
        with self._lock:
            version, value = self._records[space].get(key, (0, None))
            return None if value is None else Record(version, value)

    def cas_record(self, space: Space, key: str, expected: int, value: bytes | None) -> int:
        with self._lock:
            version, current = self._records[space].get(key, (0, None))
            if expected != (0 if current is None else version):
                raise RecordConflict(f"{space}/{key} is at version {version}, not {expected}")
            self._records[space][key] = (version + 1, value)
            return version + 1

    def iter_records(self, space: Space) -> Iterator[str]:
        with self._lock:
            found = [key for key, (_, value) in self._records[space].items() if value is not None]
        yield from found

    def close(self) -> None:
        """Nothing to give back."""
