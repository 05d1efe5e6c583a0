"""The block store: frozen data by root, live volumes by name.

The entry point of the library for services and tools. Blocking and thread-safe; `aio` has the same for asyncio.
Not here: deciding who may see what, and knowing which roots of frozen data exist. Both are the owning service's.
"""

import contextlib
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from synnefo_archipelago import claims, hashing
from synnefo_archipelago.api import DEFAULT_BLOCK_SIZE, Data, Driver, Space, Stats, VolumeInfo
from synnefo_archipelago.blocks import CasBlocks
from synnefo_archipelago.composing import Composer, Range
from synnefo_archipelago.entries import Kind, parse_entry, parse_private_id
from synnefo_archipelago.errors import (
    CorruptData,
    LeaseHeld,
    RecordConflict,
    StoreError,
    VolumeExists,
    VolumeNotFound,
)
from synnefo_archipelago.freeze import freeze_root
from synnefo_archipelago.holding import hold
from synnefo_archipelago.leases import Clock, Lease, LeaseRecord, Renewer, boot_time, fence_dead, live_lease, parse_lease
from synnefo_archipelago.maps import PageStore
from synnefo_archipelago.pace import Pace
from synnefo_archipelago.pausing import while_paused
from synnefo_archipelago.reader import BlockReader
from synnefo_archipelago.roots import Root, RootKind, as_snapshot
from synnefo_archipelago.volume import Volume
from synnefo_archipelago.writer import Writer

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@-]{0,199}")
_IO_THREADS = 6
_NO_ORIGIN = bytes(32)


def _wish(name: str) -> str:
    """The record that asks for a volume's lease; no volume's name begins so."""
    return f"@{name}"


