"""Objects: one row each, current versions only. What they replaced is in `db.versions`, or an object of another container."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    Row,
    SmallInteger,
    String,
    Table,
    Text,
    and_,
    bindparam,
    delete,
    func,
    select,
    update,
)

from synnefo_common.db import UnitOfWork
from synnefo_common.db.sql import insert_for
from synnefo_object.db.accounts import accounts
from synnefo_object.db.base import metadata
from synnefo_object.db.containers import containers, name_type

objects = Table(
    "objects",
    metadata,
    Column("container_id", BigInteger, ForeignKey("containers.id"), primary_key=True, autoincrement=False),
    Column("name", name_type(1100), primary_key=True),
    Column("root", LargeBinary, nullable=False),  # where the bytes are, in the block store
    Column("pool", String(64), nullable=False, server_default=""),  # where `root` lies; empty: the service's own store
    Column("size", BigInteger, nullable=False),  # of the bytes stored for this very object
    Column("prev_size", BigInteger),  # of what the last PUT replaced: the difference goes into the counters
    Column("etag", String(80), nullable=False),
    Column("content_type", Text, nullable=False),
    Column("headers", Text, nullable=False),  # JSON: kept headers by lower-case name
    Column("created_us", BigInteger, nullable=False),  # of the data; grows with every copy, so that the collector misses none
    Column("modified_us", BigInteger, nullable=False),  # of the metadata
    Column("delete_at", BigInteger),  # seconds
    Column("kind", SmallInteger, nullable=False),  # domain.kinds
    Column("extra", Text),  # DLO: prefix; SLO: JSON of segments; symlink: target
    Column("uuid", String(36)),  # stays with the object through new data and renames
    Column("hash", String(64)),  # Pithos' Merkle hash of the stored bytes
    Column("modified_by", String(64), nullable=False, server_default=""),  # the user who wrote it; empty: nobody with a name
    Column("versioned", SmallInteger, nullable=False, server_default="0"),  # 0: put while versions were not kept ("null")
    Index("ix_objects_created_us", "created_us"),
    Index("ix_objects_hash", "hash"),
    sqlite_with_rowid=False,
)

_EXPIRES = objects.c.delete_at.is_not(None)
Index("ix_objects_delete_at", objects.c.delete_at, sqlite_where=_EXPIRES, postgresql_where=_EXPIRES)

OWN = (
    "root",
    "pool",
    "size",
    "etag",
    "content_type",
    "headers",
    "created_us",
    "modified_us",
    "delete_at",
    "kind",
    "extra",
    "uuid",
    "hash",
    "modified_by",
    "versioned",
)
"""The columns of an object beside its container and name, which a version has, too."""
_OWN = tuple(objects.c[name] for name in OWN)

_found = (
    select(
        accounts.c.id.label("account_id"),
        accounts.c.headers.label("account_headers"),
        containers.c.id.label("container_id"),
        containers.c.headers.label("container_headers"),
        containers.c.policy,
        *_OWN,
    )
    .select_from(
        accounts.join(containers, containers.c.account_id == accounts.c.id).outerjoin(
            objects, and_(objects.c.container_id == containers.c.id, objects.c.name == bindparam("object"))
        )
    )
    .where(accounts.c.project_id == bindparam("project"), containers.c.name == bindparam("container"))
)


async def find(uow: UnitOfWork, project_id: str, container: str, name: str) -> Row[Any] | None:
    """Container and object in one statement; None without the container, `root` None without the object."""
    return await uow.one(_found, {"project": project_id, "container": container, "object": name})


async def find_many(uow: UnitOfWork, project_id: str, container: str, names: Sequence[str]) -> Sequence[Row[Any]]:
    """`name` and the object's columns of those that exist."""
    return await uow.all(
        select(objects.c.name, objects.c.container_id, *_OWN)
        .select_from(objects.join(containers, objects.c.container_id == containers.c.id).join(accounts, containers.c.account_id == accounts.c.id))
        .where(accounts.c.project_id == project_id, containers.c.name == container, objects.c.name.in_(list(names)))
    )


