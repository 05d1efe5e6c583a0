"""A simulated disk that forgets: every operation of the file driver is recorded, every crash of it can be replayed.

The functions of `os` are replaced for paths below `/crashdisk`. Nothing is durable but what was synced: the data of a
file by a sync of the file, names by a sync of their directory. What was not synced is lost, kept, or torn by sectors,
each piece on its own and in any order; data beyond what reached the disk reads as zeros.
"""

import contextlib
import errno
import io
import os
import random
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

ROOT = "/crashdisk"
SECTOR = 512
_FIRST_FD = 1 << 20


class Op(NamedTuple):
    kind: str  # write, truncate, sync, name, unname, dirsync, ack
    target: Any = None  # a file's number, or a directory's path
    name: str = ""
    value: Any = None  # (offset, data), a size, a file's number, or what was acknowledged


@dataclass
class Image:
    """What a disk holds: directories of names, and files by number. A directory's name stands for its path."""

    directories: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: dict[int, bytes] = field(default_factory=dict)


def apply(content: bytearray, op: Op) -> None:
    if op.kind == "truncate":
        del content[op.value :]
        content.extend(bytes(op.value - len(content)))
        return
    offset, data = op.value
    content.extend(bytes(max(0, offset + len(data) - len(content))))
    content[offset : offset + len(data)] = data


def apply_torn(content: bytearray, op: Op, rng: random.Random) -> None:
    """Some of a write's sectors; its length, too, may have reached the disk without its data."""
    offset, data = op.value
    if rng.random() < 0.3:
        content.extend(bytes(max(0, offset + len(data) - len(content))))
    for start in range(offset - offset % SECTOR, offset + len(data), SECTOR):
        if rng.random() < 0.5:
            begin, end = max(start, offset), min(start + SECTOR, offset + len(data))
            apply(content, Op("write", value=(begin, data[begin - offset : end - offset])))


def numbers(directories: dict[str, dict[str, Any]]) -> set[int]:
    """The files that have a name."""
    return {number for names in directories.values() for number in names.values() if isinstance(number, int)}


class Replay:
    """Walks along a recording and tells, at each point, what a crash may leave."""

    def __init__(self, image: Image) -> None:
        self._directories = {path: dict(names) for path, names in image.directories.items()}
        self._files = {number: bytearray(data) for number, data in image.files.items()}
        self._writes: dict[int, list[Op]] = {}
        self._names: dict[str, list[Op]] = {}
        self.acknowledged: list[Any] = []

    def step(self, op: Op) -> None:
        if op.kind in ("write", "truncate"):
            self._writes.setdefault(op.target, []).append(op)
        elif op.kind in ("name", "unname"):
            if isinstance(op.value, str):
                self._directories.setdefault(op.value, {})
            self._names.setdefault(op.target, []).append(op)
        elif op.kind == "sync":
            content = self._files.setdefault(op.target, bytearray())
            for write in self._writes.pop(op.target, []):
                apply(content, write)
        elif op.kind == "dirsync":
            self._apply_names(self._directories.setdefault(op.target, {}), self._names.pop(op.target, []))
        else:
            self.acknowledged.append(op.value)

    @staticmethod
    def _apply_names(names: dict[str, Any], edits: list[Op]) -> None:
        for edit in edits:
            if edit.kind == "name":
                names[edit.name] = edit.value
            else:
                names.pop(edit.name, None)

    @property
    def unsynced(self) -> int:
        return sum(map(len, self._writes.values())) + sum(map(len, self._names.values()))

    def crash(self, seed: int) -> Image:
        """0: all that was not synced is lost; 1: nothing is; 2: only data; 3: only names; others: by chance."""
        rng = random.Random(seed)
        luck = {0: (0.0, 0.0), 1: (1.0, 1.0), 2: (0.0, 1.0), 3: (1.0, 0.0)}.get(
            seed, (rng.choice([0.1, 0.5, 0.9]), rng.choice([0.1, 0.5, 0.9]))
        )
        image = Image({path: dict(names) for path, names in self._directories.items()})
        for path, edits in self._names.items():
            self._apply_names(image.directories.setdefault(path, {}), [edit for edit in edits if rng.random() < luck[1]])
        for path in sorted(image.directories):  # a directory without a name is gone, with all in it
            parent, _, name = path.rpartition("/")
            if path != ROOT and name not in image.directories.get(parent, {}):
                del image.directories[path]
        for number in numbers(image.directories):
            content = bytearray(self._files.get(number, b""))
            for write in self._writes.get(number, []):
                if rng.random() < luck[0]:
                    apply(content, write)
                elif seed > 3 and write.kind == "write":
                    apply_torn(content, write, rng)
            image.files[number] = bytes(content)
        return image


