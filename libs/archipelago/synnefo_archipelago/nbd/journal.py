"""The journal of one export: writes that were acknowledged and are not in the store yet.

A guest goes on when the server under it dies, so what it was told is written must be there afterwards, flushed or not.
The journal is a file of the node, appended to without sync: it survives the server, not the node, as a disk's cache does
not survive the loss of power; but then the guest is gone, too. A flush of the volume empties it.
"""

import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from synnefo_archipelago.api import Data
from synnefo_archipelago.hashing import CHECK_BYTES, check

_HEAD = struct.Struct(">4sBQQ")
_MAGIC = b"SJNL"
_WRITE, _ZERO = 1, 2


class Entry(NamedTuple):
    offset: int
    length: int
    data: bytes | None
    """None for zeros."""


class Journal:
    """Belongs to one process; not thread-safe: who writes to the volume has a lock already."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.size = os.fstat(self._fd).st_size

    def replay(self) -> Iterator[Entry]:
        """What was written since the last `clear`, in order. What the death of the server cut off was never acknowledged."""
        at = 0
        while True:
            head = os.pread(self._fd, _HEAD.size + CHECK_BYTES, at)
            if len(head) < _HEAD.size + CHECK_BYTES:
                return
            magic, kind, offset, length = _HEAD.unpack_from(head)
            data = os.pread(self._fd, length, at + len(head)) if kind == _WRITE and magic == _MAGIC else b""
            if magic != _MAGIC or _sum(head[: _HEAD.size], data) != head[_HEAD.size :]:
                return
            yield Entry(offset, length, data if kind == _WRITE else None)
            at += len(head) + len(data)

    def write(self, offset: int, data: Data) -> None:
        self._append(_HEAD.pack(_MAGIC, _WRITE, offset, len(data)), data)

    def write_zeroes(self, offset: int, length: int) -> None:
        self._append(_HEAD.pack(_MAGIC, _ZERO, offset, length), b"")

    def _append(self, head: bytes, data: Data) -> None:
        pieces = [memoryview(head + _sum(head, data)), memoryview(data)]
        at = self.size
        while any(pieces):
            done = os.pwritev(self._fd, pieces, at)
            at += done
            while pieces and done >= len(pieces[0]):
                done -= len(pieces.pop(0))
            if pieces:
                pieces[0] = pieces[0][done:]
        self.size = at

    def clear(self) -> None:
        """All of it is in the store."""
        if self.size:
            os.ftruncate(self._fd, 0)
            self.size = 0

    def close(self, *, keep: bool = False) -> None:
        os.close(self._fd)
        if not keep:
            with suppress(FileNotFoundError):
                self._path.unlink()


def _sum(head: bytes, data: Data) -> bytes:
    return check(head + check(data))
