"""What was: one version of an object, all of them, and taking history away up to a time."""

from __future__ import annotations

from typing import Any

from synnefo_archipelago import Range, Root, RootKind
from synnefo_common.db import UnitOfWork
from synnefo_object.app import objects
from synnefo_object.app.access import READ, Caller
from synnefo_object.app.services import Services
from synnefo_object.app.stored import Stored, own_pieces
from synnefo_object.db import counters, grants, history, versions
from synnefo_object.db import objects as current
from synnefo_object.domain.errors import SwiftFault, not_found
from synnefo_object.domain.kinds import MARKER
from synnefo_object.domain.paths import Target

_BATCH = 500


async def row_of(svc: Services, caller: Caller, target: Target, version: int | None) -> Any:
    """The row of `objects.find`, as that version has it; None is the current one. Raises 401, 403, 404."""
    row = await objects.place(svc, target)
    await caller.require(READ, target, row.container_headers if row is not None else None)
    if row is None:
        raise not_found()
    if version is not None and (row.root is None or row.created_us != version):
        async with svc.db.read() as uow:
            found = await versions.find(uow, row.container_id, target.object, version)
        if found is None or found.kind == MARKER:
            raise SwiftFault(404, "Version does not exist")
        return _Joined(row, found)
    if row.root is None or (version is None and row.delete_at is not None and row.delete_at <= svc.now_s()):
        raise not_found()
    return row


class _Joined:
    """A version in the shape of `objects.find`: what is the object's from one row, what is its place's from the other."""

    def __init__(self, place: Any, version: Any) -> None:
        self._place = place
        self._version = version

    def __getattr__(self, name: str) -> Any:
        return getattr(self._version if hasattr(self._version, name) else self._place, name)


async def load(svc: Services, caller: Caller, target: Target, version: int) -> Stored:
    """One version as a GET shows it; what it is made of is not followed."""
    row = await row_of(svc, caller, target, version)
    stored = Stored.from_row(row, target.object)
    stored.pieces = own_pieces(row)
    return stored


async def own_root(svc: Services, row: Any) -> Root:
    """The row's own bytes, in its pool, joined if they were uploaded in parts that do not end with blocks.

    Raises 403 for a snapshot, which nobody changes.
    """
    pieces = own_pieces(row)
    root = Root.from_bytes(bytes(pieces[0].root))
    if root.kind is not RootKind.FROZEN:
        raise SwiftFault(403, "A snapshot cannot be changed.")
    if len(pieces) == 1:
        return root
    return await svc.stores.of(row.pool).compose([Range(Root.from_bytes(piece.root), 0, piece.length) for piece in pieces])


async def versions_of(svc: Services, caller: Caller, target: Target) -> list[tuple[int, int]]:
    """(version, its time in µs), oldest first. Raises 404 for what never was."""
    row = await objects.place(svc, target)
    await caller.require(READ, target, row.container_headers if row is not None else None)
    if row is None:
        raise not_found()
    async with svc.db.read() as uow:
        kept = await versions.of_object(uow, row.container_id, target.object)
    found = [(int(v.created_us), int(v.created_us)) for v in kept if v.kind != MARKER]
    if row.root is not None:
        found.append((int(row.created_us), int(row.created_us)))
    if not found:
        raise not_found()
    return found


async def purge_object(svc: Services, caller: Caller, target: Target, until_us: int) -> None:
    """Take away all versions up to a time, the current one too if it is that old."""
    await caller.learn(target)
    caller.require_writer(target)
    row = await objects.place(svc, target)
    if row is None:
        raise not_found()

    async def work(uow: UnitOfWork) -> None:
        freed = await history.purge(uow, row.container_id, until_us=until_us, name=target.object)
        count = 0
        now = await current.locked(uow, row.container_id, target.object)
        if now is not None and now.created_us <= until_us:
            await current.remove(uow, row.container_id, target.object)
            await grants.forget(uow, row.container_id, [target.object])
            freed, count = freed + now.size, -1
        await counters.add(uow, account_id=row.account_id, container_id=row.container_id, objects=count, bytes_=-freed, now_us=svc.clock.now_us())

    await svc.db.run(work)


async def purge_container(svc: Services, caller: Caller, target: Target, until_us: int) -> None:
    """Take away the history of all objects of a container up to a time; what is current stays."""
    await caller.learn(target)
    caller.require_writer(target)
    row = await objects.place(svc, target)
    if row is None:
        raise not_found()
    done = False
    while not done:

        async def work(uow: UnitOfWork) -> bool:
            names = await history.names_to_purge(uow, row.container_id, until_us=until_us, limit=_BATCH)
            freed = 0
            for name in names:
                freed += await history.purge(uow, row.container_id, until_us=until_us, name=name)
            await counters.add(uow, account_id=row.account_id, container_id=row.container_id, bytes_=-freed, now_us=svc.clock.now_us())
            return len(names) < _BATCH

        done = await svc.db.run(work)
