"""Files of fixed-width records, and small JSON checkpoints: how long walks over a store remember where they are.

A record is the kind of an object (one byte) and its 32-byte name, possibly with more behind. Walks keep no more in
memory than one partition of them.
"""

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from synnefo_archipelago.api import Space

SPACES = (Space.CAS, Space.PAGE, Space.PRIVATE)
NAME = 33
"""Bytes of a record's kind and name."""
_CHUNK = 16384
_MOST_PARTITIONS = 1024
_PER_PARTITION = 500_000


def name_of(space: Space, ident: bytes) -> bytes:
    return bytes([SPACES.index(space)]) + ident


def parse_name(record: bytes) -> tuple[Space, str]:
    return SPACES[record[0] & 0x7F], record[1:NAME].hex()


def partition_count(records: int) -> int:
    count = 1
    while count < _MOST_PARTITIONS and records > count * _PER_PARTITION:
        count *= 2
    return count


def partition_of(ident: bytes, count: int) -> int:
    # The last bytes of a private block's name are its number, which its parents share: a chain is in one partition.
    return int.from_bytes(ident[-2:]) % count


class Spool:
    """A file of records that grows. What a checkpoint remembers is the size that `sync` told."""

    def __init__(self, path: Path, width: int, size: int) -> None:
        """Opens with the first `size` bytes; what came after them was never in a checkpoint."""
        self.path = path
        self._width = width
        self._file = path.open("ab")
        self._file.truncate(size)

    def add(self, record: bytes) -> None:
        assert len(record) == self._width  # one wrong width would shift all records after it
        self._file.write(record)

    def sync(self) -> int:
        self._file.flush()
        os.fsync(self._file.fileno())
        return os.fstat(self._file.fileno()).st_size

    def close(self) -> None:
        self._file.close()


def read_records(path: Path, width: int) -> Iterator[bytes]:
    if not path.exists():
        return
    with path.open("rb") as file:
        while chunk := file.read(width * _CHUNK):
            for at in range(0, len(chunk), width):
                yield chunk[at : at + width]


def divide(paths: Iterable[Path], width: int, folder: Path, count: int) -> None:
    """Distribute records by name into `folder/0` … `folder/<count - 1>`."""
    folder.mkdir(exist_ok=True)
    for number in range(count):
        (folder / str(number)).write_bytes(b"")
    for path in paths:
        waiting: dict[int, bytearray] = defaultdict(bytearray)
        held = 0
        for record in read_records(path, width):
            waiting[partition_of(record[1:NAME], count)] += record
            held += width
            if held >= 16 << 20:
                _append(folder, waiting)
                held = 0
        _append(folder, waiting)


def _append(folder: Path, waiting: dict[int, bytearray]) -> None:
    for number, data in waiting.items():
        with (folder / str(number)).open("ab") as file:
            file.write(data)
    waiting.clear()


def load_json(path: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    return found


def save_json(path: Path, value: dict[str, Any]) -> None:
    """Replace the file, durably and at once."""
    temporary = path.with_suffix(".new")
    with temporary.open("w") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    fd = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
