"""Volume types and who may use the private ones: tables and queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    ForeignKey,
    Row,
    String,
    Table,
    delete,
    exists,
    insert,
    or_,
    select,
    true,
    update,
)

from synnefo_common.db import JSON, UnitOfWork, upsert_ignore
from synnefo_volume.db.base import metadata

volume_types = Table(
    "volume_types",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(255), nullable=False, unique=True),
    Column("description", String(255)),
    Column("is_public", Boolean, nullable=False),
    Column("extra_specs", JSON, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger),
)
access = Table(
    "volume_type_access",
    metadata,
    Column("volume_type_id", String(36), ForeignKey("volume_types.id", ondelete="CASCADE"), primary_key=True),
    Column("project_id", String(255), primary_key=True),
)


def usable_by(project_id: str | None) -> ColumnElement[bool]:
    """Public types and those that were given to the project; all without a project."""
    if project_id is None:
        return true()
    given = select(access.c.project_id).where(
        access.c.volume_type_id == volume_types.c.id, access.c.project_id == project_id
    )
    return or_(volume_types.c.is_public.is_(True), exists(given))


async def ensure(uow: UnitOfWork, row: Mapping[str, Any]) -> None:
    """The row, unless a type of that id or name is there."""
    await uow.run(upsert_ignore(uow.dialect, volume_types, row))


async def find(uow: UnitOfWork, key: str, *, project_id: str | None, by_name: bool = False) -> Row[Any] | None:
    """A type by id (or by name too)."""
    match = or_(volume_types.c.id == key, volume_types.c.name == key) if by_name else volume_types.c.id == key
    return await uow.one(select(volume_types).where(match, usable_by(project_id)))


async def list_all(uow: UnitOfWork, *, project_id: str | None, is_public: bool | None) -> Sequence[Row[Any]]:
    """Types, newest first."""
    statement = select(volume_types).where(usable_by(project_id))
    if is_public is not None:
        statement = statement.where(volume_types.c.is_public.is_(is_public))
    return await uow.all(statement.order_by(volume_types.c.created_at.desc(), volume_types.c.id))


async def add(uow: UnitOfWork, row: Mapping[str, Any]) -> None:
    """A new row."""
    await uow.run(insert(volume_types).values(**row))


async def change(uow: UnitOfWork, type_id: str, values: Mapping[str, Any]) -> bool:
    """False if there is no such type."""
    return bool(await uow.run(update(volume_types).where(volume_types.c.id == type_id).values(**values)))


async def remove(uow: UnitOfWork, type_id: str) -> bool:
    """False if there is no such type."""
    return bool(await uow.run(delete(volume_types).where(volume_types.c.id == type_id)))


async def list_access(uow: UnitOfWork, type_id: str) -> Sequence[Row[Any]]:
    """The projects of a private type."""
    return await uow.all(select(access).where(access.c.volume_type_id == type_id).order_by(access.c.project_id))


async def grant(uow: UnitOfWork, type_id: str, project_id: str) -> bool:
    """False if it had access."""
    row = {"volume_type_id": type_id, "project_id": project_id}
    return bool(await uow.run(upsert_ignore(uow.dialect, access, row)))


async def revoke(uow: UnitOfWork, type_id: str, project_id: str) -> bool:
    """False if it had no access."""
    return bool(
        await uow.run(delete(access).where(access.c.volume_type_id == type_id, access.c.project_id == project_id))
    )
