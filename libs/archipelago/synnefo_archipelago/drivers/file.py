"""A driver over a directory: one file per object, safe against power loss, also on NFS.

Objects appear by rename of a synced temporary file. A record is the file of its highest version; a version is taken by
`link`, which fails for all but one of those who want it. No `fcntl` locks anywhere. Records that were deleted leave an
empty file, so that versions never start again.
"""

import contextlib
import errno
import hashlib
import itertools
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from synnefo_archipelago import crash
from synnefo_archipelago.api import Data, Found, Read, Record, Space
from synnefo_archipelago.drivers.file_calls import map_error, mapped, write_all
from synnefo_archipelago.errors import ObjectMissing, RecordConflict, RecordOvertaken, StoreUnavailable

_FORMAT = b"synnefo archipelago files 1\n"
_READ_ATTEMPTS = 16
_TRASH_ATTEMPTS = 4
_STALE_ATTEMPTS = 4


class FileDriver:
    atomic_writes = False
    reads_ahead = 0
    touch_slack_s = 600.0
    identity = ""
    """Nobody can take a file away from a process that has it open; see the README for what remains."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self._root = Path(root)
        self._numbers = itertools.count()
        self._tag = os.urandom(8).hex()
        self._shards: set[Path] = set()  # directories that are known to be there, and on the disk
        with mapped():
            self._prepare()

    def _prepare(self) -> None:
        marker = self._root / "format"
        try:
            found = marker.read_bytes()
        except FileNotFoundError:
            found = b""
        if found and found != _FORMAT:
            raise StoreUnavailable(f"{self._root} is a store of another format: {found[:40]!r}")
        self._root.mkdir(parents=True, exist_ok=True)
        for name in ("tmp", *Space):
            (self._root / name).mkdir(exist_ok=True)
        self._sync_directory(self._root)
        if found:
            return
        temporary = self._write_temporary([_FORMAT])
        temporary.replace(marker)
        self._sync_directory(self._root)

    @staticmethod
    def _sync_directory(path: Path) -> None:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def _ensure_shard(self, shard: Path) -> None:
        """Make a directory for objects and have it on the disk, by whomever it was made."""
        if shard not in self._shards:
            shard.mkdir(exist_ok=True)  # never its parent: when that is gone, the store is not mounted
            self._sync_directory(shard.parent)
            self._shards.add(shard)

    def _existing_shards(self, space: Space) -> list[str]:
        with mapped():
            return sorted(path.name for path in (self._root / space).iterdir())

    def _path(self, space: Space, key: str) -> Path:
        # The last digits of a private block's key count its index, so that one volume spreads over all directories.
        return self._root / space / (key[-2:] if space is Space.PRIVATE else key[:2]) / key

    def _write_temporary(self, pieces: Sequence[Data]) -> Path:
        path = self._root / "tmp" / f"{self._tag}.{next(self._numbers)}"
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
            try:
                write_all(fd, pieces, 0)
                crash.point("file.temp")
                os.fdatasync(fd)
                crash.point("file.fsync")
            finally:
                os.close(fd)
        except BaseException:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            raise
        return path

    def session(self) -> "FileDriver":
        return self

    def fence(self, identity: str) -> None:
        """There is no such thing in a file system: generations and the writer's own checks must do."""

    def get_many(self, reads: Sequence[Read]) -> list[bytes]:
        return [self.get(*read) for read in reads]

    def get(self, space: Space, key: str, offset: int = 0, length: int | None = None) -> bytes:
        for _ in range(_STALE_ATTEMPTS):
            try:
                return self._get(space, key, offset, length)
            except StoreUnavailable as error:
                # On NFS: the file was replaced or removed while we had it open. Its name tells which.
                if not isinstance(error.__cause__, OSError) or error.__cause__.errno != errno.ESTALE:
                    raise
        raise StoreUnavailable(f"{space}/{key}: its file is replaced again and again")

    def _get(self, space: Space, key: str, offset: int, length: int | None) -> bytes:
        fd = self._open(space, key, os.O_RDONLY)
        try:
            if length is None:
                length = max(0, os.fstat(fd).st_size - offset)
            data = os.pread(fd, length, offset)
            if len(data) == length or not data:
                return data
            pieces = [data]  # short: the end of the file, or an interrupted read
            done = len(data)
            while done < length and (data := os.pread(fd, length - done, offset + done)):
                pieces.append(data)
                done += len(data)
            return b"".join(pieces)
        except OSError as error:
            raise map_error(error) from error
        finally:
            os.close(fd)

    def put(self, space: Space, key: str, pieces: Sequence[Data], *, replace: bool = False) -> bool:
        path = self._path(space, key)
        with mapped():
            if not replace and self.touch(space, key) is not None:
                return False
            self._ensure_shard(path.parent)
            temporary = self._write_temporary(pieces)
            # Names are of content, or of one writer: whoever else puts this key puts the same bytes, so rename will do.
            self._rename(temporary, path)
            crash.point("file.rename")
            self._sync_directory(path.parent)
            crash.point("file.dirsync")
        return True

    @staticmethod
    def _rename(temporary: Path, path: Path) -> None:
        try:
            inode = temporary.stat().st_ino
            try:
                temporary.replace(path)
            except FileNotFoundError:
                # On NFS an answer may get lost and the request be repeated: then the file is where it belongs already.
                if path.stat().st_ino != inode:
                    raise
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise

    def write_at(
        self, space: Space, key: str, pieces: Sequence[tuple[int, Data]], *,
        sync: bool = True, expected: tuple[int, bytes] | None = None,
    ) -> None:  # fmt: skip
        fd = self._open(space, key, os.O_RDWR)
        with mapped():
            try:
                if expected and os.pread(fd, len(expected[1]), expected[0]) != expected[1]:
                    raise RecordConflict(f"{space}/{key} does not hold what was expected")
                for offset, piece in pieces:
                    write_all(fd, [piece], offset)
                crash.point("file.write")
                if sync:
                    os.fdatasync(fd)
                    crash.point("file.datasync")
            finally:
                os.close(fd)

    def _open(self, space: Space, key: str, flags: int) -> int:
        path = self._path(space, key)
        for _ in range(_TRASH_ATTEMPTS):
            try:
                return os.open(path, flags | os.O_CLOEXEC)
            except FileNotFoundError:
                if not self._take_back(space, key):
                    break
            except OSError as error:
                raise map_error(error) from error
        raise ObjectMissing(f"{space}/{key}")

    def truncate(self, space: Space, key: str, size: int) -> None:
        fd = self._open(space, key, os.O_RDWR)
        try:
            with mapped():
                os.ftruncate(fd, size)
        finally:
            os.close(fd)

    def touch(self, space: Space, key: str) -> int | None:
        path = self._path(space, key)
        for _ in range(_TRASH_ATTEMPTS):
            try:
                found = path.stat()
                if time.time() - found.st_mtime >= self.touch_slack_s:
                    os.utime(path)
                return found.st_size
            except FileNotFoundError:
                if not self._take_back(space, key):
                    return None
            except OSError as error:
                raise map_error(error) from error
        return None

    # Removal beside use. An object goes to the trash first; there its time is looked at again. Whoever asks for the
    # object meanwhile links it back, and then the unlinking in the trash takes one of two names away.

    def _trash(self, space: Space, key: str) -> Path:
        return self._root / "trash" / f"{space}.{key}"

    def _take_back(self, space: Space, key: str) -> bool:
        """Give an object in the trash its name again, unless a new one has it. False when it is in neither place."""
        path = self._path(space, key)
        with mapped():
            try:
                os.link(self._trash(space, key), path)
            except FileExistsError:
                return True
            except FileNotFoundError:
                return path.exists()
            self._sync_directory(path.parent)
        return True

    def delete_unused(self, space: Space, key: str, since: float) -> bool:
        path, trash = self._path(space, key), self._trash(space, key)
        with mapped():
            trash.parent.mkdir(exist_ok=True)
            try:
                if path.stat().st_mtime >= since:
                    return False
                trash.unlink(missing_ok=True)  # of an earlier attempt; renaming between two names of one file does nothing
                path.rename(trash)
            except FileNotFoundError:
                return False
            crash.point("trash.rename")
            if trash.stat().st_mtime >= since:
                self._take_back(space, key)
                trash.unlink(missing_ok=True)
                return False
            trash.unlink(missing_ok=True)
            crash.point("trash.unlink")
        return True

    def tidy(self, before: float) -> int:
        count = 0
        with mapped():
            if (self._root / "trash").is_dir():
                for trash in list((self._root / "trash").iterdir()):
                    space, _, key = trash.name.partition(".")
                    self._take_back(Space(space), key)
                    trash.unlink(missing_ok=True)
            for temporary in list((self._root / "tmp").iterdir()):
                with contextlib.suppress(FileNotFoundError):
                    if temporary.stat().st_mtime < before:
                        temporary.unlink()
                        count += 1
        return count

    def delete(self, space: Space, key: str) -> bool:
        path = self._path(space, key)
        with mapped():
            try:
                path.unlink()
            except FileNotFoundError:
                return False
            self._sync_directory(path.parent)
        return True

    def iter(self, space: Space) -> Iterator[tuple[str, int]]:
        for found in self.scan(space):
            yield found.key, found.size

    def scan(self, space: Space) -> Iterator[Found]:
        for shard in self._existing_shards(space):
            with mapped(), os.scandir(self._root / space / shard) as entries:
                found = []
                for entry in entries:
                    if entry.name.startswith("."):
                        continue  # NFS keeps removed files that are open under such a name
                    with contextlib.suppress(FileNotFoundError):
                        status = entry.stat()
                        found.append(Found(entry.name, status.st_size, status.st_mtime))
            yield from found

    # Records: <space>/<shard>/<key>~<version, 16 hex digits>

    def _shard(self, space: Space, key: str) -> Path:
        return self._root / space / hashlib.sha256(key.encode()).hexdigest()[:2]

    def _versions(self, space: Space, key: str) -> list[int]:
        prefix = f"{key}~"
        try:
            names = [path.name for path in self._shard(space, key).iterdir()]
        except FileNotFoundError:
            return []
        return sorted(int(name[len(prefix) :], 16) for name in names if name.startswith(prefix))

    def _version_path(self, space: Space, key: str, version: int) -> Path:
        return self._shard(space, key) / f"{key}~{version:016x}"

    def _newest(self, space: Space, key: str) -> tuple[int, bytes]:
        """The newest version and its value, empty when deleted; (0, empty) when there never was one."""
        for _ in range(_READ_ATTEMPTS):
            versions = self._versions(space, key)
            if not versions:
                return 0, b""
            try:
                return versions[-1], self._version_path(space, key, versions[-1]).read_bytes()
            except FileNotFoundError:
                continue  # replaced meanwhile
            except OSError as error:
                if error.errno != errno.ESTALE:
                    raise
        raise StoreUnavailable(f"record {space}/{key} changes faster than it can be read")

    def read_record(self, space: Space, key: str) -> Record | None:
        with mapped():
            version, value = self._newest(space, key)
        return Record(version, value) if value else None

    def cas_record(self, space: Space, key: str, expected: int, value: bytes | None) -> int:
        with mapped():
            current, present = self._newest(space, key)
            if expected != (current if present else 0):
                raise RecordConflict(f"{space}/{key} is at version {current}, not {expected}")
            version = current + 1
            self._ensure_shard(self._shard(space, key))
            temporary = self._write_temporary([value or b""])
            try:
                self._take_version(space, key, version, temporary)
            finally:
                temporary.unlink(missing_ok=True)
            self._sync_directory(self._shard(space, key))
            crash.point("record.dirsync")
            # The version before stays, so that whoever lists the directory right now finds one of the two.
            for old in self._versions(space, key):
                if old < current:
                    self._version_path(space, key, old).unlink(missing_ok=True)
        return version

    def _take_version(self, space: Space, key: str, version: int, temporary: Path) -> None:
        path = self._version_path(space, key, version)
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            # On NFS an answer may get lost and the request be repeated: the number of links tells the truth.
            if temporary.stat().st_nlink != 2:
                raise RecordConflict(f"{space}/{key}: another took version {version}") from None
        crash.point("record.link")
        if self._versions(space, key)[-1] > version + 1:
            # We slept while others went on. Either before the link, and they had swept this version away: it was not
            # free, only forgotten. Or after it, and they built on ours. Nothing tells which. (When only one version came
            # after it, nobody can have swept it yet: it is ours, and already replaced.)
            path.unlink(missing_ok=True)
            raise RecordOvertaken(f"{space}/{key} went past version {version} while this was written")

    def iter_records(self, space: Space) -> Iterator[str]:
        for shard in self._existing_shards(space):
            newest: dict[str, tuple[int, int]] = {}
            with mapped(), os.scandir(self._root / space / shard) as entries:
                for entry in entries:
                    key, _, version = entry.name.rpartition("~")
                    if entry.name.startswith("."):
                        continue
                    with contextlib.suppress(FileNotFoundError):
                        newest[key] = max(newest.get(key, (0, 0)), (int(version, 16), entry.stat().st_size))
            yield from (key for key, (_, size) in newest.items() if size)

    def close(self) -> None:
        """No file stays open between calls."""
