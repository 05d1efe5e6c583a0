"""The scrubber: reads everything that is stored and says what is damaged. It removes nothing.

A damaged content-addressed block gets a mark behind its end: readers do not see it, but the next upload of the same
data finds the wrong length and stores the block anew.
"""

import hashlib
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from synnefo_archipelago.api import Driver, Space
from synnefo_archipelago.blocks import head_size, parse_head, stored_length, verify
from synnefo_archipelago.errors import CorruptData, ObjectMissing
from synnefo_archipelago.leases import parse_lease
from synnefo_archipelago.maps import PageStore
from synnefo_archipelago.pace import Pace
from synnefo_archipelago.private import verify_stored
from synnefo_archipelago.roots import Root
from synnefo_archipelago.spool import NAME, SPACES, Spool, divide, load_json, name_of, parse_name, partition_count, read_records, save_json
from synnefo_archipelago.store import Store

_MARK = b"DAMAGED\n"
_CHECKPOINT = 500
_MOST_LISTED = 1000
_LOOKS = 3
_PAUSE_S = 0.05


@dataclass
class ScrubReport:
    objects: int = 0
    bytes: int = 0
    records: int = 0
    damaged: list[dict[str, str]] = field(default_factory=list)
    """`object` (kind/name) and `why`; the first thousand."""
    damaged_count: int = 0

    def add(self, what: str, why: object) -> None:
        self.damaged_count += 1
        if len(self.damaged) < _MOST_LISTED:
            self.damaged.append({"object": what, "why": str(why)})


def scrub_store(store: Store, folder: Path, *, pace: Pace | None = None) -> ScrubReport:
    """Read all, from where a former call was stopped. Raises `Stopped`, and what the driver raises."""
    driver, pace = store.driver, pace or Pace()
    folder.mkdir(parents=True, exist_ok=True)
    state: dict[str, Any] = load_json(folder / "scrub.json") or _list_objects(driver, folder, pace)
    report = ScrubReport(**state["report"])
    pace.begin("scrubbing", total=state["total"], done=state["at"])
    seen = 0
    for number in range(state["partitions"]):
        for name in sorted(read_records(folder / "parts" / str(number), NAME)):
            seen += 1
            if seen <= state["at"]:
                continue
            space, key = parse_name(name)
            size = _check(driver, space, key, report)
            report.objects += 1
            report.bytes += size
            pace.step(1, size)
            if seen % _CHECKPOINT == 0:
                state |= {"at": seen, "report": vars(report)}
                save_json(folder / "scrub.json", state)
    _check_records(driver, report, pace)
    for path in (folder / "parts").iterdir():
        path.unlink()
    (folder / "scrub.json").unlink(missing_ok=True)
    return report


def _list_objects(driver: Driver, folder: Path, pace: Pace) -> dict[str, Any]:
    total = 0
    with closing(Spool(folder / "names", NAME, 0)) as names:
        for space in SPACES:
            pace.begin(f"listing {space}")
            for key, _ in driver.iter(space):
                pace.check()
                with suppress(ValueError):
                    if len(key) == 2 * (NAME - 1):
                        names.add(name_of(space, bytes.fromhex(key)))
                        total += 1
        names.sync()
    count = partition_count(total)
    divide([names.path], NAME, folder / "parts", count)
    state = {"total": total, "at": 0, "partitions": count, "report": vars(ScrubReport())}
    save_json(folder / "scrub.json", state)
    names.path.unlink()
    return state


def _check(driver: Driver, space: Space, key: str, report: ScrubReport) -> int:
    """Check one object; bytes read."""
    size = 0
    for look in range(_LOOKS):
        try:
            raw = driver.get(space, key)
            size += len(raw)
            if space is Space.CAS:
                check_block(bytes.fromhex(key), raw)
            elif space is Space.PAGE:
                check_page(bytes.fromhex(key), raw)
            else:
                verify_stored(bytes.fromhex(key), raw)
        except ObjectMissing:
            return size  # removed since it was listed
        except CorruptData as error:
            if space is Space.PRIVATE and look < _LOOKS - 1:
                time.sleep(_PAUSE_S)  # its writer may be at it just now
                continue
            report.add(f"{space}/{key}", error)
            if space is Space.CAS:
                _mark(driver, bytes.fromhex(key), raw)
        break
    return size


def check_block(digest: bytes, raw: bytes) -> None:
    """Head, length, every checksum, and the name. Raises `CorruptData`."""
    length = stored_length(raw)
    head = parse_head(digest, length, raw)
    data = memoryview(raw)[head.data_offset :]
    if len(data) != length:
        raise CorruptData(f"block {digest.hex()} has {len(data)} bytes instead of {length}")
    if not verify(head.sums, 0, data):
        raise CorruptData(f"block {digest.hex()} does not match its checksums")
    if hashlib.sha256(data).digest() != digest:
        raise CorruptData(f"block {digest.hex()} matches its checksums, but not its name")


def check_page(page_id: bytes, raw: bytes) -> None:
    """Raises `CorruptData`."""
    content = PageStore.unpack(page_id, raw)
    # Some bits of the packed form mean nothing: only what packs to the same again is whole.
    if raw != PageStore.pack_page(content):
        raise CorruptData(f"page {page_id.hex()} is not as it was stored")


def _mark(driver: Driver, digest: bytes, raw: bytes) -> None:
    try:
        length = stored_length(raw)
        head = parse_head(digest, length, raw)
        wanted = head_size(length) + length
    except CorruptData:
        head, wanted = None, -1
    with suppress(ObjectMissing):
        if head is not None and len(raw) == wanted and verify(head.sums, 0, memoryview(raw)[head.data_offset :]):
            # Whoever reads it would take the wrong data for right: without its head nobody can.
            driver.write_at(Space.CAS, digest.hex(), [(0, bytes(4))])
        if len(raw) == wanted or (head is None and not raw.endswith(_MARK)):
            driver.write_at(Space.CAS, digest.hex(), [(len(raw), _MARK)])


def _check_records(driver: Driver, report: ScrubReport, pace: Pace) -> None:
    for space in (Space.VOLUME, Space.LEASE):
        pace.begin(f"records {space}")
        for key in sorted(driver.iter_records(space)):
            pace.step()
            record = driver.read_record(space, key)
            if record is None:
                continue
            report.records += 1
            try:
                Root.from_bytes(record.value) if space is Space.VOLUME else parse_lease(record)
            except CorruptData as error:
                report.add(f"{space}/{key}", error)
