"""Sharing: what X-Object-Sharing lets others do, the groups that it names, and public links.

The entry of the object itself counts, else that of the nearest directory above which has one. For objects, not versions.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from synnefo_common.auth.claims import Claims
from synnefo_common.db import UnitOfWork
from synnefo_common.ids import uuid5
from synnefo_object.app.services import Services
from synnefo_object.db import grants, objects
from synnefo_object.domain.limits import PUBLIC_ID_LENGTH
from synnefo_object.domain.paths import Target, successor
from synnefo_object.domain.pithos import READ, ancestors, is_directory

EVERYBODY = "*"


def stored_uuid(container_id: int, name: str) -> str:
    """The UUID of an object that was written before objects had one."""
    return uuid5(f"object:{container_id}", name)


async def identities(svc: Services, claims: Claims) -> list[str]:
    """All that sharing may call this user: id, name, project, groups, everybody. Not within a transaction: it may ask identity."""
    names = {claims.user_id}
    name = await svc.names.user(claims.user_id)
    names.update(text for text in (name, claims.project_id) if text)
    async with svc.db.read() as uow:
        return [*sorted(names), *await grants.groups_of_members(uow, names), EVERYBODY]


@dataclass(slots=True)
class Entry:
    """What one shared object says."""

    is_directory: bool
    modes: dict[str, int]

    def mode_for(self, who: Collection[str] | None) -> int:
        """The best that these may do; of None, anybody."""
        return max((mode for grantee, mode in self.modes.items() if who is None or grantee in who), default=0)


def read_entries(rows: Iterable[Any]) -> dict[str, Entry]:
    """By object name."""
    found: dict[str, Entry] = {}
    for row in rows:
        entry = found.setdefault(row.name, Entry(is_directory(row.content_type), {}))
        entry.modes[row.grantee] = row.mode
    return found


def source_of(entries: Mapping[str, Entry], name: str) -> str | None:
    """The object whose sharing counts for this one."""
    if name in entries:
        return name
    return next((above for above in ancestors(name) if above in entries and entries[above].is_directory), None)


def mode_of(entries: Mapping[str, Entry], name: str, who: Collection[str] | None) -> int:
    """What these may do with the object."""
    source = source_of(entries, name)
    return entries[source].mode_for(who) if source is not None else 0


async def allowed(svc: Services, claims: Claims, target: Target) -> int:
    """0, READ or WRITE: what sharing lets this user do with an object of another account."""
    entries, link = await of_object(svc, target)
    public = READ if link is not None else 0
    return max(public, mode_of(entries, target.object, await identities(svc, claims)) if entries else 0)


async def of_object(svc: Services, target: Target) -> tuple[dict[str, Entry], str | None]:
    """What may say how an object is shared, and its public link."""
    async with svc.db.read() as uow:
        place = await objects.find(uow, target.project_id or "", target.container, "")
        if place is None:
            return {}, None
        names = [target.object, *ancestors(target.object)]
        entries = read_entries(await grants.of_names(uow, place.container_id, names))
        links = await grants.links_of(uow, place.container_id, [target.object])
    return entries, links.get(target.object)


@dataclass(frozen=True, slots=True)
class Region:
    """Names that a listing may show: `start` alone (`is_exact`), or from `start` up to `before`."""

    start: str
    before: str | None = None
    is_exact: bool = False


def regions(entries: Mapping[str, Entry], who: Collection[str] | None) -> list[Region]:
    """What of a container these may see, in the order of names; no name is in two regions."""
    found: list[Region] = []
    for name in sorted(entries, key=str.encode):
        entry = entries[name]
        if entry.mode_for(who):
            found.append(Region(name, None, True))
            if entry.is_directory:
                found += _below(entries, name)
    return sorted(found, key=lambda region: region.start.encode())


def _below(entries: Mapping[str, Entry], name: str) -> list[Region]:
    """A directory's names without those that another entry is for, which `regions` meets by itself."""
    start, end = name + "/", successor(name + "/")
    taken: list[tuple[str, str | None]] = []
    for other, entry in entries.items():
        if other.startswith(start):
            taken.append((other, other + "\x01"))
            if entry.is_directory:
                taken.append((other + "/", successor(other + "/")))
    found: list[Region] = []
    for first, behind in sorted(taken, key=lambda span: span[0].encode()):
        if first.encode() > start.encode():
            found.append(Region(start, first))
        if behind is None or (end is not None and behind.encode() >= end.encode()):
            return found
        start = max(start, behind, key=str.encode)
    return [*found, Region(start, end)]


async def set_sharing(uow: UnitOfWork, container_id: int, name: str, modes: Mapping[str, int]) -> None:
    """In the transaction that makes or changes the object."""
    uuid = await grants.pin_uuid(uow, container_id, name, stored_uuid(container_id, name))
    await grants.replace(uow, container_id, name, uuid, modes)


async def set_public(uow: UnitOfWork, svc: Services, container_id: int, name: str, *, is_public: bool) -> None:
    """A link stays as it is until it is taken away."""
    if not is_public:
        await grants.unpublish(uow, container_id, name)
        return
    uuid = await grants.pin_uuid(uow, container_id, name, stored_uuid(container_id, name))
    link = svc.ids.token_urlsafe(PUBLIC_ID_LENGTH)
    await grants.publish(uow, link, container_id, name, uuid)