_VALUES = ("container_id", "name", *OWN)


@cache
def _upsert(dialect: str, *, replace: bool) -> Any:
    statement = insert_for(dialect, objects).values({name: bindparam(name) for name in _VALUES} | {"prev_size": bindparam("prev_size")})
    if not replace:
        return statement.on_conflict_do_nothing().returning(objects.c.prev_size, objects.c.size)
    changed = {name: statement.excluded[name] for name in _VALUES if name not in ("container_id", "name", "uuid")}
    changed["uuid"] = func.coalesce(objects.c.uuid, statement.excluded.uuid)
    return statement.on_conflict_do_update(
        index_elements=[objects.c.container_id, objects.c.name], set_=changed | {"prev_size": objects.c.size}
    ).returning(objects.c.prev_size, objects.c.size)


async def put(uow: UnitOfWork, values: Mapping[str, Any], *, replace: bool = True) -> int | None:
    """Insert or replace.

    The size of what was replaced, -1 if nothing was, None if it exists and may not be replaced.
    """
    row = await uow.one(_upsert(uow.dialect, replace=replace), {**values, "prev_size": None})
    if row is None:
        return None
    return -1 if row.prev_size is None else int(row.prev_size)


_locked = select(*_OWN).where(objects.c.container_id == bindparam("c"), objects.c.name == bindparam("n")).with_for_update()


async def locked(uow: UnitOfWork, container_id: int, name: str) -> Row[Any] | None:
    """The object's columns, locked until the transaction ends; None if there is none."""
    return await uow.one(_locked, {"c": container_id, "n": name})


_delete = delete(objects).where(objects.c.container_id == bindparam("c"), objects.c.name == bindparam("n")).returning(objects.c.size)
_delete_same = (
    delete(objects)
    .where(
        objects.c.container_id == bindparam("c"),
        objects.c.name == bindparam("n"),
        objects.c.created_us == bindparam("t"),
    )
    .returning(objects.c.size)
)
_delete_expired = (
    delete(objects)
    .where(
        objects.c.container_id == bindparam("c"),
        objects.c.name == bindparam("n"),
        objects.c.delete_at == bindparam("d"),
    )
    .returning(objects.c.size)
)


async def remove(uow: UnitOfWork, container_id: int, name: str) -> int | None:
    """The size of what was deleted; None if there was nothing."""
    size = await uow.scalar(_delete, {"c": container_id, "n": name})
    return None if size is None else int(size)


async def remove_same(uow: UnitOfWork, container_id: int, name: str, *, created_us: int) -> int | None:
    """As `remove`, if the data is still that of `created_us`."""
    size = await uow.scalar(_delete_same, {"c": container_id, "n": name, "t": created_us})
    return None if size is None else int(size)


async def remove_expired(uow: UnitOfWork, container_id: int, name: str, *, delete_at: int) -> int | None:
    """As `remove`, if it is still to go at `delete_at`."""
    size = await uow.scalar(_delete_expired, {"c": container_id, "n": name, "d": delete_at})
    return None if size is None else int(size)


async def expired(uow: UnitOfWork, *, now_s: int, limit: int = 200) -> Sequence[Row[Any]]:
    """container_id, account_id, container_headers, name, delete_at of objects whose time has come."""
    return await uow.all(
        select(objects.c.container_id, containers.c.account_id, containers.c.headers.label("container_headers"), objects.c.name, objects.c.delete_at)
        .select_from(objects.join(containers, objects.c.container_id == containers.c.id))
        .where(objects.c.delete_at <= now_s)
        .order_by(objects.c.delete_at)
        .limit(limit)
    )


async def set_metadata(uow: UnitOfWork, container_id: int, name: str, *, created_us: int, **values: Any) -> bool:
    """A POST on the data of `created_us`; False if that is gone."""
    return bool(
        await uow.run(
            update(objects).where(objects.c.container_id == container_id, objects.c.name == name, objects.c.created_us == created_us).values(**values)
        )
    )
