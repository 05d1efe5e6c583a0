"""An open volume: reads, and writes that are kept in memory until `flush`, as a disk with a write cache does.

Only the holder of the lease has one. Blocks are copied on write by generation: a block is changed in place only when it
is private to this volume's present generation, so a snapshot needs to write nothing but a root.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import replace

from synnefo_archipelago import crash
from synnefo_archipelago.api import Data, Driver, Space
from synnefo_archipelago.cache import Cache
from synnefo_archipelago.entries import ZERO_ENTRY, Kind, PrivateId, pack_private, parse_entry, parse_private_id
from synnefo_archipelago.errors import Fenced, LeaseLost, ObjectMissing, RecordConflict, StoreUnavailable, VolumeNotFound
from synnefo_archipelago.holding import hold
from synnefo_archipelago.leases import Lease
from synnefo_archipelago.maps import LiveMap, PageStore
from synnefo_archipelago.private import PrivateBlocks, Table
from synnefo_archipelago.reader import BlockReader, KnownTables
from synnefo_archipelago.roots import Root, as_snapshot

_DIRTY_LIMIT = 32 << 20
_TABLES = 4096
_MAX_DEPTH = 8
"""Partial blocks below partial blocks; the next copy is a full one."""


class Volume:
    """Thread-safe. After `LeaseLost` nothing works any more but `abandon`."""

    def __init__(
        self, driver: Driver, reader: BlockReader, pages: PageStore, executor: Executor, *,
        name: str, lease: Lease, clean: bool, on_close: Callable[["Volume"], None],
    ) -> None:  # fmt: skip
        self.name = name
        self._driver = driver
        self._reader = reader
        self._executor = executor
        self._lease = lease
        self._on_close = on_close
        self._lock = threading.RLock()
        self._state = "open"
        self._dirty: dict[int, dict[int, bytearray | None]] = {}
        self._dirty_bytes = 0
        self._tables: Cache[bytes, Table] = Cache(_TABLES)
        root, self._version = self._enter(clean)
        self._map = LiveMap(pages, root)
        self._blocks = PrivateBlocks(driver, root.block_size)  # not the reader's: this one can be fenced
        self._sub = self._blocks.sub_size

    @property
    def lease(self) -> Lease:
        return self._lease

    @property
    def root(self) -> Root:
        """The committed root."""
        return self._map.root

    @property
    def size(self) -> int:
        return self._map.root.size

    @property
    def epoch(self) -> int:
        return self._map.root.epoch

    @property
    def generation(self) -> int:
        return self._map.root.generation

    def _enter(self, clean: bool) -> tuple[Root, int]:
        """Raise the epoch, so that whoever wrote before cannot exchange the root any more."""
        while True:
            record = self._driver.read_record(Space.VOLUME, self.name)
            if record is None:
                raise VolumeNotFound(self.name)
            old = Root.from_bytes(record.value)
            # After an unclean end, a writer that was cut off may still reach blocks of its generation: leave it to it.
            root = replace(old, epoch=old.epoch + 1, generation=old.generation + (0 if clean else 1))
            try:
                version = self._driver.cas_record(Space.VOLUME, self.name, record.version, root.to_bytes())
            except RecordConflict:
                continue
            return root, version

    def _ensure_open(self) -> None:
        if self._state == "lost":
            raise LeaseLost(f"volume {self.name} is another's now")
        if self._state != "open":
            raise ValueError(f"volume {self.name} is {self._state}")

    def _lost(self, why: str) -> LeaseLost:
        self._state = "lost"
        self._on_close(self)
        return LeaseLost(f"volume {self.name}: {why}")

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        """The lock, for changes of an open volume; to be fenced is to have lost the lease."""
        with self._lock:
            self._ensure_open()
            try:
                yield
            except Fenced as error:
                raise self._lost("this client was fenced") from error

    def table(self, blocks: PrivateBlocks, ident: bytes, *, fresh: bool) -> Table:
        """Tables for who has the lock: this handle is the only writer, so what it remembers is right."""
        found = None if fresh else self._tables.get(ident)
        if found is None:
            found = blocks.load(ident)
            self._tables.put(ident, found)
        return found

    def _spans(self, offset: int, length: int, *, unit: int) -> Iterator[tuple[int, int, int]]:
        """(number, start, count) of the units that a range touches."""
        end = offset + length
        while offset < end:
            number, start = divmod(offset, unit)
            count = min(unit - start, end - offset)
            yield number, start, count
            offset += count

    def _ensure_range(self, offset: int, length: int) -> None:
        if offset < 0 or length < 0 or offset + length > self.size:
            raise ValueError(f"range {offset}+{length} is outside of {self.size} bytes")

    def read(self, offset: int, length: int) -> bytes:
        """Verified bytes, with what was written and not yet flushed. Readers wait for storage side by side."""
        plan: list[bytes | tuple[bytes, int, int]] = []
        with self._lock:
            self._ensure_open()
            self._ensure_range(offset, length)
            block_size = self.root.block_size
            for index, start, count in self._spans(offset, length, unit=block_size):
                if self._dirty.get(index):
                    plan.append(self._read_dirty(index, start, count))
                else:
                    plan.append((self._map.get(index), start, count))
        tables = KnownTables(self._tables)

        def fetch(step: bytes | tuple[bytes, int, int]) -> bytes:
            return step if isinstance(step, bytes) else self._reader.block(step[0], block_size, *step[1:], tables)

        is_wide = len(plan) > 1 and self._driver.reads_ahead
        pieces = list(self._executor.map(fetch, plan) if is_wide else map(fetch, plan))
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _read_dirty(self, index: int, start: int, count: int) -> bytes:
        dirty = self._dirty[index]
        out = bytearray()
        clean = 0  # bytes just before the present position that nobody changed: read together
        for sub, at, length in self._spans(start, count, unit=self._sub):
            if sub not in dirty:
                clean += length
                continue
            out += self._stored(index, start + len(out), clean)
            clean = 0
            data = dirty[sub]
            out += bytes(length) if data is None else memoryview(data)[at : at + length]
        out += self._stored(index, start + len(out), clean)
        return bytes(out)

    def _stored(self, index: int, start: int, count: int) -> bytes:
        if not count:
            return b""
        return self._reader.block(self._map.get(index), self.root.block_size, start, count, self)

    def write(self, offset: int, data: Data) -> None:
        """Change bytes; others, and a crash, see it after the next `flush` (or when memory for changes is used up)."""
        view = memoryview(data).cast("B")
        with self._lock:
            self._ensure_open()
            self._ensure_range(offset, len(view))
            at = 0
            for index, start, count in self._spans(offset, len(view), unit=self.root.block_size):
                for sub, begin, length in self._spans(start, count, unit=self._sub):
                    self._write_sub(index, sub, begin, view[at : at + length])
                    at += length
            if self._dirty_bytes > _DIRTY_LIMIT:
                self.flush()

    def _write_sub(self, index: int, sub: int, start: int, data: memoryview) -> None:
        dirty = self._dirty.setdefault(index, {})
        current = dirty.get(sub)
        if current is None:
            if len(data) == self._sub:
                current = bytearray(data)
            else:
                current = bytearray(self._sub) if sub in dirty else bytearray(
                    self._reader.block(self._map.get(index), self.root.block_size, sub * self._sub, self._sub, self)
                )  # fmt: skip
            dirty[sub] = current
            self._dirty_bytes += self._sub
        current[start : start + len(data)] = data

    def write_zeroes(self, offset: int, length: int) -> None:
        """Make a range read as zeros. Whole blocks and 64 KiB pieces of them cost no data."""
        with self._lock:
            self._ensure_open()
            self._ensure_range(offset, length)
            for index, start, count in self._spans(offset, length, unit=self.root.block_size):
                if index not in self._dirty and self._map.get(index) == ZERO_ENTRY:
                    continue
                if count == self.root.block_size:
                    self._zero_block(index)
                    continue
                for sub, begin, part in self._spans(start, count, unit=self._sub):
                    if part < self._sub:
                        self._write_sub(index, sub, begin, memoryview(bytes(part)))
                    else:
                        self._forget(index, sub)
                        self._dirty.setdefault(index, {})[sub] = None

    def trim(self, offset: int, length: int) -> None:
        """Discard a range; it reads as zeros."""
        self.write_zeroes(offset, length)

    def _forget(self, index: int, sub: int) -> None:
        if self._dirty.get(index, {}).pop(sub, None) is not None:
            self._dirty_bytes -= self._sub

    def _zero_block(self, index: int) -> None:
        for sub in list(self._dirty.get(index, {})):
            self._forget(index, sub)
        if self._is_own(self._map.get(index)):
            # The committed map shows this block until the next flush, and a later write would use its name again:
            # so it stays, and its table says zeros.
            self._dirty[index] = dict.fromkeys(range(self._blocks.sub_count))
        else:
            self._dirty.pop(index, None)
            self._map.set(index, ZERO_ENTRY)

    def _is_own(self, entry: bytes) -> bool:
        parsed = parse_entry(entry)
        if parsed.kind is not Kind.PRIVATE:
            return False
        private = parse_private_id(parsed.ident)
        return private.uuid == self.root.uuid and private.generation == self.root.generation

    def flush(self) -> None:
        """Make everything written so far durable and visible. After an error it may be called again."""
        with self._changing():
            if not self._dirty and not self._map.is_dirty:
                return
            self._ensure_fenced()
            self._store_dirty()
            if self._map.is_dirty:
                self._exchange(self.root)

    def _ensure_fenced(self) -> None:
        """Before blocks are changed in place: is this still ours?"""
        self._ensure_leased()
        record = self._driver.read_record(Space.VOLUME, self.name)
        if record is None or Root.from_bytes(record.value).epoch != self.epoch:
            raise self._lost("its root has a newer epoch")

    def _ensure_leased(self) -> None:
        try:
            self._lease.check()
        except LeaseLost as error:
            raise self._lost(str(error)) from error
        self._ensure_time()

    def _ensure_time(self) -> None:
        if not self._lease.has_time():
            raise StoreUnavailable(f"volume {self.name}: renewing the lease took longer than the lease")

    def _store_dirty(self) -> None:
        """Store changed blocks side by side. What was stored is forgotten even when another block fails."""
        jobs = [(index, self._map.get(index), self._dirty[index]) for index in sorted(self._dirty)]
        futures = [self._executor.submit(self._store_block, *job) for job in jobs]
        failed: BaseException | None = None
        for (index, entry, subs), future in zip(jobs, futures, strict=True):
            error = future.exception()
            if error is not None:
                failed = failed or error
                continue
            if future.result() != entry:
                self._map.set(index, future.result())
            self._dirty_bytes -= self._sub * sum(data is not None for data in subs.values())
            del self._dirty[index]
        if isinstance(failed, LeaseLost):
            raise self._lost(str(failed)) from failed
        if failed is not None:
            raise failed

    def _store_block(self, index: int, entry: bytes, subs: dict[int, bytearray | None]) -> bytes:
        """Make one block's changes durable; returns its new entry. Runs in another thread, the caller has the lock."""
        self._lease.check()
        if self._is_own(entry):
            ident = parse_entry(entry).ident
            self._tables.put(ident, self._update(ident, subs))
            return entry
        if all(data is None for data in subs.values()) and (entry == ZERO_ENTRY or len(subs) == self._blocks.sub_count):
            return ZERO_ENTRY
        private = PrivateId(self.root.uuid, self.root.generation, index)
        parsed = parse_entry(entry)
        depth = 0
        if parsed.kind is Kind.PRIVATE:
            depth = self.table(self._blocks, parsed.ident, fresh=False).depth + 1
        full: dict[int, Data | None] = dict(subs)
        if entry != ZERO_ENTRY and (depth > _MAX_DEPTH or 2 * len(subs) > self._blocks.sub_count):
            for sub in set(range(self._blocks.sub_count)) - subs.keys():
                full[sub] = self._reader.block(entry, self.root.block_size, sub * self._sub, self._sub, self)
        if len(full) == self._blocks.sub_count:
            entry, depth = ZERO_ENTRY, 0
        table = self._blocks.create(private, entry, depth=depth, subs=full)
        self._tables.put(table.ident, table)
        return pack_private(private)

    def _update(self, ident: bytes, subs: dict[int, bytearray | None]) -> Table:
        try:
            return self._blocks.update(self.table(self._blocks, ident, fresh=False), subs, self._ensure_time)
        except (RecordConflict, ObjectMissing):
            record = self._driver.read_record(Space.VOLUME, self.name)
            if record is None or Root.from_bytes(record.value).epoch != self.epoch:
                raise LeaseLost(f"volume {self.name}: another changed its blocks") from None
            # Still ours: an earlier update did arrive, only its answer did not.
            return self._blocks.update(self.table(self._blocks, ident, fresh=True), subs, self._ensure_time)

    def _exchange(self, wanted: Root) -> None:
        """Commit the map under the root `wanted`. The only way in which a volume's root changes while it is open."""
        pages, inline = self._map.pack(wanted.size)
        root = wanted.with_map(pages, inline)
        blob = root.to_bytes()
        crash.point("root.cas")
        for last in (False, True):
            try:
                self._version = self._driver.cas_record(Space.VOLUME, self.name, self._version, blob)
                break
            except RecordConflict:
                record = self._driver.read_record(Space.VOLUME, self.name)
                if last or record is None or Root.from_bytes(record.value).epoch != self.epoch:
                    raise self._lost("its root was exchanged by another") from None
                # Nobody else has this epoch: an earlier exchange did arrive, only its answer did not.
                self._version = record.version
        crash.point("root.done")
        self._map.committed(root)

    def snapshot(self) -> Root:
        """Flush, and return a root that never changes. Costs one root, whatever the size."""
        with self._changing():
            self.flush()
            self._ensure_fenced()
            root = self.root
            new = root.generation + 1
            self._exchange(replace(root, generation=new, shared_below=new))
            hold(self._driver, root, self._executor)
            return as_snapshot(root)

    def grow(self, new_size: int) -> None:
        with self._changing():
            if new_size < self.size:
                raise ValueError(f"volume {self.name} has {self.size} bytes already")
            self.flush()
            if new_size > self.size:
                self._ensure_fenced()
                self._exchange(replace(self.root, size=new_size))

    def cut_off(self) -> None:
        """Another handle of this process took the volume over: this one changes nothing any more."""
        with self._lock:
            if self._state == "open":
                self._lost("opened anew")

    def close(self) -> None:
        """Flush and give the lease back. When flushing fails the volume stays open."""
        with self._lock:
            if self._state in ("closed", "abandoned"):
                return
            self.flush()
            self._state = "closed"
            self._leave(clean=True)

    def abandon(self) -> None:
        """Forget what was not flushed and give the lease back."""
        with self._lock:
            if self._state in ("closed", "abandoned"):
                return
            self._state = "abandoned"
            self._dirty.clear()
            self._leave(clean=False)

    def _leave(self, *, clean: bool) -> None:
        try:
            self._lease.release(clean=clean)
        finally:
            self._on_close(self)  # or the lease would be renewed for ever

    def __enter__(self) -> "Volume":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()
