"""A driver over Ceph RADOS: blocks in one pool, pages and records in another, one RADOS namespace per kind.

Every write is one operation on one object, so it is all or nothing. A record starts with its version (8 bytes), and an
exchange compares those bytes in the same operation. Versions come from the clock and never return.
Volumes are written through a second client of the cluster (`session`), whose address leases record: who takes a volume
over has the cluster refuse that client first, so that nothing of a stalled writer arrives later.
Not for pools or users: an operator makes those, with `profile rbd` for the monitors, or whatever allows `osd blocklist`.
"""

import errno
import itertools
import os
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

from synnefo_archipelago.api import Data, Found, Read, Record, Space
from synnefo_archipelago.drivers.load_rados import load_rados
from synnefo_archipelago.errors import (
    Fenced,
    ObjectMissing,
    RecordConflict,
    StoreError,
    StoreFull,
    StoreUnavailable,
)

T = TypeVar("T")

_VERSION = struct.Struct(">Q")
_IN_BLOCKS = (Space.CAS, Space.PRIVATE)
_MISMATCH = 4095
"""librados tells of a failed comparison at offset n with error 4095 + n."""
_FENCE_S = 30 * 86400
"""A client that was asleep for longer than this is not fenced any more; it still has its own clock to look at."""
_IN_FLIGHT = 16
_FIRST_READ = 64 << 10
"""Records and pages are nearly always shorter: one round trip, without asking for the size."""


