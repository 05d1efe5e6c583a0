"""Private blocks: changeable, owned by one generation of one live volume, and possibly partial.

Layout: two copies of a table, then slots of one sub-block (64 KiB) each, twice as many as the block has sub-blocks.
The table says, for each sub-block, its slot (or: zeros; or: absent, look at the parent entry) and its xxh3-128, and
ends with its own checksum. New data goes to free slots and becomes durable before a table shows it; the first table
copy is written before the second. So a crash leaves the old content or the new, both verifiable, at every moment,
and a writer of 4 KiB in a shared block moves one sub-block and two tables.

Not for deciding who may write: that is the lease's and the volume's business.
"""

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from synnefo_archipelago import crash
from synnefo_archipelago.api import Data, Driver, Read, Space
from synnefo_archipelago.entries import ENTRY_SIZE, PrivateId
from synnefo_archipelago.errors import CorruptData, ObjectMissing
from synnefo_archipelago.hashing import CHECK_BYTES, CHECK_SIZE, check

_MAGIC = b"SPRV"
_HEAD = struct.Struct(f">4sBBHQ32s{ENTRY_SIZE}sH6x")
_ALIGN = 4096
_MOST_SUBS = 1024
_LOOKS = 3
"""A writer may be between the two copies of a table just when somebody reads."""
ABSENT = 0xFFFF
ZEROS = 0xFFFE
_NO_SUM = bytes(CHECK_BYTES)


@dataclass(frozen=True, slots=True)
class Table:
    ident: bytes
    sequence: int
    depth: int
    """How many private parents may have to be asked below this block."""
    parent: bytes
    slots: tuple[int, ...]
    sums: tuple[bytes, ...]
    twin_is_stale: bool = False
    """The second copy does not show this state, so the first must not be overwritten before it does."""
    copy: int = 0
    """Which of the two copies is known to show this state."""

    def pack(self) -> bytes:
        body = _HEAD.pack(_MAGIC, 1, 0, self.depth, self.sequence, self.ident, self.parent, len(self.slots))
        body += struct.pack(f">{len(self.slots)}H", *self.slots) + b"".join(self.sums)
        return body + check(body)


def _parse(ident: bytes, sub_count: int, raw: bytes) -> Table | None:
    size = _HEAD.size + sub_count * (2 + CHECK_BYTES)
    body = raw[:size]
    if len(raw) < size + CHECK_BYTES or check(body) != raw[size : size + CHECK_BYTES]:
        return None
    magic, version, flags, depth, sequence, name, parent, count = _HEAD.unpack_from(body)
    if (magic, version, flags, name, count) != (_MAGIC, 1, 0, ident, sub_count):
        raise CorruptData(f"private block {ident.hex()} has another format or name")
    at = _HEAD.size + 2 * sub_count
    slots = struct.unpack_from(f">{sub_count}H", body, _HEAD.size)
    sums = tuple(body[i : i + CHECK_BYTES] for i in range(at, size, CHECK_BYTES))
    return Table(ident, sequence, depth, parent, slots, sums)


