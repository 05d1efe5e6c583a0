"""A survey: what all roots refer to, and what is there. The collector and fsck decide by it; it changes nothing.

Roots of frozen data come from their owners, roots of live volumes from the store. In this order: all roots, then a
listing of all objects, then pages and the tables of private blocks. Pages and private blocks used since `cutoff` count
as roots, too: a clone or snapshot touches the pages of its root, so a root that moves from owner to owner while they
are being asked is seen by one of them, or its pages are young.

A survey goes on from its checkpoint after a kill at any point. Its memory is bounded by one partition of the names.
"""

import base64
import json
import struct
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from synnefo_archipelago import crash
from synnefo_archipelago.api import Driver, Space
from synnefo_archipelago.entries import ENTRY_SIZE, ZERO_ENTRY, Kind, parse_entry, parse_private_id
from synnefo_archipelago.errors import CorruptData, ObjectMissing, StoreError
from synnefo_archipelago.maps import PageStore
from synnefo_archipelago.pace import Pace
from synnefo_archipelago.private import load_parent
from synnefo_archipelago.roots import PAGE_ID_SIZE, ZERO_PAGE, Root
from synnefo_archipelago.spool import (
    NAME,
    SPACES,
    Spool,
    divide,
    load_json,
    name_of,
    parse_name,
    partition_count,
    read_records,
    save_json,
)

STORE = "store"
"""The name under which the roots of live volumes are listed."""
_FRESH = 0x80
_PRESENT = struct.Struct(f">{NAME}sQd")
_CHECKPOINT_PAGES = 200
_MOST_UNREADABLE = 1000


class IncompleteSurvey(StoreError):
    """Somebody did not tell all its roots, or something that leads to blocks cannot be read: nothing may be removed."""


class RootPage(NamedTuple):
    """A part of an owner's answer."""

    roots: list[tuple[str, bytes]]
    next: str | None
    """Where the following part begins."""
    complete: bool
    """Whether, with this part, all roots were told."""


class Owner(Protocol):
    """Who keeps roots of frozen data."""

    def page(self, epoch: int, after: str) -> RootPage: ...


class Present(NamedTuple):
    size: int
    touched_at: float


@dataclass(frozen=True, slots=True)
class Partition:
    """Names (kind and 32 bytes) of a part of all objects."""

    referenced: dict[bytes, bool]
    """With whether a listed root leads there; else only an object that was used lately does."""
    present: dict[bytes, Present]


_SEAL = object()


class Surveyed:
    """A finished survey: every owner named to it answered completely. Made by `Survey.run` only."""

    def __init__(self, seal: object, survey: "Survey", state: Mapping[str, Any]) -> None:
        if seal is not _SEAL or set(state["complete"]) != {*survey.owners, STORE}:
            raise IncompleteSurvey("only a survey that every owner answered completely is finished")
        self.epoch: int = state["epoch"]
        self.cutoff: float = state["cutoff"]
        self.owners: frozenset[str] = frozenset(survey.owners)
        self.unreadable: list[dict[str, str]] = state["unreadable"]
        self.roots: int = state["counts"]["roots"]
        self.partitions: int = state["partitions"]
        self._folder = survey.folder

    def partition(self, number: int) -> Partition:
        referenced: dict[bytes, bool] = {}
        for record in read_records(self._folder / "marked" / str(number), NAME):
            name = bytes([record[0] & ~_FRESH]) + record[1:]
            referenced[name] = referenced.get(name, False) or not record[0] & _FRESH
        present = {}
        for record in read_records(self._folder / "present" / str(number), _PRESENT.size):
            name, size, touched_at = _PRESENT.unpack(record)
            present[name] = Present(size, touched_at)
        return Partition(referenced, present)

    def iter_roots(self) -> Iterator[tuple[str, str, Root]]:
        """(owner, id, root) of all listed roots that can be read."""
        with (self._folder / "roots").open() as file:
            for line in file:
                owner, ident, blob = json.loads(line)
                yield owner, ident, Root.from_bytes(base64.b64decode(blob))


class Sweepable:
    """The right to remove what a survey did not find: a finished survey in which nothing was unreadable."""

    def __init__(self, surveyed: Surveyed, *, required: frozenset[str]) -> None:
        """Raises `IncompleteSurvey`."""
        if not isinstance(surveyed, Surveyed) or not required or not required <= surveyed.owners:
            raise IncompleteSurvey(f"not all of {', '.join(sorted(required))} were asked")
        if surveyed.unreadable:
            first = surveyed.unreadable[0]
            raise IncompleteSurvey(
                f"{len(surveyed.unreadable)} roots, pages or tables cannot be read, so what they need is unknown; "
                f"the first: {first['what']}: {first['why']}"
            )
        self.surveyed = surveyed