class Store:
    def __init__(
        self,
        driver: Driver,
        *,
        block_size: int = DEFAULT_BLOCK_SIZE,
        clock: Clock = time.time,
        monotonic: Clock = boot_time,
    ) -> None:
        if block_size < 4096 or block_size & (block_size - 1):
            raise ValueError(f"a block size is a power of two from 4096, not {block_size}")
        self.driver = driver
        self.block_size = block_size
        self._clock = clock
        self._monotonic = monotonic
        self._cas = CasBlocks(driver)
        self._pages = PageStore(driver)
        self._executor = ThreadPoolExecutor(_IO_THREADS, thread_name_prefix="archipelago")
        self._reader = BlockReader(driver, self._cas, self._pages, self._executor)
        self._composer = Composer(self._cas, self._pages, self._reader, executor=self._executor)
        self._hashers = ThreadPoolExecutor(os.cpu_count() or 2, thread_name_prefix="archipelago-hash")
        self._renewer = Renewer()
        self._open: dict[str, Volume] = {}
        self._lock = threading.Lock()

    # Whose it is

    def claim(self, names: Sequence[str]) -> str:
        """See `claims.claim`."""
        return claims.claim(self.driver, names)

    def mark(self) -> str | None:
        """By which two services can tell that they mean the same store; None before it is claimed."""
        return claims.mark_of(self.driver)

    # Frozen data

    def writer(self, *, extra_hashes: Iterable[str] = (), block_size: int | None = None) -> Writer:
        """A writer of one new object. `extra_hashes` are names of `hashlib`, computed beside in another thread."""
        return Writer(
            self._cas, self._pages, storing=self._executor, hashing=self._hashers,
            block_size=block_size or self.block_size, extra_hashes=extra_hashes,
        )  # fmt: skip

    def read(self, root: Root, offset: int, length: int) -> bytes:
        """Verified bytes of a range within the root's size; zeros for holes. Raises `CorruptData`."""
        pieces = list(self._reader.ranges(root, offset, length, root.block_size))
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def iter_range(self, root: Root, offset: int = 0, length: int | None = None, *, chunk_bytes: int = 1 << 20) -> Iterator[bytes]:
        """The same in pieces. A piece is verified before it is yielded; an error may come after good pieces."""
        if length is None:
            length = root.size - offset
        return self._reader.ranges(root, offset, length, chunk_bytes)

    def hashmap(self, root: Root) -> list[str]:
        """The hash of every block, in Pithos' form. Private blocks are read and hashed."""
        hashes = [hashing.ZERO_HASH.hex()] * root.block_count
        for index, entry in self._pages.entries(root):
            parsed = parse_entry(entry)
            if parsed.kind is Kind.CAS:
                hashes[index] = parsed.ident.hex()
            else:
                data = self._reader.block(entry, root.block_size, 0, root.block_size)
                hashes[index] = hashing.block_hash(data[: hashing.significant_length(data)]).hex()
        return hashes

    def merkle(self, root: Root) -> str | None:
        """Pithos' hash of a frozen root, from its map alone; None when some blocks are private, which have no hash yet."""
        hashes = [hashing.ZERO_HASH] * root.block_count
        for index, entry in self._pages.entries(root):
            parsed = parse_entry(entry)
            if parsed.kind is not Kind.CAS:
                return None
            hashes[index] = parsed.ident
        return hashing.merkle(hashes).hex()

    def put_block(self, data: Data) -> bytes:
        """Store one block, which does not end in a zero byte; its hash. For importers, with `save_map`."""
        digest = hashing.block_hash(data)
        self._cas.put(digest, data)
        return digest

    def save_map(self, size: int, block_size: int, pages: list[bytes]) -> tuple[bytes, bytes]:
        """Store a map given as its pages without trailing zero entries: (page ids, inline entries) of its root."""
        return self._pages.pack(size, block_size, pages)

    def diff(self, old: Root, new: Root) -> Iterator[tuple[int, int]]:
        """(offset, length) of the ranges in which two roots refer to different blocks; costs what differs.

        What is not in a range is equal. What is may be, too: the same data in a snapshot and in a frozen object is kept
        in different blocks. Not for roots of live volumes, whose blocks change in place.
        """
        if old.block_size != new.block_size:
            raise ValueError("the two roots have blocks of different sizes")
        if RootKind.VOLUME in (old.kind, new.kind):
            raise ValueError("the root of a live volume changes: make a snapshot")
        end = max(old.size, new.size)
        for first, count in self._pages.diff(old, new):
            offset = first * old.block_size
            yield offset, min(count * old.block_size, end - offset)

    def concat(self, roots: Iterable[Root]) -> Root:
        """One frozen root of the data of several, one after the other.

        Moves no data when all but the last are frozen and end at a block's end; else what is not aligned is rewritten.
        """
        parts = list(roots)
        block_size = parts[0].block_size if parts else self.block_size
        return self.compose([Range(part, 0, part.size) for part in parts], block_size=block_size)

    def from_hashes(self, size: int, hashes: Sequence[bytes]) -> Root:
        """A frozen root of `size` bytes made of blocks that are stored; marks them as referred to now.

        Raises `BlocksMissing`, and ValueError for blocks that cannot make `size` bytes.
        """
        return self._composer.from_hashes(size, hashes, self.block_size)

    def compose(self, ranges: Iterable[Range], *, block_size: int | None = None) -> Root:
        """A frozen root of ranges of others, one after the other. Whole blocks are not copied."""
        return self._composer.compose(ranges, block_size or self.block_size)

    def blocks(self, root: Root) -> list[tuple[bytes, int]]:
        """Hash and length of each content-addressed block that a root refers to; no zero blocks."""
        return list(self._composer.blocks(root))

    def freeze(
        self, root: Root, *, pace: Pace | None = None, done: Mapping[str, str] | None = None,
        remember: Callable[[dict[str, str]], None] = lambda _: None,
    ) -> Root:  # fmt: skip
        """The frozen root of a snapshot's bytes: private blocks become content-addressed ones, zeros become holes.

        `remember` gets what is done after each page; given as `done`, the work goes on from there. Raises `Stopped`.
        """
        return freeze_root(
            self._reader, self._cas, self._pages, root, pace=pace or Pace(), done=dict(done or {}), remember=remember
        )

    # Live volumes

    def create_volume(self, name: str, size: int, origin: Root | None = None) -> None:
        """A new volume of zeros, or a thin clone of `origin`; writes a root and nothing else.

        Does nothing when the volume exists and was created with the same size and origin; else `VolumeExists`.
        """
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name for a volume")
        if origin is not None and origin.kind is RootKind.VOLUME:
            raise ValueError("the root of a live volume changes: make a snapshot")
        if size <= 0 or (origin is not None and size < origin.size):
            raise ValueError(f"a volume of {size} bytes is too small")
        source = origin or Root(RootKind.FROZEN, size, self.block_size)
        root = Root(
            RootKind.VOLUME, size, source.block_size, source.pages, source.inline,
            generation=1, uuid=os.urandom(16), created_size=size,
            origin=origin.digest_bytes if origin else _NO_ORIGIN,
        )  # fmt: skip
        if origin is not None and not self.hold(origin):
            raise CorruptData("a page or block of the origin is missing")
        try:
            self.driver.cas_record(Space.VOLUME, name, 0, root.to_bytes())
        except RecordConflict:
            there, _ = self._root(name)
            if (there.created_size, there.origin, there.block_size) != (size, root.origin, root.block_size):
                raise VolumeExists(name) from None

    def hold(self, root: Root) -> bool:
        """Mark what a root refers to directly as used now, so that no collector takes it while it goes to a new owner.

        False when some of it is not there.
        """
        return hold(self.driver, root, self._executor)

    def _root(self, name: str) -> tuple[Root, int]:
        record = self.driver.read_record(Space.VOLUME, name)
        if record is None:
            raise VolumeNotFound(name)
        return Root.from_bytes(record.value), record.version

    def volume_info(self, name: str) -> VolumeInfo:
        root, _ = self._root(name)
        lease = live_lease(self.driver, name, self._clock)
        return VolumeInfo(
            name=name, size=root.size, block_size=root.block_size, uuid=root.uuid.hex(),
            generation=root.generation, epoch=root.epoch,
            origin=None if root.origin == _NO_ORIGIN else root.origin.hex(),
            leased_by=lease.owner if lease else None,
        )  # fmt: skip

    def list_volumes(self) -> Iterator[str]:
        return self.driver.iter_records(Space.VOLUME)

    def open_volume(self, name: str, *, owner: str, ttl_s: float = 30, force: bool = False) -> Volume:
        """Take the lease and open for writing. Raises `LeaseHeld`, `VolumeNotFound`.

        The epoch rises with every opening; the generation, too, when the last holder did not close properly. `force`
        takes a lease that is still held: for an operator, or an owner that knows that its former self is dead. Where the
        holder can be fenced, it loses its other volumes as well.
        """
        self._root(name)
        session = self.driver.session()
        lease = Lease(session, name, owner=owner, ttl_s=ttl_s, clock=self._clock, monotonic=self._monotonic)
        clean = lease.acquire(force=force)
        former = self._handle(name)
        if former is not None:
            former.cut_off()  # it may have our own session, which nobody would fence
        try:
            volume = Volume(
                session, self._reader, self._pages, self._executor,
                name=name, lease=lease, clean=clean, on_close=self._closed,
            )  # fmt: skip
        except StoreError:
            lease.release(clean=clean)
            raise
        with self._lock:
            self._open[name] = volume
        self._renewer.add(lease, ttl_s)
        return volume

    def last_holder(self, name: str) -> str | None:
        """Who had the lease last and did not give it back, whether or not it is over; None when it was given back."""
        record = self.driver.read_record(Space.LEASE, name)
        return None if record is None else parse_lease(record).owner

    def ask_for_lease(self, name: str, owner: str | None) -> None:
        """Tell the holder that `owner` wants the lease; None takes the wish back. A hint: the holder may never look."""
        key = _wish(name)
        record = self.driver.read_record(Space.LEASE, key)
        if (record.value.decode() if record else None) == owner:
            return
        with contextlib.suppress(RecordConflict):  # another has a wish just now: theirs will do
            self.driver.cas_record(Space.LEASE, key, record.version if record else 0, owner.encode() if owner else None)

    def lease_wanted_by(self, name: str) -> str | None:
        record = self.driver.read_record(Space.LEASE, _wish(name))
        return None if record is None else record.value.decode()

    def _closed(self, volume: Volume) -> None:
        self._renewer.remove(volume.lease)
        with self._lock:
            if self._open.get(volume.name) is volume:
                del self._open[volume.name]

    def _handle(self, name: str) -> Volume | None:
        with self._lock:
            return self._open.get(name)

    def read_volume(self, name: str, offset: int, length: int) -> bytes:
        """The committed state, without a lease: what is not flushed does not show."""
        root, _ = self._root(name)
        return self.read(root, offset, length)

    def snapshot_volume(self, name: str, *, wait_s: float = 0.0) -> Root:
        """A root of the volume as it is, which never changes. Writes one root, whatever the volume's size.

        A writer in this process is flushed first, one elsewhere is asked to step aside: only that writer knows what it has
        not flushed. Raises `LeaseHeld` when it has not after `wait_s`.
        """
        handle = self._handle(name)
        if handle is not None:
            return handle.snapshot()
        return while_paused(self, name, lambda: self._snapshot_unleased(name), wait_s=wait_s)

    def _snapshot_unleased(self, name: str) -> Root:
        while True:
            root, version = self._unleased(name)
            new = root.generation + 1
            # The epoch rises, too: a writer whose lease ran out must not go on in blocks that the snapshot shows.
            after = replace(root, generation=new, shared_below=new, epoch=root.epoch + 1)
            try:
                self.driver.cas_record(Space.VOLUME, name, version, after.to_bytes())
            except RecordConflict:
                continue
            self.hold(root)
            return as_snapshot(root)

    def grow_volume(self, name: str, new_size: int, *, wait_s: float = 0.0) -> None:
        """Make a volume larger; the new part reads as zeros. Raises `LeaseHeld` as `snapshot_volume` does."""
        handle = self._handle(name)
        if handle is not None:
            handle.grow(new_size)
            return
        while_paused(self, name, lambda: self._grow_unleased(name, new_size), wait_s=wait_s)

    def _grow_unleased(self, name: str, new_size: int) -> None:
        while True:
            root, version = self._unleased(name)
            if new_size < root.size:
                raise ValueError(f"volume {name} has {root.size} bytes already")
            if new_size == root.size:
                return
            after = replace(root, size=new_size, epoch=root.epoch + 1)
            try:
                self.driver.cas_record(Space.VOLUME, name, version, after.to_bytes())
            except RecordConflict:
                continue
            return

    def _unleased(self, name: str) -> tuple[Root, int]:
        root, version = self._root(name)
        lease: LeaseRecord | None = live_lease(self.driver, name, self._clock)
        if lease is not None:
            raise LeaseHeld(f"volume {name} is held by {lease.owner}")
        fence_dead(self.driver, name)
        return root, version

    def delete_volume(self, name: str) -> None:
        """Remove a volume. Raises `VolumeNotFound`, and `LeaseHeld` while anybody has it open.

        Deletes at once only those private blocks that were made after the last snapshot: no root but the volume's own
        ever referred to them. All others stay until a collector finds that no root needs them.
        """
        while True:
            root, version = self._unleased(name)
            try:
                self.driver.cas_record(Space.VOLUME, name, version, None)
            except RecordConflict:
                continue
            break
        lease = self.driver.read_record(Space.LEASE, name)
        if lease is not None:
            with contextlib.suppress(RecordConflict):  # somebody tries to open it, and will find no volume
                self.driver.cas_record(Space.LEASE, name, lease.version, None)
        self._delete_unshared(root)

    def _delete_unshared(self, root: Root) -> None:
        blocks = self._reader.private(root.block_size)
        try:
            for _, entry in self._pages.entries(root):
                parsed = parse_entry(entry)
                while parsed.kind is Kind.PRIVATE:
                    private = parse_private_id(parsed.ident)
                    if private.uuid != root.uuid or private.generation < root.shared_below:
                        break
                    table = blocks.load(parsed.ident)
                    blocks.delete(parsed.ident)
                    parsed = parse_entry(table.parent)
        except CorruptData:
            return  # the volume is gone; what cannot be read is the collector's

    def stats(self) -> Stats:
        """Count everything; takes time in proportion to the number of objects."""
        counts = {space: [0, 0] for space in (Space.CAS, Space.PRIVATE, Space.PAGE)}
        for space, count in counts.items():
            for _, size in self.driver.iter(space):
                count[0] += 1
                count[1] += size
        cas, private, page = counts[Space.CAS], counts[Space.PRIVATE], counts[Space.PAGE]
        return Stats(
            blocks=cas[0] + private[0], bytes=cas[1] + private[1], cas_blocks=cas[0], private_blocks=private[0],
            pages=page[0], page_bytes=page[1], volumes=sum(1 for _ in self.list_volumes()),
        )  # fmt: skip

    def close(self) -> None:
        """Stop the store's threads. Volumes that are still open lose what they did not flush."""
        self._renewer.stop()
        with self._lock:
            volumes = list(self._open.values())
        for volume in volumes:
            with contextlib.suppress(StoreError):  # its lease will run out
                volume.abandon()
        self._executor.shutdown()
        self._hashers.shutdown()
        self.driver.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
