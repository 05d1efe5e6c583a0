"""Objects by their blocks: hashmaps out, hashmaps in, and blocks that are uploaded before the object.

Knowing a hash gives nothing: only what the account holds counts as present. Holding is having uploaded the block lately,
or having it in an object or a kept version. A user of another account who may write holds what that user uploaded.
Each pool is apart: who holds a block in one learns nothing of whether another has it in the other.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

from synnefo_archipelago import BlocksMissing, Root
from synnefo_archipelago.hashing import ZERO_HASH, merkle
from synnefo_common.db import UnitOfWork
from synnefo_object.app import quotas, uploads
from synnefo_object.app.access import Caller
from synnefo_object.app.services import Services
from synnefo_object.app.stored import Stored
from synnefo_object.app.uploads import Uploaded
from synnefo_object.db import held_blocks
from synnefo_object.domain.errors import SwiftFault, bad_request
from synnefo_object.domain.limits import MAX_FILE_SIZE
from synnefo_object.domain.paths import Target
from synnefo_object.domain.pithos import MAX_SIZE, Hashmap

_INDEXED_AT_ONCE = 200
_INDEXED_HASHES = 50_000
INDEX_LIFE_US = 24 * 3600 * 1_000_000


class Missing(Exception):
    """Blocks that have to be uploaded first."""

    def __init__(self, hashes: Sequence[bytes]) -> None:
        super().__init__(f"{len(hashes)} blocks are missing")
        self.hashes = [hash_.hex() for hash_ in hashes]


def holder(caller: Caller, target: Target, pool: str) -> str:
    """Under which name blocks of this caller are held in a pool."""
    project_id = target.project_id or ""
    return _within(pool, project_id if caller.owns(target) else f"{project_id}/{caller.user_id}")


def _within(pool: str, name: str) -> str:
    return f"{pool}:{name}" if pool else name


async def of_stored(svc: Services, stored: Stored) -> list[str]:
    """The hashes of the blocks of what a GET answers, which must be one object's own bytes."""
    if len(stored.pieces) > 1 or any(piece.inline is not None for piece in stored.pieces):
        raise bad_request("The object is made of others and has no hashmap of its own.")
    return await svc.stores.of(stored.pool).hashmap(Root.from_bytes(stored.root))


async def put(
    svc: Services,
    caller: Caller,
    target: Target,
    place: Any,
    hashmap: Hashmap,
    *,
    content_type: str,
    kept: Mapping[str, str],
    expected_us: int | None = None,
    also: Callable[[UnitOfWork, int], Awaitable[None]] | None = None,
) -> Uploaded:
    """An object of blocks that are there. Raises Missing, 400 for blocks that do not make the size, 413."""
    who, store = holder(caller, target, place.policy), svc.stores.of(place.policy)
    wanted = list(dict.fromkeys(hashmap.hashes))
    absent = await _absent(svc, caller, target, wanted, place)
    if absent:
        raise Missing(absent)
    try:
        root = await store.from_hashes(hashmap.size, hashmap.hashes)
    except BlocksMissing as error:
        raise Missing(error.hashes) from error
    except ValueError as error:
        raise bad_request(str(error)) from error
    replaced = place.size if place.root is not None else None
    if root.size > await quotas.room(svc, caller, target, place, replaced=replaced, most=MAX_SIZE):
        raise SwiftFault(413, "Upload exceeds quota.")
    lengths = dict(await store.blocks(root))

    async def with_blocks(uow: UnitOfWork, stored_us: int) -> None:
        await held_blocks.add(uow, who, lengths.items(), source=held_blocks.OF_OBJECT, now_us=svc.clock.now_us())
        if also is not None:
            await also(uow, stored_us)

    async with quotas.reserve(svc, caller, quotas.payer(target, place), root.size) as reservation:
        return await uploads.keep(
            svc,
            place,
            target,
            caller=caller,
            root=root,
            etag=merkle(hashmap.hashes).hex(),
            content_type=content_type,
            kept=dict(kept),
            expires=None,
            reservation=reservation,
            expected_us=expected_us,
            also=with_blocks,
        )


