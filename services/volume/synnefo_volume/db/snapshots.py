"""Snapshots: table and queries. A snapshot is a root: deleting it touches no other's bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Index,
    Integer,
    LargeBinary,
    Row,
    String,
    Table,
    delete,
    exists,
    func,
    insert,
    select,
    true,
    update,
)

from synnefo_common.db import JSON, UnitOfWork
from synnefo_common.db.paging import after, order
from synnefo_volume.db.base import metadata

snapshots = Table(
    "snapshots",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project_id", String(64), nullable=False),
    Column("user_id", String(64), nullable=False),
    Column("volume_id", String(36), nullable=False),
    Column("name", String(255)),
    Column("description", String(255)),
    Column("status", String(32), nullable=False),
    Column("size_gib", Integer, nullable=False),
    Column("volume_type_id", String(36)),
    Column("is_bootable", Boolean, nullable=False),
    Column("image_metadata", JSON),
    Column("metadata", JSON, nullable=False),
    Column("progress", String(255)),  # as somebody reported it; NULL: by the status
    Column("root", LargeBinary),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger),
    Index("ix_snapshots_project_created_at", "project_id", "created_at", "id"),
    Index("ix_snapshots_volume_id", "volume_id"),
)
SORT_KEYS: dict[str, ColumnElement[Any]] = {
    "id": snapshots.c.id,
    "name": func.coalesce(snapshots.c.name, ""),
    "display_name": func.coalesce(snapshots.c.name, ""),
    "status": snapshots.c.status,
    "size": snapshots.c.size_gib,
    "volume_size": snapshots.c.size_gib,
    "volume_id": snapshots.c.volume_id,
    "created_at": snapshots.c.created_at,
    "updated_at": func.coalesce(snapshots.c.updated_at, 0),
}
_FIELDS = {"display_name": "name", "size": "size_gib", "volume_size": "size_gib"}
_SHOWN = [c for c in snapshots.c if c.name != "root"]


def of_volume(volume_id: str, *, statuses: Sequence[str] | None = None) -> ColumnElement[bool]:
    """Whether the volume has snapshots (in one of the statuses)."""
    found = select(snapshots.c.id).where(snapshots.c.volume_id == volume_id)
    return exists(found if statuses is None else found.where(snapshots.c.status.in_(statuses)))


def _reachable(project_id: str | None) -> ColumnElement[bool]:
    return true() if project_id is None else snapshots.c.project_id == project_id


async def get(uow: UnitOfWork, snapshot_id: str, *, project_id: str | None, with_root: bool = False) -> Row[Any] | None:
    """One snapshot; `project_id` None for an administrator."""
    columns = list(snapshots.c) if with_root else _SHOWN
    return await uow.one(select(*columns).where(snapshots.c.id == snapshot_id, _reachable(project_id)))


async def list_page(
    uow: UnitOfWork,
    *,
    project_id: str | None,
    equal: Mapping[str, Any],
    with_metadata: Mapping[str, str],
    sort: Sequence[tuple[str, str]],
    limit: int,
    offset: int,
    marker: Row[Any] | None,
) -> Sequence[Row[Any]]:
    """A page; `project_id` None for all projects."""
    keys = list(sort)
    keys += [(k, keys[-1][1]) for k in ("created_at", "id") if k not in dict(keys)]
    columns = [(SORT_KEYS[k], d) for k, d in keys]
    statement = select(*_SHOWN).where(_reachable(project_id), *(snapshots.c[n] == v for n, v in equal.items()))
    statement = statement.where(*(snapshots.c.metadata[k].as_string() == v for k, v in with_metadata.items()))
    if marker is not None:
        empty = {"name": "", "display_name": "", "updated_at": 0}
        values = [marker._mapping[_FIELDS.get(k, k)] for k, _ in keys]
        values = [empty.get(keys[i][0]) if v is None else v for i, v in enumerate(values)]
        statement = statement.where(after(columns, values))
    return await uow.all(order(statement, columns).limit(limit).offset(offset))


async def add(uow: UnitOfWork, row: Mapping[str, Any]) -> None:
    """A new row."""
    await uow.run(insert(snapshots).values(**row))


async def change(uow: UnitOfWork, snapshot_id: str, *, old: Sequence[str] | None = None, values: Mapping[str, Any]) -> bool:
    """Change a row that has one of the statuses `old` (or any)."""
    statement = update(snapshots).where(snapshots.c.id == snapshot_id)
    if old is not None:
        statement = statement.where(snapshots.c.status.in_(old))
    return bool(await uow.run(statement.values(**values)))


async def remove(
    uow: UnitOfWork, *, snapshot_id: str | None = None, volume_id: str | None = None, old: Sequence[str] | None = None
) -> Sequence[Row[Any]]:
    """Delete a snapshot, or all of a volume; what the ledger counted for them."""
    statement = delete(snapshots)
    statement = statement.where(snapshots.c.id == snapshot_id) if snapshot_id else statement.where(snapshots.c.volume_id == volume_id)
    if old is not None:
        statement = statement.where(snapshots.c.status.in_(old))
    columns = (snapshots.c.id, snapshots.c.project_id, snapshots.c.user_id, snapshots.c.size_gib)
    return await uow.all(statement.returning(*columns))


async def roots(uow: UnitOfWork, *, after_id: str, limit: int) -> Sequence[Row[Any]]:
    """Roots in the order of snapshot ids."""
    held = select(snapshots.c.id, snapshots.c.root).where(snapshots.c.root.is_not(None), snapshots.c.id > after_id)
    return await uow.all(held.order_by(snapshots.c.id).limit(limit))


_KIND_AT = 6
"""Where a stored root says its kind (`synnefo_archipelago.roots`), counted from 1."""


async def unfrozen(uow: UnitOfWork, *, after_id: str, limit: int) -> Sequence[Row[Any]]:
    """Snapshots whose root still refers to a volume's private blocks."""
    kind = func.substr(snapshots.c.root, _KIND_AT, 1, type_=LargeBinary)
    found = select(snapshots.c.id, snapshots.c.root).where(kind == b"\x02", snapshots.c.id > after_id)
    return await uow.all(found.order_by(snapshots.c.id).limit(limit))


async def replace_root(uow: UnitOfWork, snapshot_id: str, *, old: bytes, new: bytes) -> bool:
    """Exchange the root of a snapshot that still has the old one."""
    mine = update(snapshots).where(snapshots.c.id == snapshot_id, snapshots.c.root == old)
    return bool(await uow.run(mine.values(root=new)))
