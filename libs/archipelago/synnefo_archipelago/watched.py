"""A driver that tells an observer of every call: for metrics. It changes nothing of what the driver does."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import ParamSpec, TypeVar

from synnefo_archipelago.api import Data, Driver, Found, Read, Record, Space
from synnefo_archipelago.errors import StoreFull, StoreUnavailable

P = ParamSpec("P")
T = TypeVar("T")

Observer = Callable[[str, str, float, int], None]
"""Is given operation, outcome (`ok`, `full`, `unavailable`), seconds and bytes moved. Called in the store's threads."""


class WatchedDriver:
    """Passes every call on. Listings are lazy and not measured."""

    def __init__(self, driver: Driver, observe: Observer) -> None:
        self._driver = driver
        self._observe = observe
        self.atomic_writes = driver.atomic_writes
        self.touch_slack_s = driver.touch_slack_s
        self.reads_ahead = driver.reads_ahead

    @property
    def identity(self) -> str:
        return self._driver.identity

    def session(self) -> Driver:
        return WatchedDriver(self._driver.session(), self._observe)

    def fence(self, identity: str) -> None:
        self._call("fence", _nothing_moved, self._driver.fence, identity)

    def _call(self, operation: str, size: Callable[[T], int], call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        began = time.perf_counter()
        try:
            result = call(*args, **kwargs)
        except (StoreFull, StoreUnavailable) as error:
            outcome = "full" if isinstance(error, StoreFull) else "unavailable"
            self._observe(operation, outcome, time.perf_counter() - began, 0)
            raise
        self._observe(operation, "ok", time.perf_counter() - began, size(result))
        return result

    def get(self, space: Space, key: str, offset: int = 0, length: int | None = None) -> bytes:
        return self._call("read", len, self._driver.get, space, key, offset, length)

    def get_many(self, reads: Sequence[Read]) -> list[bytes]:
        return self._call("read", lambda parts: sum(len(part) for part in parts), self._driver.get_many, reads)

    def put(self, space: Space, key: str, pieces: Sequence[Data], *, replace: bool = False) -> bool:
        size = sum(len(piece) for piece in pieces)
        return self._call("put", lambda is_new: size if is_new else 0, self._driver.put, space, key, pieces, replace=replace)

    def write_at(
        self, space: Space, key: str, pieces: Sequence[tuple[int, Data]], *,
        sync: bool = True, expected: tuple[int, bytes] | None = None,
    ) -> None:  # fmt: skip
        size = sum(len(data) for _, data in pieces)
        self._call("write", lambda _: size, self._driver.write_at, space, key, pieces, sync=sync, expected=expected)

    def truncate(self, space: Space, key: str, size: int) -> None:
        self._call("truncate", _nothing_moved, self._driver.truncate, space, key, size)

    def touch(self, space: Space, key: str) -> int | None:
        return self._call("touch", _nothing_moved, self._driver.touch, space, key)

    def delete(self, space: Space, key: str) -> bool:
        return self._call("delete", _nothing_moved, self._driver.delete, space, key)

    def delete_unused(self, space: Space, key: str, since: float) -> bool:
        return self._call("delete_unused", _nothing_moved, self._driver.delete_unused, space, key, since)

    def tidy(self, before: float) -> int:
        return self._call("tidy", _nothing_moved, self._driver.tidy, before)

    def scan(self, space: Space) -> Iterator[Found]:
        return self._driver.scan(space)

    def iter(self, space: Space) -> Iterator[tuple[str, int]]:
        return self._driver.iter(space)

    def read_record(self, space: Space, key: str) -> Record | None:
        return self._call("read_record", _nothing_moved, self._driver.read_record, space, key)

    def cas_record(self, space: Space, key: str, expected: int, value: bytes | None) -> int:
        return self._call("cas_record", _nothing_moved, self._driver.cas_record, space, key, expected, value)

    def iter_records(self, space: Space) -> Iterator[str]:
        return self._driver.iter_records(space)

    def close(self) -> None:
        self._driver.close()


def _nothing_moved(_: object) -> int:
    return 0
