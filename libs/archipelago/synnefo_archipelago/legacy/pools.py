"""The original's pools of objects: a directory of its file blocker, or a RADOS pool. For reading only."""

import errno
import hashlib
import os
from pathlib import Path
from typing import Any, Protocol

from synnefo_archipelago.drivers.file_calls import map_error
from synnefo_archipelago.drivers.load_rados import load_rados
from synnefo_archipelago.errors import StoreUnavailable


class LegacyPool(Protocol):
    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes | None:
        """Bytes of an object, fewer at its end; None when there is none of that name."""
        ...


class FilePool:
    """Files at aa/bb/cc/NAME, by the SHA-256 of the name; blocks of old Pithos pools by the digits of the name itself."""

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self._root = Path(directory)

    def _paths(self, name: str) -> list[Path]:
        if not name or "/" in name or name.startswith("."):
            raise ValueError(f"{name!r} is no name of an object")
        digests = (hashlib.sha256(name.encode()).hexdigest(), name)
        return [self._root / digest[:2] / digest[2:4] / digest[4:6] / name for digest in digests]

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes | None:
        for path in self._paths(name):
            try:
                with path.open("rb") as file:
                    file.seek(offset)
                    return file.read(-1 if length is None else length)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise map_error(error) from error
        return None


class RadosPool:
    """One RADOS pool. Call `close` at the end."""

    def __init__(self, conf: str, pool: str, *, user: str = "admin", timeout_s: float = 30) -> None:
        self._rados: Any = load_rados()
        seconds = str(max(1, round(timeout_s)))
        limits = {"client_mount_timeout": seconds, "rados_osd_op_timeout": seconds}
        self._cluster: Any = self._rados.Rados(conffile=conf, rados_id=user, conf=limits)
        try:
            self._cluster.connect()
            self._io: Any = self._cluster.open_ioctx(pool)
        except (self._rados.Error, OSError) as error:
            self._cluster.shutdown()
            raise StoreUnavailable(f"{type(error).__name__}: {error}") from error

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes | None:
        try:
            if length is None:
                length = max(0, self._io.stat(name)[0] - offset)
            if not length:
                return b"" if self._io.stat(name) else None  # a length of 0 would mean all of it
            data: bytes = self._io.read(name, length, offset)
        except self._rados.ObjectNotFound:
            return None
        except (self._rados.Error, OSError) as error:
            if getattr(error, "errno", None) == errno.ENOENT:
                return None
            raise StoreUnavailable(f"{type(error).__name__}: {error}") from error
        return data

    def close(self) -> None:
        self._io.close()
        self._cluster.shutdown()
