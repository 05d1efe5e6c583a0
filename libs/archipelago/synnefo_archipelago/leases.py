"""Leases: who may write to a volume, until when.

A lease is a versioned record, so it works wherever records do. It keeps two writers apart in good times; what protects
the data in bad ones is the epoch in the volume's root, which every exchange of the root compares. A holder stops
writing when its own (monotonic) time is up, a contender waits a little longer than the record says, so that clocks
need to agree only roughly.
"""

import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from synnefo_archipelago.api import Driver, Record, Space
from synnefo_archipelago.errors import CorruptData, Fenced, LeaseHeld, LeaseLost, RecordConflict, RecordOvertaken, StoreError
from synnefo_archipelago.hashing import check

Clock = Callable[[], float]
_SKEW = 0.1
"""Fraction of the time to live that a contender waits beyond the end."""


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    owner: str
    cookie: str
    ttl_s: float
    expires_at: float
    identity: str = ""
    """What a driver needs to fence the holder; empty when it cannot, or when the holder stopped by itself."""
    unfenced: tuple[str, ...] = ()
    """Holders before, of which it is not known that they were fenced."""

    @property
    def to_fence(self) -> tuple[str, ...]:
        return tuple(i for i in dict.fromkeys((self.identity, *self.unfenced)) if i)

    def is_live(self, now: float) -> bool:
        return now < self.expires_at + self.ttl_s * _SKEW

    def pack(self) -> bytes:
        fields = asdict(self)
        return json.dumps({**fields, "sum": _sum(fields)}).encode()


def _sum(fields: dict[str, Any]) -> str:
    return check(json.dumps(fields, sort_keys=True).encode()).hex()


def parse_lease(record: Record) -> LeaseRecord:
    try:
        fields = json.loads(record.value)
        # Leases of former versions have no sum; but one whose name was damaged is no field that is known.
        if fields.pop("sum", None) not in (None, _sum(fields)) or not fields.keys() <= set(LeaseRecord.__slots__):
            raise CorruptData("a lease does not match its checksum")
        return LeaseRecord(
            fields["owner"], fields["cookie"], float(fields["ttl_s"]), float(fields["expires_at"]),
            str(fields.get("identity", "")), tuple(map(str, fields.get("unfenced", ()))),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptData("a lease cannot be read") from error


def boot_time() -> float:
    """A clock that goes on while the machine sleeps, as leases do."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def fence_dead(driver: Driver, name: str) -> None:
    """Cut off whoever held the lease and did not give it back: before a volume is changed without a lease."""
    record = driver.read_record(Space.LEASE, name)
    if record is not None:
        for identity in parse_lease(record).to_fence:
            driver.fence(identity)


def live_lease(driver: Driver, name: str, clock: Clock) -> LeaseRecord | None:
    """The lease that forbids others to write now, if there is one."""
    record = driver.read_record(Space.LEASE, name)
    if record is None:
        return None
    lease = parse_lease(record)
    return lease if lease.is_live(clock()) else None


class Lease:
    """One holder's lease of one volume. Thread-safe."""

    def __init__(self, driver: Driver, name: str, *, owner: str, ttl_s: float, clock: Clock, monotonic: Clock) -> None:
        self._driver = driver
        self._name = name
        self._owner = owner
        self._ttl_s = ttl_s
        self._clock = clock
        self._monotonic = monotonic
        self._cookie = os.urandom(16).hex()
        self._version = 0
        self._renewed = 0.0
        self._unfenced: tuple[str, ...] = ()
        self._lock = threading.Lock()

    def acquire(self, *, force: bool = False) -> bool:
        """Take the lease. Returns whether its last holder had given it back properly. Raises `LeaseHeld`.

        A holder that did not is fenced before this returns, so that nothing of it arrives later.
        """
        with self._lock:
            record = self._driver.read_record(Space.LEASE, self._name)
            if record is not None:
                held = parse_lease(record)
                if held.is_live(self._clock()) and not force:
                    raise LeaseHeld(f"volume {self._name} is held by {held.owner}")
                # In the record until it is done: whoever comes after us if we die here fences them, too.
                self._unfenced = held.to_fence
            try:
                self._write(record.version if record else 0)
            except (RecordConflict, RecordOvertaken):
                raise LeaseHeld(f"volume {self._name}: another took the lease just now") from None
            try:
                for identity in self._unfenced:
                    self._driver.fence(identity)
            except StoreError:
                self._give_back(clean=False)
                raise
            self._unfenced = ()
            return record is None

    def _write(self, expected: int) -> None:
        started = self._monotonic()
        expires_at = self._clock() + self._ttl_s
        value = LeaseRecord(
            self._owner, self._cookie, self._ttl_s, expires_at, self._driver.identity, self._unfenced
        )
        self._version = self._driver.cas_record(Space.LEASE, self._name, expected, value.pack())
        self._renewed = started

    def check(self) -> None:
        """Renew when a third of the time has gone. Raises `LeaseLost`."""
        with self._lock:
            if self._monotonic() - self._renewed < self._ttl_s / 3:
                return
            try:
                self._write(self._version)
            except (RecordConflict, RecordOvertaken):
                record = self._driver.read_record(Space.LEASE, self._name)
                if record is None or parse_lease(record).cookie != self._cookie:
                    raise LeaseLost(f"the lease of volume {self._name} was taken over") from None
                self._write(record.version)  # an earlier renewal did arrive, only its answer did not

    def has_time(self) -> bool:
        """Whether the holder may still begin a change without asking anybody."""
        return self._monotonic() - self._renewed < self._ttl_s

    def release(self, *, clean: bool = True) -> None:
        """Give the lease back. An unclean one makes the next holder start a new generation."""
        with self._lock:
            self._give_back(clean=clean)

    def _give_back(self, *, clean: bool) -> None:
        ended = LeaseRecord(self._owner, self._cookie, self._ttl_s, 0.0, unfenced=self._unfenced)
        try:
            self._driver.cas_record(Space.LEASE, self._name, self._version, None if clean else ended.pack())
        except (RecordConflict, RecordOvertaken, Fenced):
            return  # it is another's by now


class Renewer:
    """One thread that keeps the leases of a store's open volumes alive while nobody uses them."""

    def __init__(self) -> None:
        self._leases: set[Lease] = set()
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._interval_s = 1.0
        self._stopped = False

    def add(self, lease: Lease, ttl_s: float) -> None:
        with self._lock:
            self._leases.add(lease)
            self._interval_s = min(self._interval_s, ttl_s / 6)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="archipelago-leases", daemon=True)
                self._thread.start()

    def remove(self, lease: Lease) -> None:
        with self._lock:
            self._leases.discard(lease)

    def stop(self) -> None:
        self._stopped = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._wake.wait(self._interval_s):
            with self._lock:
                leases = list(self._leases)
            for lease in leases:
                try:
                    lease.check()
                except StoreError:
                    # The volume finds out when it is used next; meanwhile trying again costs little.
                    continue
