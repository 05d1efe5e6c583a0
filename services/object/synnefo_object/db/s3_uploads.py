"""Multipart uploads under way and their parts. Their bytes count for the account; completion moves their roots into an object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, Row, String, Table, Text, delete, func, select

from synnefo_common.db import UnitOfWork
from synnefo_common.db.sql import insert_for
from synnefo_object.db.base import metadata
from synnefo_object.db.containers import name_type

s3_uploads = Table(
    "s3_uploads",
    metadata,
    Column("id", name_type(32), primary_key=True),
    Column("container_id", BigInteger, ForeignKey("containers.id"), nullable=False),
    Column("name", name_type(1100), nullable=False),
    Column("content_type", Text, nullable=False),
    Column("headers", Text, nullable=False),  # JSON: what the object will keep
    Column("checksum", String(32), nullable=False, server_default=""),  # «ALGORITHM TYPE»; empty: none asked for
    Column("user_id", String(64), nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Index("ix_s3_uploads_container_id_name", "container_id", "name", "id"),
)

s3_parts = Table(
    "s3_parts",
    metadata,
    Column("upload_id", name_type(32), ForeignKey("s3_uploads.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    Column("pool", String(64), nullable=False, server_default=""),  # where `root` lies; empty: the service's own store
    Column("size", BigInteger, nullable=False),
    Column("prev_size", BigInteger),  # of what the last upload of this number replaced
    Column("etag", String(32), nullable=False),
    Column("checksum", String(64), nullable=False, server_default=""),
    Column("created_us", BigInteger, nullable=False),
    Index("ix_s3_parts_created_us", "created_us"),
)
_PART = ("upload_id", "number", "root", "pool", "size", "etag", "checksum", "created_us")


async def add(uow: UnitOfWork, row: Mapping[str, Any]) -> None:
    """A new upload. Raises IntegrityError if the container is gone."""
    await uow.run(s3_uploads.insert(), dict(row))


async def find(uow: UnitOfWork, upload_id: str, *, container_id: int, name: str) -> Row[Any] | None:
    """The upload, if it is for this object."""
    u = s3_uploads.c
    return await uow.one(select(s3_uploads).where(u.id == upload_id, u.container_id == container_id, u.name == name))


async def locked(uow: UnitOfWork, upload_id: str) -> bool:
    """Whether the upload is there; then it stays so until the transaction ends."""
    return await uow.scalar(select(s3_uploads.c.id).where(s3_uploads.c.id == upload_id).with_for_update()) is not None


async def put_part(uow: UnitOfWork, row: Mapping[str, Any]) -> int:
    """Insert or replace a part; the bytes that it frees."""
    statement = insert_for(uow.dialect, s3_parts).values({name: row[name] for name in _PART})
    changed = {name: statement.excluded[name] for name in _PART[2:]}
    statement = statement.on_conflict_do_update(
        index_elements=[s3_parts.c.upload_id, s3_parts.c.number], set_=changed | {"prev_size": s3_parts.c.size}
    ).returning(s3_parts.c.prev_size)
    return int(await uow.scalar(statement) or 0)


async def parts(uow: UnitOfWork, upload_id: str, *, after: int = 0, limit: int | None = None) -> Sequence[Row[Any]]:
    """Parts in order."""
    p = s3_parts.c
    return await uow.all(select(s3_parts).where(p.upload_id == upload_id, p.number > after).order_by(p.number).limit(limit))


async def remove(uow: UnitOfWork, upload_id: str) -> int | None:
    """Delete an upload with its parts: the bytes that they held; None if there is no such upload."""
    held = int(await uow.scalar(select(func.coalesce(func.sum(s3_parts.c.size), 0)).where(s3_parts.c.upload_id == upload_id)) or 0)
    await uow.run(delete(s3_parts).where(s3_parts.c.upload_id == upload_id))
    return held if await uow.run(delete(s3_uploads).where(s3_uploads.c.id == upload_id)) else None


async def remove_all(uow: UnitOfWork, container_id: int) -> int:
    """Delete all uploads of a container that goes: the bytes that they held."""
    mine = select(s3_uploads.c.id).where(s3_uploads.c.container_id == container_id)
    held = int(await uow.scalar(select(func.coalesce(func.sum(s3_parts.c.size), 0)).where(s3_parts.c.upload_id.in_(mine))) or 0)
    await uow.run(delete(s3_parts).where(s3_parts.c.upload_id.in_(mine)))
    await uow.run(delete(s3_uploads).where(s3_uploads.c.container_id == container_id))
    return held


async def page(
    uow: UnitOfWork, container_id: int, *, start: str, after: tuple[str, str] | None, before: str | None, limit: int
) -> Sequence[Row[Any]]:
    """Uploads by name and id: names from `start` on and below `before`, behind the (name, id) `after`."""
    u = s3_uploads.c
    statement = select(u.id, u.name, u.user_id, u.checksum, u.created_us).where(u.container_id == container_id, u.name >= start)
    if before is not None:
        statement = statement.where(u.name < before)
    if after is not None:
        name, upload_id = after
        statement = statement.where((u.name > name) | ((u.name == name) & (u.id > upload_id)) if upload_id else u.name > name)
    return await uow.all(statement.order_by(u.name, u.id).limit(limit))
