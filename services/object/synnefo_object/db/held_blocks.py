"""Blocks that a holder may refer to by hash: those it uploaded lately, and those of its account's large objects.

An index and no truth: rows grow old and are made anew, and whether a block is still stored is the store's to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    LargeBinary,
    Row,
    SmallInteger,
    String,
    Table,
    and_,
    delete,
    func,
    literal,
    or_,
    select,
    union_all,
    update,
)

from synnefo_common.db import UnitOfWork, upsert_ignore
from synnefo_object.db.accounts import accounts
from synnefo_object.db.base import metadata
from synnefo_object.db.containers import containers
from synnefo_object.db.objects import objects
from synnefo_object.db.versions import versions
from synnefo_object.domain.kinds import MARKER
from synnefo_object.domain.limits import LARGE_OBJECT

UPLOADED, OF_OBJECT = 0, 1
_CHUNK = 500

held_blocks = Table(
    "held_blocks",
    metadata,
    Column("holder", String(200), primary_key=True),  # the account's project; `project/user` for a user of another; after `pool:`
    Column("hash", LargeBinary(32), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("source", SmallInteger, nullable=False),
    Column("added_us", BigInteger, nullable=False),
    Index("ix_held_blocks_added_us", "added_us"),
)
indexed = Table(
    "held_indexed",
    metadata,
    Column("holder", String(200), primary_key=True),
    Column("started_us", BigInteger, nullable=False),
    Column("created_us", BigInteger, nullable=False),  # objects up to here are in the index
)

_LARGE = objects.c.size >= LARGE_OBJECT
Index("ix_objects_large", objects.c.container_id, objects.c.created_us, sqlite_where=_LARGE, postgresql_where=_LARGE)
_LARGE_VERSION = versions.c.size >= LARGE_OBJECT
Index("ix_versions_large", versions.c.container_id, versions.c.created_us, sqlite_where=_LARGE_VERSION, postgresql_where=_LARGE_VERSION)


async def known(uow: UnitOfWork, holder: str, hashes: Sequence[bytes], *, uploaded_since_us: int, since_us: int) -> set[bytes]:
    """Which of these the holder has: uploaded since the one time, or seen in an object since the other."""
    found: set[bytes] = set()
    h = held_blocks.c
    for at in range(0, len(hashes), _CHUNK):
        young = or_(and_(h.source == OF_OBJECT, h.added_us > since_us), and_(h.source == UPLOADED, h.added_us > uploaded_since_us))
        rows = await uow.all(select(h.hash).where(h.holder == holder, h.hash.in_(hashes[at : at + _CHUNK]), young))
        found.update(bytes(row.hash) for row in rows)
    return found


async def add(uow: UnitOfWork, holder: str, blocks: Iterable[tuple[bytes, int]], *, source: int, now_us: int) -> None:
    """Remember them; those that are known keep their source and are young again."""
    unique = dict(blocks)
    rows = [{"holder": holder, "hash": hash_, "size": size, "source": source, "added_us": now_us} for hash_, size in sorted(unique.items())]
    for at in range(0, len(rows), _CHUNK):
        part = rows[at : at + _CHUNK]
        here = (held_blocks.c.holder == holder, held_blocks.c.hash.in_([row["hash"] for row in part]))
        values: dict[str, Any] = {"added_us": now_us}
        await uow.run(update(held_blocks).where(*here).values(**values | ({"source": source} if source == OF_OBJECT else {})))
        await uow.run(upsert_ignore(uow.dialect, held_blocks, part))


async def staged_bytes(uow: UnitOfWork, holder: str) -> int:
    """Bytes that were uploaded and belong to no object yet."""
    h = held_blocks.c
    return int(await uow.scalar(select(func.coalesce(func.sum(h.size), 0)).where(h.holder == holder, h.source == UPLOADED)) or 0)


async def position(uow: UnitOfWork, holder: str) -> Row[Any] | None:
    """started_us and created_us of the holder's index."""
    return await uow.one(select(indexed.c.started_us, indexed.c.created_us).where(indexed.c.holder == holder))


async def set_position(uow: UnitOfWork, holder: str, *, started_us: int, created_us: int) -> None:
    await uow.run(upsert_ignore(uow.dialect, indexed, {"holder": holder, "started_us": started_us, "created_us": created_us}))
    await uow.run(update(indexed).where(indexed.c.holder == holder).values(started_us=started_us, created_us=created_us))


async def drop_indexed(uow: UnitOfWork, holder: str) -> None:
    """Forget what came from objects."""
    h = held_blocks.c
    await uow.run(delete(held_blocks).where(h.holder == holder, h.source == OF_OBJECT))


async def large_roots(uow: UnitOfWork, project_id: str, *, pool: str, after_us: int, limit: int) -> Sequence[Row[Any]]:
    """created_us and root of the account's large objects and versions in a pool, oldest first."""
    joined = containers.join(accounts, accounts.c.id == containers.c.account_id)
    mine = select(containers.c.id).select_from(joined).where(accounts.c.project_id == project_id)
    o, v = objects.c, versions.c
    both = union_all(
        select(o.created_us, o.root).where(
            o.container_id.in_(mine), o.size >= literal(LARGE_OBJECT, literal_execute=True), o.created_us > after_us, o.pool == pool
        ),
        select(v.created_us, v.root).where(
            v.container_id.in_(mine),
            v.size >= literal(LARGE_OBJECT, literal_execute=True),
            v.created_us > after_us,
            v.kind != MARKER,
            v.pool == pool,
        ),
    ).subquery()
    return await uow.all(select(both.c.created_us, both.c.root).order_by(both.c.created_us).limit(limit))


async def single_blocks(uow: UnitOfWork, project_id: str, hashes: Sequence[bytes], *, pool: str, block_size: int) -> set[bytes]:
    """Which of these are the only block of an object of the account in a pool: such an object has its block's hash."""
    o = objects.c
    joined = objects.join(containers, o.container_id == containers.c.id).join(accounts, accounts.c.id == containers.c.account_id)
    found: set[bytes] = set()
    for at in range(0, len(hashes), _CHUNK):
        wanted = [hash_.hex() for hash_ in hashes[at : at + _CHUNK]]
        mine = (o.pool == pool, o.size <= block_size, accounts.c.project_id == project_id)
        statement = select(o.hash).select_from(joined).where(o.hash.in_(wanted), *mine)
        found.update(bytes.fromhex(row.hash) for row in await uow.all(statement))
    return found


async def expire(uow: UnitOfWork, *, uploaded_before_us: int, before_us: int) -> None:
    """Forget uploads that nothing came of, and what is so old that the index was made anew since."""
    h = held_blocks.c
    await uow.run(delete(held_blocks).where((h.added_us < before_us) | ((h.source == UPLOADED) & (h.added_us < uploaded_before_us))))