def _area_of(sub_count: int) -> int:
    return -(-(_HEAD.size + sub_count * (2 + CHECK_BYTES) + CHECK_BYTES) // _ALIGN) * _ALIGN


def load_parent(driver: Driver, ident: bytes) -> bytes:
    """The parent entry of a block whose size nobody knows. Raises `ObjectMissing`, `CorruptData`."""
    for _ in range(_LOOKS):
        raw = driver.get(Space.PRIVATE, ident.hex(), 0, 2 * _area_of(_MOST_SUBS))
        for power in range(_MOST_SUBS.bit_length()):
            area = _area_of(1 << power)
            for at in (0, area):
                table = _parse(ident, 1 << power, raw[at : at + area])
                if table is not None:
                    return table.parent
    raise CorruptData(f"both tables of private block {ident.hex()} are damaged")


def verify_stored(ident: bytes, raw: bytes) -> None:
    """Both copies of the table, and all data that the newer one shows. Raises `CorruptData`.

    What lies in free slots is not looked at: nobody will read it before it is written anew.
    """
    for power in range(_MOST_SUBS.bit_length()):
        area, count = _area_of(1 << power), 1 << power
        copies = [_parse(ident, count, raw[at : at + area]) for at in (0, area)]
        tables = [table for table in copies if table is not None]
        if not tables:
            continue
        for number, table in enumerate(copies):
            at = number * area
            if table is None or raw[at : at + area] != table.pack().ljust(area, b"\0"):
                raise CorruptData(f"copy {number + 1} of the table of private block {ident.hex()} is damaged")
        _verify_slots(max(tables, key=lambda table: table.sequence), raw[2 * area :])
        return
    raise CorruptData(f"both tables of private block {ident.hex()} are damaged")


def _verify_slots(table: Table, data: bytes) -> None:
    # A block of a single sub-block may have one of any size: what its slots hold is told by their checksum only.
    sizes = [CHECK_SIZE] if len(table.slots) > 1 else [1 << power for power in range(12, 17)]
    for index, slot in enumerate(table.slots):
        if slot < ZEROS and not any(check(data[slot * size : (slot + 1) * size]) == table.sums[index] for size in sizes):
            raise CorruptData(f"sub-block {index} of private block {table.ident.hex()} is damaged")


class PrivateBlocks:
    def __init__(self, driver: Driver, block_size: int) -> None:
        self._driver = driver
        self.sub_size = min(CHECK_SIZE, block_size)
        self.sub_count = block_size // self.sub_size
        self._area = _area_of(self.sub_count)

    def load(self, ident: bytes) -> Table:
        """The newest durable table. Raises `CorruptData` when the block is missing or both copies are damaged."""
        for _ in range(_LOOKS):
            try:
                raw = self._driver.get(Space.PRIVATE, ident.hex(), 0, 2 * self._area)
            except ObjectMissing:
                raise CorruptData(f"private block {ident.hex()} is missing") from None
            first = _parse(ident, self.sub_count, raw[: self._area])
            second = _parse(ident, self.sub_count, raw[self._area :])
            if first is not None and (second is None or first.sequence >= second.sequence):
                return replace(first, twin_is_stale=second is None or second.sequence != first.sequence)
            if second is not None:
                return replace(second, copy=1)
        raise CorruptData(f"both tables of private block {ident.hex()} are damaged")

    def read_slots(self, table: Table, first: int, count: int) -> Iterator[tuple[int, bytes | None]]:
        """(number, data) of sub-blocks in order, None for absent ones; slots that lie together are read together."""
        runs = list(self._runs(table, first, count))
        stored = iter(self._get(table, [(table.slots[index], run) for index, run, slot in runs if slot < ZEROS]))
        for start, run, slot in runs:
            if slot >= ZEROS:
                yield start, None if slot == ABSENT else bytes(self.sub_size)
                continue
            data = next(stored)
            view = memoryview(data)
            for i in range(run):
                piece = view[i * self.sub_size : (i + 1) * self.sub_size]
                if check(piece) != table.sums[start + i]:
                    raise CorruptData(f"sub-block {start + i} of private block {table.ident.hex()} is damaged")
                yield start + i, data if run == 1 else bytes(piece)

    @staticmethod
    def _runs(table: Table, first: int, count: int) -> Iterator[tuple[int, int, int]]:
        """(number, how many, slot) of sub-blocks that lie together; absent ones and zeros one by one."""
        index = first
        while index < first + count:
            slot = table.slots[index]
            run = 1
            while slot < ZEROS and index + run < first + count and table.slots[index + run] == slot + run:
                run += 1
            yield index, run, slot
            index += run

    def _get(self, table: Table, runs: list[tuple[int, int]]) -> list[bytes]:
        key, sub = table.ident.hex(), self.sub_size
        try:
            return self._driver.get_many(
                [Read(Space.PRIVATE, key, 2 * self._area + slot * sub, run * sub) for slot, run in runs]
            )
        except ObjectMissing:
            raise CorruptData(f"private block {key} is missing") from None

    def create(self, private: PrivateId, parent: bytes, *, depth: int, subs: Mapping[int, Data | None]) -> Table:
        """Store a new block, whole and durable. `subs` has data by sub-block, None for zeros.

        Whatever an interrupted creation under the same name left is replaced.
        """
        slots, sums = [ABSENT] * self.sub_count, [_NO_SUM] * self.sub_count
        pieces: list[Data] = []
        for index in sorted(subs):
            data = subs[index]
            if data is None:
                slots[index] = ZEROS
            else:
                slots[index], sums[index] = len(pieces), check(data)
                pieces.append(data)
        table = Table(private.pack(), 1, depth, parent, tuple(slots), tuple(sums))
        packed = table.pack().ljust(self._area, b"\0")
        self._driver.put(Space.PRIVATE, table.ident.hex(), [packed, packed, *pieces], replace=True)
        return table

    def update(
        self, table: Table, subs: Mapping[int, Data | None], ensure_time: Callable[[], None] = lambda: None
    ) -> Table:
        """Change sub-blocks; durable when it returns. A crash leaves all of `table`, or all of the result.

        `ensure_time` raises when the caller may not change anything any more; asked last before the change shows.
        Raises `RecordConflict` when the block does not show `table`: somebody else changed it.
        """
        key = table.ident.hex()
        used = set(table.slots)
        free = (slot for slot in range(2 * self.sub_count) if slot not in used)
        slots, sums = list(table.slots), list(table.sums)
        writes: list[tuple[int, Data]] = []
        for index in sorted(subs):
            data = subs[index]
            if data is None:
                slots[index], sums[index] = ZEROS, _NO_SUM
            else:
                slots[index], sums[index] = next(free), check(data)
                writes.append((2 * self._area + slots[index] * self.sub_size, data))
        new = replace(
            table, sequence=table.sequence + 1, slots=tuple(slots), sums=tuple(sums), twin_is_stale=False, copy=0
        )
        packed = new.pack().ljust(self._area, b"\0")
        known = (table.copy * self._area, table.pack())
        if self._driver.atomic_writes:
            ensure_time()
            self._driver.write_at(
                Space.PRIVATE, key, [*writes, (0, packed), (self._area, packed)], expected=known
            )
        else:
            if table.twin_is_stale:
                writes.append((self._area, table.pack().ljust(self._area, b"\0")))
            # The sync makes the second copy of the last update durable, too, if it was not yet.
            self._driver.write_at(Space.PRIVATE, key, writes, expected=known)
            crash.point("private.slots")
            ensure_time()
            self._driver.write_at(Space.PRIVATE, key, [(0, packed)], expected=known)
            crash.point("private.table")
            self._driver.write_at(Space.PRIVATE, key, [(self._area, packed)], sync=False)
        if all(slot in (ABSENT, ZEROS) for slot in slots):
            self._driver.truncate(Space.PRIVATE, key, 2 * self._area)
        return new

    def delete(self, ident: bytes) -> bool:
        return self._driver.delete(Space.PRIVATE, ident.hex())
