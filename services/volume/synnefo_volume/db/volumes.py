"""Volumes and their attachments: tables and queries. The block store's volume has the row's id as its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Row,
    String,
    Table,
    and_,
    delete,
    exists,
    func,
    select,
    true,
    update,
)

from synnefo_common.db import JSON, UnitOfWork, upsert_ignore
from synnefo_common.db.paging import after, order
from synnefo_volume.db.base import metadata
from synnefo_volume.db.volume_types import volume_types

volumes = Table(
    "volumes",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project_id", String(64), nullable=False),
    Column("user_id", String(64), nullable=False),
    Column("name", String(255)),
    Column("description", String(255)),
    Column("status", String(32), nullable=False),
    Column("size_gib", Integer, nullable=False),
    Column("volume_type_id", String(36)),
    Column("availability_zone", String(255), nullable=False),
    Column("is_bootable", Boolean, nullable=False),
    Column("is_readonly", Boolean),  # NULL: nobody said
    Column("is_hidden", Boolean, nullable=False),  # the root disk of a server: not in the volume API, not in the ledger
    Column("snapshot_id", String(36)),
    Column("source_volid", String(36)),
    Column("image_id", String(36)),
    Column("origin_root", LargeBinary),  # what to clone; NULL: zeros, or a clone of `source_volid` as it is then
    Column("origin_digest", String(64)),
    Column("metadata", JSON, nullable=False),
    Column("image_metadata", JSON),
    Column("is_charged", Boolean, nullable=False),  # whether the ledger counts it
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger),
    Index("ix_volumes_project_created_at", "project_id", "created_at", "id"),
    Index("ix_volumes_status_updated_at", "status", "updated_at"),
)
attachments = Table(
    "attachments",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("volume_id", String(36), ForeignKey("volumes.id", ondelete="CASCADE"), nullable=False, unique=True),
    Column("server_id", String(36)),
    Column("host_name", String(255)),
    Column("device_name", String(255)),
    Column("mode", String(2), nullable=False),
    Column("boot_index", Integer),
    Column("tag", String(255)),
    Column("delete_on_termination", Boolean, nullable=False),
    Column(
        "is_managed", Boolean, nullable=False
    ),  # made for compute: what a server really has, not what a client claims
    Column("attached_at", BigInteger, nullable=False),
    Index("ix_attachments_server_id", "server_id"),
)

SORT_KEYS: dict[str, ColumnElement[Any]] = {
    "id": volumes.c.id,
    "name": func.coalesce(volumes.c.name, ""),
    "display_name": func.coalesce(volumes.c.name, ""),
    "status": volumes.c.status,
    "size": volumes.c.size_gib,
    "availability_zone": volumes.c.availability_zone,
    "bootable": volumes.c.is_bootable,
    "created_at": volumes.c.created_at,
    "updated_at": func.coalesce(volumes.c.updated_at, 0),
}
_FIELDS = {"display_name": "name", "size": "size_gib", "bootable": "is_bootable"}
_SHOWN = [c for c in volumes.c if c.name != "origin_root"]


def _select(*more: Any) -> Any:
    joined = volumes.outerjoin(volume_types, volumes.c.volume_type_id == volume_types.c.id)
    return select(*_SHOWN, *more, volume_types.c.name.label("volume_type")).select_from(joined)


def _reachable(project_id: str | None) -> ColumnElement[bool]:
    return true() if project_id is None else volumes.c.project_id == project_id


async def get(
    uow: UnitOfWork, volume_id: str, *, project_id: str | None, hidden: bool = False, with_origin: bool = False
) -> Row[Any] | None:
    """One volume; `project_id` None for an administrator. Hidden ones only if asked for."""
    more = [volumes.c.origin_root] if with_origin else []
    statement = _select(*more).where(volumes.c.id == volume_id, _reachable(project_id))
    if not hidden:
        statement = statement.where(volumes.c.is_hidden.is_(False))
    return await uow.one(statement)


async def get_many(uow: UnitOfWork, ids: Sequence[str]) -> Sequence[Row[Any]]:
    """Volumes by id, hidden ones too."""
    return await uow.all(_select(volumes.c.origin_root).where(volumes.c.id.in_(ids)))


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
    """A page of visible volumes; `project_id` None for all projects."""
    keys = list(sort)
    keys += [(k, keys[-1][1]) for k in ("created_at", "id") if k not in dict(keys)]
    columns = [(SORT_KEYS[k], d) for k, d in keys]
    statement = _select().where(volumes.c.is_hidden.is_(False), _reachable(project_id))
    statement = statement.where(*(volumes.c[name] == value for name, value in equal.items()))
    statement = statement.where(*(volumes.c.metadata[k].as_string() == v for k, v in with_metadata.items()))
    if marker is not None:
        values = [marker._mapping[_FIELDS.get(k, k)] for k, _ in keys]
        empty = {"name": "", "display_name": "", "updated_at": 0}
        values = [empty.get(keys[i][0]) if v is None else v for i, v in enumerate(values)]
        statement = statement.where(after(columns, values))
    return await uow.all(order(statement, columns).limit(limit).offset(offset))


async def attachments_of(uow: UnitOfWork, volume_ids: Sequence[str]) -> dict[str, Row[Any]]:
    """Attachments by volume id."""
    if not volume_ids:
        return {}
    rows = await uow.all(select(attachments).where(attachments.c.volume_id.in_(volume_ids)))
    return {row.volume_id: row for row in rows}


async def of_server(uow: UnitOfWork, server_id: str) -> Sequence[Row[Any]]:
    """A server's volumes with their attachments (columns `a_*`), root first."""
    more = [c.label(f"a_{c.name}") for c in attachments.c]
    statement = _select(*more).join(attachments, attachments.c.volume_id == volumes.c.id)
    statement = statement.where(attachments.c.server_id == server_id, attachments.c.is_managed.is_(True))
    last = func.coalesce(attachments.c.boot_index, 1 << 30)
    return await uow.all(statement.order_by(last, attachments.c.attached_at, volumes.c.id))


