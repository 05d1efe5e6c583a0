"""Fsck: what roots need and the store lacks, and what the store has and no root needs. Changes nothing."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from synnefo_archipelago.api import Driver, Space
from synnefo_archipelago.entries import ENTRY_SIZE, ZERO_ENTRY, Kind, parse_entry
from synnefo_archipelago.errors import CorruptData, ObjectMissing
from synnefo_archipelago.leases import Clock
from synnefo_archipelago.maps import PageStore
from synnefo_archipelago.pace import Pace
from synnefo_archipelago.private import load_parent
from synnefo_archipelago.roots import PAGE_ENTRIES, Root
from synnefo_archipelago.spool import parse_name
from synnefo_archipelago.store import Store
from synnefo_archipelago.survey import Owner, Survey

_MOST_LISTED = 1000


@dataclass
class FsckReport:
    roots: int = 0
    missing: list[str] = field(default_factory=list)
    """`kind/name` of objects that a root needs and that are not there; the first thousand."""
    missing_count: int = 0
    unreadable: list[dict[str, str]] = field(default_factory=list)
    hurt: list[dict[str, str]] = field(default_factory=list)
    """Who cannot be read whole: owner, id, and one object that is missing or unreadable."""
    orphans: list[str] = field(default_factory=list)
    """Objects that no root needs, unused for longer than the grace time; the first thousand."""
    orphan_count: int = 0
    orphan_bytes: int = 0
    young_count: int = 0
    """Objects that no root needs yet: uploads under way."""

    @property
    def is_damaged(self) -> bool:
        return bool(self.missing_count or self.unreadable)


def check_store(
    store: Store, owners: Mapping[str, Owner], folder: Path, *, grace_s: float, clock: Clock, pace: Pace | None = None
) -> FsckReport:
    """One survey, compared both ways. Raises `IncompleteSurvey` when an owner does not tell all; `Stopped`."""
    driver = store.driver
    pace = pace or Pace()
    surveyed = Survey(driver, owners, folder, epoch=0, now=clock(), grace_s=grace_s, pace=pace).run()
    report = FsckReport(roots=surveyed.roots, unreadable=surveyed.unreadable)
    missing: set[bytes] = set()
    pace.begin("comparing", total=surveyed.partitions)
    for number in range(surveyed.partitions):
        partition = surveyed.partition(number)
        for name, is_listed in partition.referenced.items():
            if is_listed and name not in partition.present and driver.touch(*parse_name(name)) is None:
                missing.add(name)
        for name, (size, touched_at) in partition.present.items():
            if name in partition.referenced:
                continue
            if touched_at >= surveyed.cutoff:
                report.young_count += 1
                continue
            report.orphan_count += 1
            report.orphan_bytes += size
            if len(report.orphans) < _MOST_LISTED:
                report.orphans.append("/".join(parse_name(name)))
        pace.step()
    if missing or surveyed.unreadable:
        # Volumes deleted since they were listed took blocks with them: who is hurt is asked of those that are left.
        really = set()
        pace.begin("who is hurt", total=surveyed.roots)
        for owner, ident, root in surveyed.iter_roots():
            pace.step()
            if owner == "store":
                record = driver.read_record(Space.VOLUME, ident)
                if record is None or Root.from_bytes(record.value).uuid != root.uuid:
                    continue
            for what, why in _lacks(driver, root):
                really.add(what)
                if len(report.hurt) < _MOST_LISTED and not (report.hurt and (report.hurt[-1]["owner"], report.hurt[-1]["id"]) == (owner, ident)):
                    report.hurt.append({"owner": owner, "id": ident, "object": what, "why": why})
        lost = sorted(what for what in really if driver.touch(*_split(what)) is None)
        report.missing, report.missing_count = lost[:_MOST_LISTED], len(lost)
    shutil.rmtree(folder)
    return report


def _split(what: str) -> tuple[Space, str]:
    space, _, key = what.partition("/")
    return Space(space), key


def _lacks(driver: Driver, root: Root) -> Iterator[tuple[str, str]]:
    """What of a root's own is missing or cannot be read, through all parents."""
    pages = PageStore(driver)
    for number in range(-(-root.block_count // PAGE_ENTRIES)):
        try:
            page = pages.page(root, number)
        except CorruptData as error:
            yield f"{Space.PAGE}/{root.page_id(number).hex()}", str(error)
            continue
        for at in range(0, len(page), ENTRY_SIZE):
            entry = page[at : at + ENTRY_SIZE]
            while entry != ZERO_ENTRY:
                parsed = parse_entry(entry)
                key = parsed.ident.hex()
                if parsed.kind is Kind.CAS:
                    if driver.touch(Space.CAS, key) is None:
                        yield f"{Space.CAS}/{key}", "it is missing"
                    break
                try:
                    entry = load_parent(driver, parsed.ident)
                except (ObjectMissing, CorruptData) as error:
                    yield f"{Space.PRIVATE}/{key}", str(error) or "it is missing"
                    break