class Disk:
    """The running file system, as a process sees it, and the record of what was done to it."""

    def __init__(self, image: Image | None = None) -> None:
        self.directories = {path: dict(names) for path, names in (image or Image()).directories.items()}
        self.files = {number: bytearray(data) for number, data in (image or Image()).files.items()}
        self.log: list[Op] = []
        self._handles: dict[int, Any] = {}
        self._next = max(self.files, default=0) + 1
        self._next_fd = _FIRST_FD
        self._lock = threading.RLock()

    def image(self) -> Image:
        return Image(
            {path: dict(names) for path, names in self.directories.items()},
            {number: bytes(self.files[number]) for number in numbers(self.directories)},
        )

    def acknowledge(self, value: Any) -> None:
        with self._lock:
            self.log.append(Op("ack", value=value))

    def _split(self, path: str) -> tuple[str, str]:
        directory, _, name = path.rpartition("/")
        if directory not in self.directories:
            raise FileNotFoundError(errno.ENOENT, "no directory", path)
        return directory, name

    def _number(self, path: str) -> int:
        directory, name = self._split(path)
        try:
            number: int = self.directories[directory][name]
        except KeyError:
            raise FileNotFoundError(errno.ENOENT, "no file", path) from None
        return number

    def _edit(self, kind: str, path: str, number: Any = None) -> None:
        directory, name = self._split(path)
        Replay._apply_names(self.directories[directory], [Op(kind, directory, name, number)])
        self.log.append(Op(kind, directory, name, number))

    # The functions of `os`

    def open(self, path: str, flags: int, *_: Any) -> int:
        with self._lock:
            if path in self.directories:
                target: Any = path
            elif flags & os.O_CREAT:
                target, self._next = self._next, self._next + 1
                self.files[target] = bytearray()
                self._edit("name", path, target)
            else:
                target = self._number(path)
            self._next_fd += 1
            self._handles[self._next_fd] = target
            return self._next_fd

    def close(self, fd: int) -> None:
        with self._lock:
            del self._handles[fd]

    def pwritev(self, fd: int, views: list[Any], offset: int) -> int:
        with self._lock:
            op = Op("write", self._handles[fd], value=(offset, b"".join(views)))
            apply(self.files[op.target], op)
            self.log.append(op)
            return len(op.value[1])

    def pread(self, fd: int, length: int, offset: int) -> bytes:
        with self._lock:
            return bytes(self.files[self._handles[fd]][offset : offset + length])

    def fsync(self, fd: int) -> None:
        with self._lock:
            target = self._handles[fd]
            self.log.append(Op("dirsync" if isinstance(target, str) else "sync", target))

    fdatasync = fsync

    def fstat(self, fd: int) -> Any:
        with self._lock:
            return self._stat(self._handles[fd])

    def stat(self, path: str, **_: Any) -> Any:
        with self._lock:
            return self._stat(path if path in self.directories else self._number(path))

    def _stat(self, target: Any) -> Any:
        if isinstance(target, str):
            return SimpleNamespace(st_mode=stat.S_IFDIR | 0o755, st_size=0, st_ino=0, st_nlink=1, st_mtime=0.0)
        links = sum(number == target for names in self.directories.values() for number in names.values())
        return SimpleNamespace(
            st_mode=stat.S_IFREG | 0o640, st_size=len(self.files[target]), st_ino=target, st_nlink=links,
            st_mtime=0.0, st_mtime_ns=0, st_ctime=0.0, st_ctime_ns=0,
        )  # fmt: skip

    def mkdir(self, path: str, *_: Any) -> None:
        with self._lock:
            if path in self.directories:
                raise FileExistsError(errno.EEXIST, "exists", path)
            if path != ROOT:
                self._edit("name", path, path)
            self.directories[path] = {}

    def listdir(self, path: str) -> list[str]:
        with self._lock:
            return list(self._names_in(path))

    def _names_in(self, path: str) -> dict[str, Any]:
        if path not in self.directories:
            raise FileNotFoundError(errno.ENOENT, "no directory", path)
        return self.directories[path]

    def scandir(self, path: str) -> Any:
        with self._lock:
            entries = [
                SimpleNamespace(name=name, path=f"{path}/{name}", stat=lambda number=number: self._stat(number))
                for name, number in self._names_in(path).items()
            ]
        return contextlib.nullcontext(iter(entries))

    def replace(self, source: str, target: str) -> None:
        with self._lock:
            number = self._number(source)
            self._edit("name", target, number)
            self._edit("unname", source)

    rename = replace

    def link(self, source: str, target: str, **_: Any) -> None:
        with self._lock:
            directory, name = self._split(target)
            if name in self.directories[directory]:
                raise FileExistsError(errno.EEXIST, "exists", target)
            self._edit("name", target, self._number(source))

    def unlink(self, path: str, **_: Any) -> None:
        with self._lock:
            self._number(path)
            self._edit("unname", path)

    def truncate(self, path: str, size: int) -> None:
        with self._lock:
            op = Op("truncate", self._number(path), value=size)
            apply(self.files[op.target], op)
            self.log.append(op)

    def ftruncate(self, fd: int, size: int) -> None:
        with self._lock:
            op = Op("truncate", self._handles[fd], value=size)
            apply(self.files[op.target], op)
            self.log.append(op)

    def utime(self, path: str, *_: Any, **__: Any) -> None:
        with self._lock:
            self._number(path)


