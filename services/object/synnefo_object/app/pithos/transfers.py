"""COPY and MOVE of one object or of all below a name, and DELETE of all below a name. No data moves.

Each batch is one transaction. A copy is a new object; what is moved stays the same one, and its history stays where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from synnefo_common.db import UnitOfWork
from synnefo_object.app import archives, objects, quotas, versions
from synnefo_object.app.access import READ, WRITE, Caller
from synnefo_object.app.pithos import history, sharing
from synnefo_object.app.services import Services
from synnefo_object.db import counters, grants, listings
from synnefo_object.db import objects as table
from synnefo_object.domain.errors import SwiftFault, not_found
from synnefo_object.domain.paths import Target, check_object_name, successor
from synnefo_object.domain.pithos import MAX_SIZE

_BATCH = 200
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Change:
    """What the request says about the new object."""

    headers: Callable[[dict[str, str]], dict[str, str]]
    content_type: str | None = None
    sharing: Mapping[str, int] | None = None
    public: bool | None = None
    manifest: str | None = None


@dataclass(frozen=True, slots=True)
class _Item:
    source: str
    to: str
    row: Any


async def transfer(
    svc: Services, caller: Caller, source: Target, to: Target, change: Change, *, move: bool, delimiter: str = "", version: int | None = None,
    check: Callable[[Any], None] = lambda _row: None,
) -> int:  # fmt: skip
    """Copy or move; the version of the object itself. Raises 401, 403, 404, 412, 413."""
    check_object_name(to.object)
    place = await objects.place(svc, to)
    await caller.require(WRITE, to, place.container_headers if place is not None else None)
    if place is None:
        raise not_found()
    first = await history.row_of(svc, caller, source, version)
    check(first)
    if move:
        await caller.require(WRITE, source, first.container_headers, shared=False)
    if (change.sharing is not None or change.public is not None) and not caller.owns(to):
        raise SwiftFault(403)
    names = [source.object]
    if delimiter:
        names += await _below(svc, caller, source, first, delimiter)
        await caller.require(WRITE, Target(to.account, to.container, to.object + delimiter), place.container_headers)
    pairs = [(name, to.object + name[len(source.object) :]) for name in names]
    for _, name in pairs:
        check_object_name(name)
    stored = 0
    same_place = source.project_id == to.project_id and source.container == to.container
    for at in range(0, len(pairs), _BATCH):
        part = pairs[at : at + _BATCH]
        async with svc.db.read() as uow:
            rows = {row.name: row for row in await table.find_many(uow, source.project_id or "", source.container, [name for name, _ in part])}
        if at == 0:
            rows[source.object] = first
        items = [_Item(name, new, rows[name]) for name, new in part if name in rows]
        stored_us = await _batch(svc, caller, source, to, place=place, origin=first, items=items, change=change, move=move, same_place=same_place)
        stored = stored or stored_us
    return stored


async def _below(svc: Services, caller: Caller, source: Target, first: Any, delimiter: str) -> list[str]:
    """The names below a name that this caller may read."""
    prefix = source.object if source.object.endswith(delimiter) else source.object + delimiter
    names: list[str] = []
    after = ""
    async with svc.db.read() as uow:
        while True:
            bounds = listings.Bounds(start=prefix, after=after, before=successor(prefix))
            rows = await listings.page(uow, table.objects, first.container_id, bounds, limit=10_000)
            names += [row.name for row in rows]
            if len(rows) < 10_000:
                break
            after = rows[-1].name
        if caller.reads(source):
            return names
    try:
        await caller.require(READ, Target(source.account, source.container, prefix), first.container_headers, shared=False)
    except SwiftFault:
        assert caller.claims is not None
        async with svc.db.read() as uow:
            entries = sharing.read_entries(await grants.of_container(uow, first.container_id))
        who = await sharing.identities(svc, caller.claims)
        names = [name for name in names if sharing.mode_of(entries, name, who)]
    return names


async def _batch(
    svc: Services, caller: Caller, source: Target, to: Target, *, place: Any, origin: Any, items: Sequence[_Item], change: Change,
    move: bool, same_place: bool,
) -> int:  # fmt: skip
    size = sum(int(item.row.size) for item in items)
    moves_within = move and source.project_id == to.project_id
    leaves = versions.keeping(origin.container_headers) is not versions.Keeping.ENABLED
    if not (moves_within and leaves and same_place) and size > await quotas.room(svc, caller, to, place, replaced=None, most=MAX_SIZE):
        raise SwiftFault(413, "Upload exceeds quota.")
    writer = await Writer.into(svc, to, place)
    taker = await Writer.into(svc, source, origin) if move else None

    async def work(uow: UnitOfWork) -> int:
        stored = 0
        gone: list[str] = []
        for item in items:
            is_same = same_place and item.source == item.to
            stored_us = await writer.put(uow, item.to, _values(svc, caller, place, item, change, move=move and not is_same))
            if item is items[0]:
                stored = stored_us
                if change.sharing is not None:
                    await sharing.set_sharing(uow, place.container_id, item.to, change.sharing)
                if change.public is not None:
                    await sharing.set_public(uow, svc, place.container_id, item.to, is_public=change.public)
            if taker is not None and not is_same:
                await taker.remove(uow, item.source, by=caller.user_id, expected_us=item.row.created_us)
                gone.append(item.source)
        if gone:
            await grants.forget(uow, origin.container_id, gone)
        if reservation is not None:
            await reservation.accept(uow)
        return stored

    for _ in range(_ATTEMPTS):
        try:
            async with quotas.reserve(svc, caller, quotas.payer(to, place), 0 if moves_within and leaves else size) as reservation:
                return await svc.db.run(work)
        except versions.Overtaken:
            continue
    raise SwiftFault(503, headers={"Retry-After": "1"})


def _values(svc: Services, caller: Caller, place: Any, item: _Item, change: Change, *, move: bool) -> dict[str, Any]:
    row = item.row
    kept = change.headers(orjson.loads(row.headers))
    now_us = max(svc.clock.now_us(), row.created_us + 1)
    kind, extra = row.kind, row.extra
    if change.manifest is not None:
        from synnefo_object.domain.kinds import DLO

        kind, extra = DLO, change.manifest
    values = {name: getattr(row, name) for name in table.OWN} | {
        "container_id": place.container_id,
        "name": item.to,
        "headers": orjson.dumps(kept).decode(),
        "content_type": change.content_type or row.content_type,
        "created_us": now_us,
        "modified_us": now_us,
        "kind": kind,
        "extra": extra,
        "uuid": svc.ids.uuid(),
        "modified_by": caller.user_id,
        "versioned": 0,
    }
    if move:
        values["uuid"] = values["moved_uuid"] = row.uuid or sharing.stored_uuid(row.container_id, item.source)
    return values


async def delete_below(svc: Services, caller: Caller, target: Target, delimiter: str) -> None:
    """Delete an object and all below its name; without a name, all objects of the container. Raises 404 for nothing."""
    place = await objects.place(svc, target)
    await caller.require(WRITE, target, place.container_headers if place is not None else None, shared=False)
    if place is None:
        raise not_found()
    writer = await Writer.into(svc, target, place)
    prefix = "" if not target.object else target.object if target.object.endswith(delimiter) else target.object + delimiter
    done = 0
    if target.object and place.root is not None:
        done += await _delete(svc, caller, writer, [target.object])
    after = ""
    while True:
        async with svc.db.read() as uow:
            bounds = listings.Bounds(start=prefix, after=after, before=successor(prefix) if prefix else None)
            rows = await listings.page(uow, table.objects, place.container_id, bounds, limit=_BATCH)
        if rows:
            done += await _delete(svc, caller, writer, [row.name for row in rows])
            after = rows[-1].name
        if len(rows) < _BATCH:
            break
    if target.object and not done:
        raise not_found()


async def _delete(svc: Services, caller: Caller, writer: Writer, names: Sequence[str]) -> int:
    async def work(uow: UnitOfWork) -> int:
        done = 0
        for name in names:
            done += await writer.remove(uow, name, by=caller.user_id)
        await grants.forget(uow, writer.place.container_id, names)
        return done

    return await svc.db.run(work)


@dataclass(frozen=True, slots=True)
class Writer:
    """Puts and removes rows of one container within a transaction, with versions as the container keeps them."""

    svc: Services
    target: Target
    place: Any
    keeping: versions.Keeping
    archive: Any

    @classmethod
    async def into(cls, svc: Services, target: Target, place: Any) -> Writer:
        mode = archives.mode_of(place.container_headers)
        archive = await archives.place_for(svc, target, mode) if mode is not None else None
        return cls(svc, target, place, versions.keeping(place.container_headers), archive)

    async def put(self, uow: UnitOfWork, name: str, values: dict[str, Any]) -> int:
        """The time of the new data. Raises Overtaken."""
        moved_uuid = values.pop("moved_uuid", None)
        if self.keeping is not versions.Keeping.NEVER:
            stored = await versions.put(uow, self.svc, self.place, values, self.keeping)
            assert stored is not None
            stored_us = int(stored["created_us"])
        else:
            if self.archive is not None:
                await archives.archive(uow, self.svc, Target(self.target.account, self.target.container, name), self.place, self.archive)
            before = await table.put(uow, values)
            assert before is not None
            stored_us = values["created_us"]
            await self._count(uow, *((1, values["size"]) if before < 0 else (0, values["size"] - before)))
        if moved_uuid is not None:
            await table.set_metadata(uow, self.place.container_id, name, created_us=stored_us, uuid=moved_uuid)
        return stored_us

    async def remove(self, uow: UnitOfWork, name: str, *, by: str, expected_us: int | None = None) -> bool:
        """False if there is none. Raises Overtaken if it is not the data of that time any more."""
        if expected_us is not None:
            current = await table.locked(uow, self.place.container_id, name)
            if current is None or current.created_us != expected_us:
                raise SwiftFault(409, "The object was changed meanwhile.")
        if self.keeping is not versions.Keeping.NEVER:
            return bool(await versions.delete(uow, self.svc, self.place, name, self.keeping, by=by))
        if self.archive is not None:
            await archives.archive(uow, self.svc, Target(self.target.account, self.target.container, name), self.place, self.archive)
        size = await table.remove(uow, self.place.container_id, name)
        if size is not None:
            await self._count(uow, -1, -size)
        return size is not None

    async def _count(self, uow: UnitOfWork, count: int, size: int) -> None:
        await counters.add(
            uow,
            account_id=self.place.account_id,
            container_id=self.place.container_id,
            objects=count,
            bytes_=size,
            now_us=self.svc.clock.now_us(),
        )
