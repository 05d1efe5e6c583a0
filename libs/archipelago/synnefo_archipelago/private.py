"""Private blocks: changeable, owned by one generation of one live volume, and possibly partial.

Layout: two copies of a table, then slots of one sub-block (64 KiB) each, twice as many as the block has sub-blocks.
The table says, for each sub-block, its slot (or: zeros; or: absent, look at the parent entry) and its xxh3-128, and
ends with its own checksum. New data goes to free slots and becomes durable before a table shows it; the first table
copy is written before the second. So a crash leaves the old content or the new, both verifiable, at every moment,
and a writer of 4 KiB in a shared block moves one sub-block and two tables.

Not for deciding who may write: that is the lease's and the volume's business.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from synnefo_archipelago import crash
from synnefo_archipelago.api import Data, Driver, Space
from synnefo_archipelago.entries import ENTRY_SIZE, PrivateId
from synnefo_archipelago.errors import CorruptData, ObjectMissing
from synnefo_archipelago.hashing import CHECK_BYTES, CHECK_SIZE, check

_MAGIC = b"SPRV"
_HEAD = struct.Struct(f">4sBBHQ32s{ENTRY_SIZE}sH6x")
_ALIGN = 4096
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


class PrivateBlocks:
    def __init__(self, driver: Driver, block_size: int) -> None:
        self._driver = driver
        self.sub_size = min(CHECK_SIZE, block_size)
        self.sub_count = block_size // self.sub_size
        size = _HEAD.size + self.sub_count * (2 + CHECK_BYTES) + CHECK_BYTES
        self._area = -(-size // _ALIGN) * _ALIGN

    def load(self, ident: bytes) -> Table:
        """The newest durable table. Raises `CorruptData` when the block is missing or both copies are damaged."""
        for _ in range(3):  # a writer may be between its two copies just now
            try:
                raw = self._driver.get(Space.PRIVATE, ident.hex(), 0, 2 * self._area)
            except ObjectMissing:
                raise CorruptData(f"private block {ident.hex()} is missing") from None
            first = _parse(ident, self.sub_count, raw[: self._area])
            second = _parse(ident, self.sub_count, raw[self._area :])
            if first is not None and (second is None or first.sequence >= second.sequence):
                return replace(first, twin_is_stale=second is None or second.sequence != first.sequence)
            if second is not None:
                return second
        raise CorruptData(f"both tables of private block {ident.hex()} are damaged")

    def read_slots(self, table: Table, first: int, count: int) -> Iterator[tuple[int, bytes | None]]:
        """(number, data) of sub-blocks in order, None for absent ones; slots that lie together are read together."""
        index = first
        while index < first + count:
            slot = table.slots[index]
            if slot in (ABSENT, ZEROS):
                yield index, None if slot == ABSENT else bytes(self.sub_size)
                index += 1
                continue
            run = 1
            while index + run < first + count and table.slots[index + run] == slot + run:
                run += 1
            data = self._get(table, slot, run)
            view = memoryview(data)
            for i in range(run):
                piece = view[i * self.sub_size : (i + 1) * self.sub_size]
                if check(piece) != table.sums[index + i]:
                    raise CorruptData(f"sub-block {index + i} of private block {table.ident.hex()} is damaged")
                yield index + i, data if run == 1 else bytes(piece)
            index += run

    def _get(self, table: Table, slot: int, run: int) -> bytes:
        offset = 2 * self._area + slot * self.sub_size
        try:
            data = self._driver.get(Space.PRIVATE, table.ident.hex(), offset, run * self.sub_size)
        except ObjectMissing:
            raise CorruptData(f"private block {table.ident.hex()} is missing") from None
        return data

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

    def update(self, table: Table, subs: Mapping[int, Data | None]) -> Table:
        """Change sub-blocks; durable when it returns. A crash leaves all of `table`, or all of the result."""
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
        new = replace(table, sequence=table.sequence + 1, slots=tuple(slots), sums=tuple(sums), twin_is_stale=False)
        packed = new.pack().ljust(self._area, b"\0")
        if self._driver.atomic_writes:
            self._driver.write_at(Space.PRIVATE, key, [*writes, (0, packed), (self._area, packed)])
        else:
            if table.twin_is_stale:
                writes.append((self._area, table.pack().ljust(self._area, b"\0")))
            # The sync makes the second copy of the last update durable, too, if it was not yet.
            self._driver.write_at(Space.PRIVATE, key, writes)
            crash.point("private.slots")
            self._driver.write_at(Space.PRIVATE, key, [(0, packed)])
            crash.point("private.table")
            self._driver.write_at(Space.PRIVATE, key, [(self._area, packed)], sync=False)
        if all(slot in (ABSENT, ZEROS) for slot in slots):
            self._driver.truncate(Space.PRIVATE, key, 2 * self._area)
        return new

    def delete(self, ident: bytes) -> bool:
        return self._driver.delete(Space.PRIVATE, ident.hex())