class Survey:
    def __init__(
        self, driver: Driver, owners: Mapping[str, Owner], folder: Path, *, epoch: int, now: float, grace_s: float, pace: Pace
    ) -> None:
        """`folder` keeps the work; a survey of the same owners that was interrupted there goes on, as it was begun."""
        if STORE in owners:
            raise ValueError(f"{STORE!r} is no name for an owner")
        self.driver = driver
        self.owners = dict(sorted(owners.items()))
        self.folder = folder
        self._pace = pace
        self._pages = PageStore(driver)
        folder.mkdir(parents=True, exist_ok=True)
        found = load_json(folder / "survey.json")
        self._state: dict[str, Any] = found if found is not None and found["owners"] == list(self.owners) else {
            "epoch": epoch, "owners": list(self.owners), "cutoff": now - grace_s - driver.touch_slack_s, "phase": 0,
            "complete": [], "after": "", "scanned": 0, "at": 0, "unreadable": [], "missing": [],
            "counts": {"roots": 0, "present": 0}, "sizes": {}, "partitions": 1,
        }  # fmt: skip

    def run(self) -> Surveyed:
        """Raises `IncompleteSurvey`, `Stopped`, and whatever owners and driver raise; then it can be run again."""
        phases = (self._list_roots, self._list_objects, self._read_pages, self._read_tables, self._divide)
        for number in range(self._state["phase"], len(phases)):
            with ExitStack() as open_spools:
                self._spools = open_spools
                phases[number]()
            self._state["phase"] = number + 1
            self._save()
        return Surveyed(_SEAL, self, self._state)

    def _save(self) -> None:
        save_json(self.folder / "survey.json", self._state)
        crash.point("survey.checkpoint")

    def _spool(self, name: str, width: int = NAME) -> Spool:
        spool = Spool(self.folder / name, width, self._state["sizes"].get(name, 0))
        self._spools.callback(spool.close)
        return spool

    def _checkpoint(self, *spools: Spool) -> None:
        for spool in spools:
            self._state["sizes"][spool.path.name] = spool.sync()
        self._save()

    def _unreadable(self, what: str, why: object) -> None:
        if len(self._state["unreadable"]) < _MOST_UNREADABLE:
            self._state["unreadable"].append({"what": what, "why": str(why)})

    # Roots

    def _list_roots(self) -> None:
        state = self._state
        refs = self._spool("refs")
        self._pace.begin("roots", done=state["counts"]["roots"])
        with (self.folder / "roots").open("ab") as lines:
            lines.truncate(state["sizes"].get("roots", 0))

            def settle() -> None:
                lines.flush()
                state["sizes"]["roots"] = lines.tell()
                self._checkpoint(refs)

            for name, owner in self.owners.items():
                while name not in state["complete"]:
                    page = owner.page(state["epoch"], state["after"])
                    for ident, blob in page.roots:
                        self._add_root(refs, lines, name, ident, blob)
                    if page.complete:
                        state["complete"].append(name)
                        state["after"] = ""
                    elif page.next is None or page.next == state["after"]:
                        raise IncompleteSurvey(f"{name} did not tell all its roots")
                    else:
                        state["after"] = page.next
                    settle()
            for name in sorted(self.driver.iter_records(Space.VOLUME)):
                record = self.driver.read_record(Space.VOLUME, name)
                if record is not None:
                    self._add_root(refs, lines, STORE, name, record.value)
            state["complete"].append(STORE)
            settle()

    def _add_root(self, refs: Spool, lines: Any, owner: str, ident: str, blob: bytes) -> None:
        self._pace.step()
        self._state["counts"]["roots"] += 1
        try:
            root = Root.from_bytes(blob)
            for at in range(0, len(root.pages), PAGE_ID_SIZE):
                page_id = root.pages[at : at + PAGE_ID_SIZE]
                if page_id != ZERO_PAGE:
                    refs.add(name_of(Space.PAGE, page_id))
            self._add_entries(refs, root.inline, 0)
        except CorruptData as error:
            self._unreadable(f"root {ident} of {owner}", error)
            return
        lines.write(json.dumps([owner, ident, base64.b64encode(blob).decode()]).encode() + b"\n")

    @staticmethod
    def _add_entries(spool: Spool, table: bytes, flag: int) -> None:
        for at in range(0, len(table), ENTRY_SIZE):
            entry = table[at : at + ENTRY_SIZE]
            if entry != ZERO_ENTRY:
                parsed = parse_entry(entry)
                space = Space.CAS if parsed.kind is Kind.CAS else Space.PRIVATE
                spool.add(bytes([SPACES.index(space) | flag]) + parsed.ident)

    # Objects. After the roots, so that whatever a root moved to since the listing began is young here.

    def _list_objects(self) -> None:
        state = self._state
        present, fresh = self._spool("objects", _PRESENT.size), self._spool("fresh")
        for number, space in enumerate(SPACES):
            if number < state["scanned"]:
                continue
            self._pace.begin(f"listing {space}")
            for found in self.driver.scan(space):
                self._pace.step()
                try:
                    ident = bytes.fromhex(found.key)
                except ValueError:
                    continue
                if len(ident) != NAME - 1:
                    continue
                present.add(_PRESENT.pack(name_of(space, ident), found.size, found.touched_at))
                if found.touched_at >= state["cutoff"] and space is not Space.CAS:
                    fresh.add(bytes([SPACES.index(space) | _FRESH]) + ident)
            state["scanned"] = number + 1
            self._checkpoint(present, fresh)

    # What they lead to

    def _divided(self, names: list[str], folder: str) -> int:
        paths = [self.folder / name for name in names]
        count = partition_count(sum(path.stat().st_size for path in paths if path.exists()) // NAME)
        divide(paths, NAME, self.folder / folder, count)
        return count

    def _names(self, folder: str, number: int, space: Space) -> dict[bytes, int]:
        """Names of one kind in a partition, with `_FRESH` for those that no listed root leads to."""
        kind, found = SPACES.index(space), dict[bytes, int]()
        for record in read_records(self.folder / folder / str(number), NAME):
            if record[0] & ~_FRESH == kind:
                found[record[1:]] = found.get(record[1:], _FRESH) & record[0] & _FRESH
        return found

    def _read_pages(self) -> None:
        state = self._state
        count = self._divided(["refs", "fresh"], "by-root")
        out = self._spool("from-pages")
        self._pace.begin("pages", done=state["at"])
        seen = 0
        for number in range(count):
            for page_id, fresh in sorted(self._names("by-root", number, Space.PAGE).items()):
                seen += 1
                if seen <= state["at"]:
                    continue
                try:
                    content = self._pages.load(page_id)
                    self._add_entries(out, content, fresh)
                except CorruptData as error:
                    if not fresh or self.driver.touch(Space.PAGE, page_id.hex()) is not None:
                        self._unreadable(f"page {page_id.hex()}", error)
                    content = b""
                self._pace.step(1, len(content))
                if seen % _CHECKPOINT_PAGES == 0:
                    state["at"] = seen
                    self._checkpoint(out)
        state["at"] = 0
        self._checkpoint(out)

    def _read_tables(self) -> None:
        state = self._state
        count = self._divided(["refs", "fresh", "from-pages"], "by-page")
        out = self._spool("from-tables")
        for number in range(state["at"], count):
            known = self._names("by-page", number, Space.PRIVATE)
            waiting = sorted(known.items())
            self._pace.begin(f"tables of private blocks, part {number + 1} of {count}", total=len(waiting))
            while waiting:
                ident, fresh = waiting.pop()
                self._pace.step()
                try:
                    parent = parse_entry(load_parent(self.driver, ident))
                except ObjectMissing:
                    if not fresh:
                        state["missing"].append(ident.hex())
                    continue
                except CorruptData as error:
                    self._unreadable(f"private block {ident.hex()}", error)
                    continue
                if parent.kind is Kind.ZERO:
                    continue
                space = Space.CAS if parent.kind is Kind.CAS else Space.PRIVATE
                out.add(bytes([SPACES.index(space) | fresh]) + parent.ident)
                if space is Space.PRIVATE and known.get(parent.ident, 0xFF) > fresh:
                    known[parent.ident] = fresh
                    waiting.append((parent.ident, fresh))
            state["at"] = number + 1
            self._checkpoint(out)
        gone = self._deleted_volumes() if state["missing"] else set()
        for name in state["missing"]:
            if parse_private_id(bytes.fromhex(name)).uuid not in gone:
                self._unreadable(f"private block {name}", "it is missing")

    def _deleted_volumes(self) -> set[bytes]:
        """Uuids of volumes that were listed and are gone by now, with the blocks that only they had."""
        found = set()
        with (self.folder / "roots").open() as file:
            for line in file:
                owner, name, blob = json.loads(line)
                if owner == STORE:
                    root = Root.from_bytes(base64.b64decode(blob))
                    record = self.driver.read_record(Space.VOLUME, name)
                    if record is None or Root.from_bytes(record.value).uuid != root.uuid:
                        found.add(root.uuid)
        return found

    def _divide(self) -> None:
        marks = [self.folder / name for name in ("refs", "fresh", "from-pages", "from-tables")]
        objects = self.folder / "objects"
        total = objects.stat().st_size // _PRESENT.size
        self._state["counts"]["present"] = total
        self._state["partitions"] = count = partition_count(total + sum(path.stat().st_size for path in marks) // NAME)
        divide(marks, NAME, self.folder / "marked", count)
        divide([objects], _PRESENT.size, self.folder / "present", count)


__all__ = ["STORE", "IncompleteSurvey", "Owner", "Partition", "RootPage", "Survey", "Surveyed", "Sweepable", "parse_name"]
