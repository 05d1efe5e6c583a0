"""Where the fake keeps its state: one small file per thing, replaced whole.

For: surviving `kill -9` of the fake and of the cloud. Not for: queries; everything is read once, at start.
"""

import os
from pathlib import Path
from typing import Any, Protocol

import orjson


class Store(Protocol):
    def load(self, kind: str) -> dict[str, dict[str, Any]]: ...
    def put(self, kind: str, key: str, value: dict[str, Any], *, is_durable: bool = True) -> None: ...
    def delete(self, kind: str, key: str) -> None: ...


class MemoryStore:
    """Keeps nothing: for tests in one process."""

    def load(self, kind: str) -> dict[str, dict[str, Any]]:
        return {}

    def put(self, kind: str, key: str, value: dict[str, Any], *, is_durable: bool = True) -> None:
        return

    def delete(self, kind: str, key: str) -> None:
        return


class FileStore:
    def __init__(self, directory: Path, *, sync: bool = True) -> None:
        self._directory = directory
        self._sync = sync
        self._kinds: set[str] = set()

    def _path(self, kind: str, key: str) -> Path:
        if kind not in self._kinds:
            (self._directory / kind).mkdir(parents=True, exist_ok=True)
            self._kinds.add(kind)
        return self._directory / kind / f"{key}.json"

    def load(self, kind: str) -> dict[str, dict[str, Any]]:
        folder = self._directory / kind
        if not folder.is_dir():
            return {}
        for leftover in folder.glob("*.tmp"):
            leftover.unlink()
        return {path.name[: -len(".json")]: orjson.loads(path.read_bytes()) for path in folder.glob("*.json")}

    def put(self, kind: str, key: str, value: dict[str, Any], *, is_durable: bool = True) -> None:
        """Replace the file whole. Without `is_durable` a power loss may undo it, `kill -9` may not."""
        path = self._path(kind, key)
        temporary = path.with_suffix(".tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(descriptor, orjson.dumps(value))
            if self._sync and is_durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.rename(path)

    def delete(self, kind: str, key: str) -> None:
        self._path(kind, key).unlink(missing_ok=True)