async def _absent(svc: Services, caller: Caller, target: Target, wanted: Sequence[bytes], place: Any) -> list[bytes]:
    """The blocks that this holder does not have, in order."""
    pool = place.policy
    who, store = holder(caller, target, pool), svc.stores.of(pool)
    left = dict.fromkeys(hash_ for hash_ in wanted if hash_ != ZERO_HASH)
    if left and place.root is not None and svc.stores.of(place.pool) is store:
        for hash_, _ in await store.blocks(Root.from_bytes(place.root)):
            left.pop(hash_, None)
    if left:
        async with svc.db.read() as uow:
            found = await _known(svc, uow, who, list(left))
            if caller.owns(target) and len(found) < len(left):
                rest = [hash_ for hash_ in left if hash_ not in found]
                block_size = store.store.block_size
                found |= await held_blocks.single_blocks(uow, target.project_id or "", rest, pool=pool, block_size=block_size)
        left = dict.fromkeys(hash_ for hash_ in left if hash_ not in found)
    if left and caller.owns(target):
        await _index(svc, target.project_id or "", pool)
        async with svc.db.read() as uow:
            found = await _known(svc, uow, who, list(left))
        left = dict.fromkeys(hash_ for hash_ in left if hash_ not in found)
    return list(left)


async def _known(svc: Services, uow: UnitOfWork, who: str, hashes: Sequence[bytes]) -> set[bytes]:
    now_us = svc.clock.now_us()
    uploaded_since_us = now_us - int(svc.settings.staging_hours * 3600 * 1_000_000)
    return await held_blocks.known(uow, who, hashes, uploaded_since_us=uploaded_since_us, since_us=now_us - INDEX_LIFE_US)


async def _index(svc: Services, project_id: str, pool: str) -> None:
    """Enter the blocks of the account's large objects in a pool that are younger than the index; once a day all of them anew."""
    now_us, who, store = svc.clock.now_us(), _within(pool, project_id), svc.stores.of(pool)
    async with svc.db.read() as uow:
        known = await held_blocks.position(uow, who)
    started_us, after_us = (known.started_us, known.created_us) if known is not None else (now_us, 0)
    fresh = now_us - started_us > INDEX_LIFE_US
    if fresh:
        started_us, after_us = now_us, 0
    async with svc.db.read() as uow:
        rows = await held_blocks.large_roots(uow, project_id, pool=pool, after_us=after_us, limit=_INDEXED_AT_ONCE)
    blocks: dict[bytes, int] = {}
    for row in rows:
        blocks.update(await store.blocks(Root.from_bytes(bytes(row.root))))
        after_us = int(row.created_us)
        if len(blocks) >= _INDEXED_HASHES:
            break
    if not rows and not fresh:
        return

    async def work(uow: UnitOfWork) -> None:
        if fresh:
            await held_blocks.drop_indexed(uow, who)
        await held_blocks.add(uow, who, blocks.items(), source=held_blocks.OF_OBJECT, now_us=now_us)
        await held_blocks.set_position(uow, who, started_us=started_us, created_us=after_us)

    await svc.db.run(work)


async def upload_blocks(svc: Services, caller: Caller, target: Target, body: AsyncIterator[bytes], *, pool: str) -> list[str]:
    """Store a body's blocks for an object to come in a container of that pool: their hashes. Raises 413 when too many wait unused."""
    who, store = holder(caller, target, pool), svc.stores.of(pool)
    async with svc.db.read() as uow:
        room = svc.settings.staging_bytes - await held_blocks.staged_bytes(uow, who)
    if room <= 0:
        raise SwiftFault(413, "Too many uploaded blocks wait for an object.")
    async with store.writer() as writer:
        seen = 0
        async for chunk in body:
            seen += len(chunk)
            if seen > min(room, MAX_FILE_SIZE):
                raise SwiftFault(413, "Too many uploaded blocks wait for an object." if room < MAX_FILE_SIZE else None)
            await writer.write(chunk)
        root = await writer.finish()
    blocks = await store.blocks(root)

    async def work(uow: UnitOfWork) -> None:
        await held_blocks.add(uow, who, blocks, source=held_blocks.UPLOADED, now_us=svc.clock.now_us())

    await svc.db.run(work)
    return await store.hashmap(root)