async def add(uow: UnitOfWork, rows: Sequence[Mapping[str, Any]]) -> int:
    """New rows; how many were not there."""
    return await uow.run(upsert_ignore(uow.dialect, volumes, rows)) if rows else 0


async def attach(uow: UnitOfWork, rows: Sequence[Mapping[str, Any]]) -> int:
    """New attachments; fewer than asked for if a volume has one already."""
    return await uow.run(upsert_ignore(uow.dialect, attachments, rows)) if rows else 0


async def detach(uow: UnitOfWork, *, volume_ids: Sequence[str], server_id: str | None = None) -> int:
    """Remove attachments."""
    statement = delete(attachments).where(attachments.c.volume_id.in_(volume_ids))
    if server_id is not None:
        statement = statement.where(attachments.c.server_id == server_id)
    return await uow.run(statement)


async def change(
    uow: UnitOfWork,
    volume_ids: Sequence[str],
    *,
    old: Sequence[str] | None = None,
    values: Mapping[str, Any],
    conditions: Sequence[ColumnElement[bool]] = (),
) -> int:
    """Change rows that have one of the statuses `old` (or any); how many."""
    statement = update(volumes).where(volumes.c.id.in_(volume_ids), *conditions)
    if old is not None:
        statement = statement.where(volumes.c.status.in_(old))
    return await uow.run(statement.values(**values))


async def begin_delete(
    uow: UnitOfWork, volume_id: str, *, old: Sequence[str] | None, unless: ColumnElement[bool], now: int
) -> bool:
    """To `deleting`, if it is not attached and `unless` does not hold."""
    held = exists(select(attachments.c.id).where(attachments.c.volume_id == volume_id))
    statement = update(volumes).where(volumes.c.id == volume_id, ~held, ~unless)
    if old is not None:
        statement = statement.where(volumes.c.status.in_(old))
    return bool(await uow.run(statement.values(status="deleting", updated_at=now)))


async def remove(uow: UnitOfWork, volume_ids: Sequence[str]) -> Sequence[Row[Any]]:
    """Delete rows that are `deleting`; what the ledger counted for them."""
    statement = delete(volumes).where(volumes.c.id.in_(volume_ids), volumes.c.status == "deleting")
    columns = (volumes.c.id, volumes.c.project_id, volumes.c.user_id, volumes.c.size_gib, volumes.c.is_charged)
    return await uow.all(statement.returning(*columns))


async def count_of_type(uow: UnitOfWork, type_id: str) -> int:
    """How many volumes have the type."""
    return int(await uow.scalar(select(func.count()).select_from(volumes).where(volumes.c.volume_type_id == type_id)))


async def stuck(uow: UnitOfWork, *, before: int) -> Sequence[Row[Any]]:
    """Volumes in a passing status that nobody touched since."""
    passing = and_(
        volumes.c.status.in_(["creating", "deleting"]),
        func.coalesce(volumes.c.updated_at, volumes.c.created_at) < before,
    )
    columns = (volumes.c.id, volumes.c.status, volumes.c.is_hidden)
    return await uow.all(select(*columns).where(passing).order_by(volumes.c.id).limit(1000))


async def all_attached_servers(uow: UnitOfWork, *, before: int) -> Sequence[Row[Any]]:
    """Servers that have volumes since before then."""
    columns = (attachments.c.server_id, volumes.c.project_id)
    statement = select(*columns).distinct().join(volumes, volumes.c.id == attachments.c.volume_id)
    statement = statement.where(attachments.c.is_managed.is_(True), attachments.c.attached_at < before)
    return await uow.all(statement.order_by(attachments.c.server_id))


async def all_ids(uow: UnitOfWork) -> Sequence[Row[Any]]:
    """Every row's id and status."""
    return await uow.all(select(volumes.c.id, volumes.c.status))


async def origins(uow: UnitOfWork, *, after_id: str, limit: int) -> Sequence[Row[Any]]:
    """Roots that are still to be cloned."""
    pending = and_(volumes.c.origin_root.is_not(None), volumes.c.status == "creating", volumes.c.id > after_id)
    return await uow.all(select(volumes.c.id, volumes.c.origin_root).where(pending).order_by(volumes.c.id).limit(limit))
