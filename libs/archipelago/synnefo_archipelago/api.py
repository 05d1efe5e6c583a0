"""What the block store's parts promise each other, and the small values that callers get.

For protocols and result types; no behaviour lives here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

Data = bytes | bytearray | memoryview

DEFAULT_BLOCK_SIZE = 4 << 20


class Space(StrEnum):
    """The kinds of things that a driver keeps, each with its own keys."""

    CAS = "cas"  # content-addressed blocks: immutable
    PAGE = "page"  # pages of maps: immutable, content-addressed
    PRIVATE = "priv"  # blocks that one volume may still change
    VOLUME = "vol"  # records: roots of live volumes
    LEASE = "lease"  # records: who may write to a volume
    CLAIM = "claim"  # one record: which pool the store is


class Record(NamedTuple):
    version: int
    value: bytes


class Found(NamedTuple):
    """An object as a listing saw it."""

    key: str
    size: int
    touched_at: float
    """Seconds since the epoch of the last put, write or mark of use; up to `touch_slack_s` earlier than the truth, or a
    second later where only seconds are told."""


class Read(NamedTuple):
    """A part of an object that is wanted."""

    space: Space
    key: str
    offset: int
    length: int


class Driver(Protocol):
    """A dumb, thread-safe, blocking store of objects and of versioned records.

    Every method may raise `StoreFull` or `StoreUnavailable`. What returned is durable, unless said otherwise.
    """

    atomic_writes: bool
    """Whether one `write_at` is all-or-nothing after a crash, whatever the number of its pieces."""

    touch_slack_s: float
    """A mark of use younger than this is not renewed, and times may be that much too early."""

    reads_ahead: int
    """Pieces of a range worth having under way at once; 0 where reading is quicker than handing over."""

    @property
    def identity(self) -> str:
        """What `fence` needs to cut this driver off; empty where nothing can."""
        ...

    def session(self) -> "Driver":
        """The driver to change a leased volume with, which may be fenced without harm to this one. Never mended:

        after it was fenced, it fails for good, and the next call of this method gives another one.
        """
        ...

    def fence(self, identity: str) -> None:
        """Whatever this driver reads after this returned, nothing that was begun under that identity changes any more.

        Does nothing for the empty identity and for one's own.
        """

    def get(self, space: Space, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """Bytes from `offset`; fewer than `length` at the end of the object. Raises `ObjectMissing`."""
        ...

    def get_many(self, reads: Sequence[Read]) -> list[bytes]:
        """The same for several parts, side by side where that helps."""
        ...

    def put(self, space: Space, key: str, pieces: Sequence[Data], *, replace: bool = False) -> bool:
        """Store the joined pieces whole, or not at all. False, and no change but a mark of use, when the key
        exists; or replace it."""

    def write_at(
        self, space: Space, key: str, pieces: Sequence[tuple[int, Data]], *,
        sync: bool = True, expected: tuple[int, bytes] | None = None,
    ) -> None:  # fmt: skip
        """Overwrite parts of an existing object; durable only when `sync`. Raises `ObjectMissing`.

        With `expected` (an offset and the bytes to be found there) only if they are there, else `RecordConflict`; in
        the same atomic operation where writes are atomic, just before otherwise.
        """

    def truncate(self, space: Space, key: str, size: int) -> None:
        """Cut an existing object. A hint: a driver may do nothing. Raises `ObjectMissing`."""

    def touch(self, space: Space, key: str) -> int | None:
        """The object's size, and a mark that somebody refers to it now; None when there is no such object.

        Not None means: no `delete_unused` with a `since` of more than `touch_slack_s` ago removes it any more.
        """

    def delete(self, space: Space, key: str) -> bool:
        """Remove an object; False when it was not there."""

    def delete_unused(self, space: Space, key: str, since: float) -> bool:
        """Remove an object unless it was put, written or touched at `since` or later; whether it was removed.

        `since` must be more than `touch_slack_s` ago. Atomic beside `touch` and `put` of the same key.
        """
        ...

    def tidy(self, before: float) -> int:
        """Undo removals that a crash interrupted, and drop unfinished writes older than `before`; how many of these."""
        ...

    def scan(self, space: Space) -> Iterator[Found]:
        """As `iter`, with the time of the last use."""
        ...

    def iter(self, space: Space) -> Iterator[tuple[str, int]]:
        """Keys and sizes of objects, in no order; changes made meanwhile may or may not be seen."""

    def read_record(self, space: Space, key: str) -> Record | None: ...

    def cas_record(self, space: Space, key: str, expected: int, value: bytes | None) -> int:
        """Replace a record if it is at version `expected` (0: absent); None deletes. Returns the new version.

        Raises `RecordConflict`. A version that was seen is never seen again for that key with another value.
        """

    def iter_records(self, space: Space) -> Iterator[str]: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class VolumeInfo:
    name: str
    size: int
    block_size: int
    uuid: str
    generation: int
    epoch: int
    origin: str | None
    """The digest of the root that it was cloned from."""
    leased_by: str | None


@dataclass(frozen=True, slots=True)
class Stats:
    """What is stored, counted by listing it: for operators and tests, not for a request's path."""

    blocks: int
    """Block objects, content-addressed and private together."""
    bytes: int
    """Their stored size, with checksums."""
    cas_blocks: int
    private_blocks: int
    pages: int
    page_bytes: int
    volumes: int