class Mounted:
    """Puts one disk at a time in the place of `/crashdisk`."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.disk = Disk()
        self._open = io.open
        for name in (
            "open", "close", "pwritev", "pread", "fsync", "fdatasync", "fstat", "stat", "mkdir", "listdir", "scandir",
            "replace", "rename", "link", "unlink", "truncate", "ftruncate", "utime",
        ):  # fmt: skip
            patch.setattr(os, name, self._dispatch(name, getattr(os, name)))
        patch.setattr(io, "open", self._open_file)

    def _dispatch(self, name: str, real: Any) -> Any:
        def call(target: Any = ".", *args: Any, **kwargs: Any) -> Any:
            if isinstance(target, int):
                is_ours = target >= _FIRST_FD
            else:
                target = os.fspath(target)
                is_ours = isinstance(target, str) and target.startswith(ROOT)
            if not is_ours:
                return real(target, *args, **kwargs)
            paths = [os.fspath(arg) if isinstance(arg, os.PathLike) else arg for arg in args]
            return getattr(self.disk, name)(target, *paths, **kwargs)

        return call

    def _open_file(self, path: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(path, int) or not str(path).startswith(ROOT):
            return self._open(path, *args, **kwargs)
        return io.BytesIO(bytes(self.disk.files[self.disk._number(os.fspath(path))]))


@pytest.fixture
def mounted() -> Iterator[Mounted]:
    with pytest.MonkeyPatch.context() as patch:
        yield Mounted(patch)
