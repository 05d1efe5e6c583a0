"""Versions: what objects were before. A row is moved here, unchanged, by what replaces or deletes it.

A version's id is the time of its data, which grows with every new data of a name. A deletion leaves a marker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    bindparam,
    delete,
    insert,
    select,
    update,
)

from synnefo_common.db import UnitOfWork
from synnefo_object.db.base import metadata
from synnefo_object.db.containers import name_type
from synnefo_object.db.objects import OWN
from synnefo_object.domain.kinds import MARKER

versions = Table(
    "versions",
    metadata,
    Column("container_id", BigInteger, ForeignKey("containers.id"), primary_key=True, autoincrement=False),
    Column("name", name_type(1100), primary_key=True),
    Column("created_us", BigInteger, primary_key=True, autoincrement=False),
    Column("replaced_us", BigInteger, nullable=False),  # current from `created_us` until then
    Column("root", LargeBinary, nullable=False),  # empty for a marker
    Column("pool", String(64), nullable=False, server_default=""),  # where `root` lies; empty: the service's own store
    Column("size", BigInteger, nullable=False),
    Column("etag", String(80), nullable=False),
    Column("content_type", Text, nullable=False),
    Column("headers", Text, nullable=False),
    Column("modified_us", BigInteger, nullable=False),
    Column("delete_at", BigInteger),
    Column("kind", SmallInteger, nullable=False),
    Column("extra", Text),
    Column("uuid", String(36)),
    Column("hash", String(64)),
    Column("modified_by", String(64), nullable=False, server_default=""),
    Column("versioned", SmallInteger, nullable=False, server_default="0"),
    Index("ix_versions_created_us", "created_us"),
)
_OWN = tuple(versions.c[name] for name in OWN)
NEVER_US = (1 << 63) - 1
"""`replaced_us` of a marker that nothing followed yet."""

_insert = insert(versions)
_is_one = (
    versions.c.container_id == bindparam("c"),
    versions.c.name == bindparam("n"),
    versions.c.created_us == bindparam("t"),
)
_find = select(*_OWN, versions.c.replaced_us).where(*_is_one)
_delete = delete(versions).where(*_is_one).returning(versions.c.size)
_last = (
    select(*_OWN, versions.c.replaced_us)
    .where(versions.c.container_id == bindparam("c"), versions.c.name == bindparam("n"))
    .order_by(versions.c.created_us.desc())
    .limit(1)
)


async def add(uow: UnitOfWork, container_id: int, name: str, row: Mapping[str, Any], *, replaced_us: int) -> None:
    """Keep a version; `row` has the columns of an object."""
    await uow.run(_insert, {name_: row[name_] for name_ in OWN} | {"container_id": container_id, "name": name, "replaced_us": replaced_us})


async def find(uow: UnitOfWork, container_id: int, name: str, created_us: int) -> Row[Any] | None:
    """One version, markers too; the current one is not here."""
    return await uow.one(_find, {"c": container_id, "n": name, "t": created_us})


async def last(uow: UnitOfWork, container_id: int, name: str) -> Row[Any] | None:
    """The youngest version that is kept: a marker, if the object was deleted."""
    return await uow.one(_last, {"c": container_id, "n": name})


async def of_object(uow: UnitOfWork, container_id: int, name: str) -> Sequence[Row[Any]]:
    """All versions of a name, oldest first."""
    v = versions.c
    return await uow.all(select(*_OWN, v.replaced_us).where(v.container_id == container_id, v.name == name).order_by(v.created_us))


async def end_marker(uow: UnitOfWork, container_id: int, name: str, *, replaced_us: int) -> None:
    """New data follows a deletion: the marker is no longer the last word."""
    v = versions.c
    await uow.run(
        update(versions)
        .where(v.container_id == container_id, v.name == name, v.replaced_us == NEVER_US, v.kind == MARKER)
        .values(replaced_us=replaced_us)
    )


async def remove(uow: UnitOfWork, container_id: int, name: str, created_us: int) -> int | None:
    """The size of what was deleted; None if there was nothing."""
    size = await uow.scalar(_delete, {"c": container_id, "n": name, "t": created_us})
    return None if size is None else int(size)


async def remove_null(uow: UnitOfWork, container_id: int, name: str) -> int:
    """Delete the kept version that was put while none were kept, if there is one: its bytes."""
    v = versions.c
    gone = delete(versions).where(v.container_id == container_id, v.name == name, v.versioned == 0).returning(v.size)
    return sum(int(row.size) for row in await uow.all(gone))


async def find_null(uow: UnitOfWork, container_id: int, name: str) -> Row[Any] | None:
    """The kept version that was put while none were kept; there is one at most in what S3 made."""
    v = versions.c
    return await uow.one(
        select(*_OWN, v.replaced_us).where(v.container_id == container_id, v.name == name, v.versioned == 0).order_by(v.created_us.desc()).limit(1)
    )


async def set_headers(uow: UnitOfWork, container_id: int, name: str, *, created_us: int, headers: str) -> bool:
    """Change what is kept with a version; False if it is gone."""
    v = versions.c
    is_one = (v.container_id == container_id, v.name == name, v.created_us == created_us)
    return bool(await uow.run(update(versions).where(*is_one).values(headers=headers)))


async def revive_marker(uow: UnitOfWork, container_id: int, name: str, created_us: int) -> None:
    """What followed the marker is gone: it is the last word again."""
    v = versions.c
    await uow.run(update(versions).where(v.container_id == container_id, v.name == name, v.created_us == created_us).values(replaced_us=NEVER_US))