class RadosDriver:
    atomic_writes = True
    reads_ahead = 3
    touch_slack_s = 600.0

    def __init__(
        self, conf: str, *, maps: str, blocks: str, namespace: str = "", user: str = "admin", timeout_s: float = 30
    ) -> None:
        try:
            self._rados: Any = load_rados()
        except ModuleNotFoundError as error:
            raise StoreUnavailable(str(error)) from error
        self._again = partial(
            RadosDriver, conf, maps=maps, blocks=blocks, namespace=namespace, user=user, timeout_s=timeout_s
        )
        self._sessions: list[RadosDriver] = []
        self._session_lock = threading.Lock()
        self._is_fenced = False
        # Without these limits a call waits for ever (or 300 s) for a cluster that is down.
        seconds = str(max(1, round(timeout_s)))
        limits = {"client_mount_timeout": seconds, "rados_osd_op_timeout": seconds}
        self._closed = False
        self._io: dict[Space, Any] = {}
        self._versions = threading.Lock()
        self._last_version = 0

        def connect() -> Any:
            cluster = self._rados.Rados(conffile=conf, rados_id=user, conf=limits)
            cluster.connect()
            return cluster

        self._cluster: Any = self._call(connect)
        try:
            for space in Space:
                io = self._call(self._cluster.open_ioctx, blocks if space in _IN_BLOCKS else maps)
                io.set_namespace(f"{namespace}.{space}" if namespace else str(space))
                # Of a full cluster, an error at once, and removals that work: else every call waits for somebody else
                # to make room, the collector's too.
                io.set_osdmap_full_try()
                self._io[space] = io
            self.identity: str = self._call(self._cluster.get_addrs)
        except StoreError:
            self.close()
            raise

    def _call(self, call: Callable[..., T], *args: Any) -> T:
        if self._closed:
            raise StoreUnavailable("the store is closed")
        try:
            return call(*args)
        except self._rados.ObjectNotFound as error:
            raise ObjectMissing(str(error)) from None
        except (self._rados.Error, OSError) as error:
            code = getattr(error, "errno", None)
            if code in (errno.ENOSPC, errno.EDQUOT):
                raise StoreFull(str(error)) from error
            if code == errno.ESHUTDOWN:
                self._is_fenced = True
                raise Fenced(f"the cluster refuses this client ({self.identity}): it was fenced") from error
            raise StoreUnavailable(f"{type(error).__name__}: {error}") from error

    def session(self) -> "RadosDriver":
        with self._session_lock:
            if not self._sessions or self._sessions[-1]._is_fenced:
                if self._closed:
                    raise StoreUnavailable("the store is closed")
                self._sessions.append(self._again())
            return self._sessions[-1]

    def fence(self, identity: str) -> None:
        if not identity or identity == self.identity:
            return
        self._call(self._cluster.blocklist_add, identity, _FENCE_S)
        # From here on, whatever we ask an OSD makes it learn first of what the monitors know.
        self._call(self._cluster.wait_for_latest_osdmap)

    def _operate(self, space: Space, key: str, fill: Callable[[Any], None]) -> None:
        def run() -> None:
            with self._rados.WriteOpCtx() as operation:
                fill(operation)
                # Without a time, the binding sets the object's to 1970.
                self._io[space].operate_write_op(operation, key, int(time.time()))

        self._call(run)

    def get(self, space: Space, key: str, offset: int = 0, length: int | None = None) -> bytes:
        if length is None:
            return self._read_whole(space, key)[offset:]
        # To librados, a length of 0 means all of it.
        data: bytes = self._call(self._io[space].read, key, max(1, length), offset)
        return data[:length]

    def _read_whole(self, space: Space, key: str) -> bytes:
        """All of an object, in one operation, so that it is never of two writers."""
        length = _FIRST_READ
        while True:
            data: bytes = self._call(self._io[space].read, key, length, 0)
            if len(data) < length:
                return data
            length = max(2 * length, self._call(self._io[space].stat, key)[0] + 1)

    def get_many(self, reads: Sequence[Read]) -> list[bytes]:
        if len(reads) == 1:
            return [self.get(*reads[0])]
        found: list[bytes] = []
        for at in range(0, len(reads), _IN_FLIGHT):
            found += self._read_together(reads[at : at + _IN_FLIGHT])
        return found

    def _read_together(self, reads: Sequence[Read]) -> list[bytes]:
        found: list[bytes] = [b""] * len(reads)

        def start(number: int, read: Read) -> Any:
            def take(done: Any, data: bytes | None) -> None:  # in a thread of librados
                # When there was nothing to read, the binding hands out its whole buffer as it found it in memory.
                found[number] = (data or b"")[: max(0, done.get_return_value())][: read.length]

            return self._call(self._io[read.space].aio_read, read.key, max(1, read.length), read.offset, take)

        pending = [start(number, read) for number, read in enumerate(reads)]
        for completion in pending:
            completion.wait_for_complete_and_cb()
        for completion in pending:
            code = completion.get_return_value()
            if code < 0:
                self._call(self._fail, -code)
        return found

    def _fail(self, code: int) -> None:
        if code == errno.ENOENT:
            raise self._rados.ObjectNotFound(os.strerror(code))
        raise OSError(code, os.strerror(code))

    def put(self, space: Space, key: str, pieces: Sequence[Data], *, replace: bool = False) -> bool:
        data = b"".join(pieces)  # the binding takes nothing but bytes

        def fill(operation: Any) -> None:
            if not replace:
                operation.new(self._rados.LIBRADOS_CREATE_EXCLUSIVE)
            operation.write_full(data)

        try:
            self._operate(space, key, fill)
        except StoreUnavailable as error:
            if isinstance(error.__cause__, self._rados.ObjectExists):
                return self.touch(space, key) is None and self.put(space, key, [data])
            raise
        return True

    def write_at(
        self, space: Space, key: str, pieces: Sequence[tuple[int, Data]], *,
        sync: bool = True, expected: tuple[int, bytes] | None = None,
    ) -> None:  # fmt: skip
        def fill(operation: Any) -> None:
            if expected:
                operation.cmpext(expected[1], expected[0])
            for offset, piece in pieces:
                operation.write(bytes(piece), offset)

        # Writing would create the object. An absent one compares as zeros, so a comparison with anything else will do.
        if not (expected and any(expected[1])) and self._size(space, key) is None:
            raise ObjectMissing(f"{space}/{key}")
        try:
            self._operate(space, key, fill)
        except StoreUnavailable as error:
            if not self._is_mismatch(error.__cause__):
                raise
            if self._size(space, key) is None:
                raise ObjectMissing(f"{space}/{key}") from None
            raise RecordConflict(f"{space}/{key} does not hold what was expected") from None

    def truncate(self, space: Space, key: str, size: int) -> None:
        if self._size(space, key) is None:
            raise ObjectMissing(f"{space}/{key}")
        self._call(self._io[space].trunc, key, size)

    def _size(self, space: Space, key: str) -> int | None:
        try:
            size: int = self._call(self._io[space].stat, key)[0]
        except ObjectMissing:
            return None
        return size

    def touch(self, space: Space, key: str) -> int | None:
        while True:
            try:
                size, at = self._call(self._io[space].stat, key)
                if time.time() - time.mktime(at) < self.touch_slack_s - 1:
                    return int(size)
                if self._change_at_version(space, key, lambda operation, _: operation.set_xattr("used", b"1")):
                    return int(size)  # any change of an object sets its time
            except ObjectMissing:
                return None

    def _change_at_version(self, space: Space, key: str, fill: Callable[[Any, float], bool | None]) -> bool:
        """Change an object unless somebody else does so meanwhile. Raises `ObjectMissing`.

        `fill` gets the operation and the object's time, and may refuse with False. False, too, when it was too late.
        """

        def run() -> bool:
            io = self._io[space].dup()  # it remembers the version that it saw last: no other thread may use it
            try:
                _, at = io.stat(key)
                version = io.get_last_version()
                with self._rados.WriteOpCtx() as operation:
                    operation.assert_version(version)
                    if fill(operation, time.mktime(at)) is False:
                        return False
                    io.operate_write_op(operation, key, int(time.time()))
            finally:
                io.close()
            return True

        try:
            return self._call(run)
        except StoreUnavailable as error:
            if getattr(error.__cause__, "errno", None) in (errno.ERANGE, errno.EOVERFLOW):
                return False
            raise

    def delete_unused(self, space: Space, key: str, since: float) -> bool:
        def fill(operation: Any, at: float) -> bool:
            if at + 1 > since:  # the binding tells whole seconds
                return False
            operation.remove()
            return True

        try:
            return self._change_at_version(space, key, fill)
        except ObjectMissing:
            return False

    def tidy(self, before: float) -> int:
        return 0

    def delete(self, space: Space, key: str) -> bool:
        try:
            self._call(self._io[space].remove_object, key)
        except ObjectMissing:
            return False
        return True

    def iter(self, space: Space) -> Iterator[tuple[str, int]]:
        for found in self.scan(space):
            yield found.key, found.size

    def scan(self, space: Space) -> Iterator[Found]:
        keys = self.iter_records(space)
        while batch := list(itertools.islice(keys, _IN_FLIGHT)):
            yield from self._stat_together(space, batch)

    def _stat_together(self, space: Space, keys: list[str]) -> list[Found]:
        found: list[Found] = []

        def start(key: str) -> Any:
            def take(_done: Any, size: int | None, at: time.struct_time | None) -> None:  # in a thread of librados
                if size is not None and at is not None:
                    found.append(Found(key, size, time.mktime(at) + 1))  # whole seconds: never earlier than the truth

            return self._call(self._io[space].aio_stat, key, take)

        pending = [start(key) for key in keys]
        for completion in pending:
            completion.wait_for_complete_and_cb()
            code = completion.get_return_value()
            if code < 0 and code != -errno.ENOENT:
                self._call(self._fail, -code)
        return found

    def read_record(self, space: Space, key: str) -> Record | None:
        try:
            raw = self._read_whole(space, key)
        except ObjectMissing:
            return None
        if len(raw) <= _VERSION.size:
            return None
        return Record(_VERSION.unpack_from(raw)[0], raw[_VERSION.size :])

    def _next_version(self, expected: int) -> int:
        # Random low bits keep clients with the same clock apart.
        with self._versions:
            now = (time.time_ns() & ~0xFFFF) | int.from_bytes(os.urandom(2), "big")
            self._last_version = max(now, self._last_version + 1, expected + 1)
            return self._last_version

    def cas_record(self, space: Space, key: str, expected: int, value: bytes | None) -> int:
        version = self._next_version(expected)

        def fill(operation: Any) -> None:
            if expected:
                operation.cmpext(_VERSION.pack(expected), 0)
            else:
                operation.new(self._rados.LIBRADOS_CREATE_EXCLUSIVE)
            if value is None:
                operation.remove()
            else:
                operation.write_full(_VERSION.pack(version) + value)

        if value is None and not expected:
            if self.read_record(space, key) is not None:
                raise RecordConflict(f"{space}/{key} exists")
            return version
        try:
            self._operate(space, key, fill)
        except ObjectMissing:
            raise RecordConflict(f"{space}/{key} is gone") from None
        except StoreUnavailable as error:
            if self._is_mismatch(error.__cause__):
                raise RecordConflict(f"{space}/{key} is not at version {expected}") from None
            raise
        return version

    def _is_mismatch(self, error: BaseException | None) -> bool:
        if isinstance(error, self._rados.ObjectExists | self._rados.ExtendMismatch):
            return True
        code: int = getattr(error, "errno", None) or 0
        return abs(code) >= _MISMATCH

    def iter_records(self, space: Space) -> Iterator[str]:
        objects = iter(self._call(self._io[space].list_objects))
        while (found := self._call(next, objects, None)) is not None:
            yield found.key

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            for session in self._sessions:
                session.close()
            for io in self._io.values():
                io.close()
            self._cluster.shutdown()
