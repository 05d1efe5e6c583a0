"""Servers: one row each, with flavor and image embedded at creation, so that lists never leave this table and the projections."""

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
    Row,
    String,
    Table,
    Text,
    cast,
    func,
    insert,
    or_,
    select,
    update,
)  # fmt: skip

from synnefo_common.db import JSON, UnitOfWork
from synnefo_common.db.paging import after, order
from synnefo_common.ids import is_uuid
from synnefo_compute.db.base import metadata

servers = Table(
    "servers",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project_id", String(64), nullable=False),
    Column("user_id", String(64), nullable=False),
    Column("name", String(255), nullable=False),
    Column("hostname", String(255), nullable=False),
    Column("vm_state", String(16), nullable=False),
    Column("task_state", String(32)),
    Column("power_state", Integer, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("cluster", String(64)),
    Column("node", String(255)),
    Column("image_id", String(36)),
    Column("flavor", JSON, nullable=False),  # id, name, vcpus, ram, disk, ephemeral, swap, extra_specs, as it was
    Column("flavor_id", String(255), nullable=False),
    Column("old_flavor", JSON(none_as_null=True)),  # while a resize is not confirmed
    Column("vcpus", Integer, nullable=False),
    Column("ram_mib", Integer, nullable=False),
    Column("disk_gib", Integer, nullable=False),
    Column("key_name", String(255)),
    Column("metadata", JSON, nullable=False),
    Column("user_data", Text),
    Column("config_drive", Boolean, nullable=False),
    Column("disk_config", String(8), nullable=False),
    Column("availability_zone", String(255)),
    Column("access_ip_v4", String(39), nullable=False),
    Column("access_ip_v6", String(39), nullable=False),
    Column("progress", Integer, nullable=False),
    Column("fault", JSON(none_as_null=True)),
    Column("server_group_id", String(36)),
    Column("reservation_id", String(32), nullable=False),
    Column("launch_index", Integer, nullable=False),
    Column("commission_id", String(64)),
    Column("saga_id", String(36)),  # the saga that changes this server now
    Column("job_token", String(80)),  # the job in Ganeti that is awaited
    Column("action_id", String(36)),  # the instance action that the job belongs to
    Column("delete_requested", Boolean, nullable=False),
    Column("locked_by", String(8)),  # LockedBy, None while it is not locked
    Column("fact_order", JSON(none_as_null=True)),  # (job id, op index, rank) of the newest fact taken
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("task_since", BigInteger),
    Column("launched_at", BigInteger),
    Column("deleted_at", BigInteger),
    Index("ix_servers_project_id_created_at", "project_id", "deleted_at", "created_at", "id"),
    Index("ix_servers_created_at", "deleted_at", "created_at", "id"),
    Index("ix_servers_task_since", "task_since"),
    Index("ix_servers_server_group_id", "server_group_id"),
)

SORT_COLUMNS: dict[str, ColumnElement[Any]] = {
    "access_ip_v4": servers.c.access_ip_v4, "access_ip_v6": servers.c.access_ip_v6, "created_at": servers.c.created_at,
    "display_name": servers.c.name, "name": servers.c.name, "updated_at": servers.c.updated_at, "uuid": servers.c.id, "id": servers.c.id,
    "vm_state": servers.c.vm_state, "power_state": servers.c.power_state, "progress": servers.c.progress,
    "project_id": servers.c.project_id, "user_id": servers.c.user_id, "config_drive": servers.c.config_drive,
    "display_description": servers.c.name, "instance_type_id": servers.c.flavor_id,
}  # fmt: skip
_NULLABLE_SORT: dict[str, ColumnElement[Any]] = {
    "availability_zone": func.coalesce(servers.c.availability_zone, ""), "host": func.coalesce(servers.c.cluster, ""),
    "node": func.coalesce(servers.c.cluster, ""), "image_ref": func.coalesce(servers.c.image_id, ""),
    "key_name": func.coalesce(servers.c.key_name, ""), "task_state": func.coalesce(servers.c.task_state, ""),
    "launched_at": func.coalesce(servers.c.launched_at, 0), "terminated_at": func.coalesce(servers.c.deleted_at, 0),
    "launch_index": servers.c.launch_index, "root_device_name": servers.c.id,
}  # fmt: skip
SORT_COLUMNS |= _NULLABLE_SORT


async def insert_servers(uow: UnitOfWork, rows: Sequence[Mapping[str, Any]]) -> None:
    await uow.run(insert(servers), [dict(row) for row in rows])


async def get_server(uow: UnitOfWork, server_id: str, *, project_id: str | None, deleted: bool = False) -> Row[Any] | None:
    """A server; `project_id` None only for administrators and for the machinery below."""
    if not is_uuid(server_id):
        return None
    statement = select(servers).where(servers.c.id == server_id)
    if project_id is not None:
        statement = statement.where(servers.c.project_id == project_id)
    if not deleted:
        statement = statement.where(servers.c.deleted_at.is_(None))
    return await uow.one(statement)


async def list_servers(
    uow: UnitOfWork,
    where: Sequence[ColumnElement[bool]],
    *,
    sort: Sequence[tuple[str, str]],
    marker_id: str | None,
    limit: int,
    columns: Sequence[ColumnElement[Any]] | None = None,
) -> Sequence[Row[Any]] | None:
    """A page of servers; None if the marker is not among them."""
    keys = [(SORT_COLUMNS[key], direction) for key, direction in sort]
    direction = sort[-1][1] if sort else "desc"
    if "created_at" not in {k for k, _ in sort}:
        keys.append((servers.c.created_at, direction))
    keys.append((servers.c.id, direction))
    statement = select(*columns) if columns else select(servers)
    statement = statement.where(*where)
    if marker_id is not None:
        marker = await uow.one(select(*[c.label(f"k{i}") for i, (c, _) in enumerate(keys)]).where(servers.c.id == marker_id, *where))
        if marker is None:
            return None
        statement = statement.where(after(keys, list(marker)))
    return await uow.all(order(statement, keys).limit(limit))


async def change(
    uow: UnitOfWork, server_id: str, values: Mapping[str, Any], *, generation: int | None = None, conditions: Sequence[ColumnElement[bool]] = ()
) -> bool:
    """Compare and set: every change raises the generation. False if somebody else was first."""
    statement = update(servers).where(servers.c.id == server_id, *conditions).values(_changes(uow, values))
    if generation is not None:
        statement = statement.where(servers.c.generation == generation)
    return await uow.run(statement) == 1


def _changes(uow: UnitOfWork, values: Mapping[str, Any]) -> dict[str, Any]:
    now = uow.db.clock.now_us()
    changes: dict[str, Any] = {**values, "generation": servers.c.generation + 1, "updated_at": now}
    if "task_state" in values:
        changes["task_since"] = now if values["task_state"] is not None else None
    return changes


async def change_and_get(uow: UnitOfWork, server_id: str, values: Mapping[str, Any]) -> Row[Any] | None:
    """Change a server whatever it is now; its row as it is then."""
    return await uow.one(update(servers).where(servers.c.id == server_id).values(_changes(uow, values)).returning(servers))


async def count_by_project(uow: UnitOfWork) -> Sequence[Row[Any]]:
    """What the ledger must show: instances, cores, ram per project."""
    return await uow.all(
        select(
            servers.c.project_id, func.count().label("instances"), func.sum(servers.c.vcpus).label("cores"),
            func.sum(servers.c.ram_mib).label("ram_mib"),
        ).where(servers.c.deleted_at.is_(None)).group_by(servers.c.project_id)
    )  # fmt: skip


async def list_on_clusters(uow: UnitOfWork, names: Sequence[str]) -> Sequence[Row[Any]]:
    """Live servers of these clusters: id and cluster."""
    query = select(servers.c.id, servers.c.cluster).where(servers.c.cluster.in_(list(names)), servers.c.deleted_at.is_(None))
    return await uow.all(query.order_by(servers.c.created_at, servers.c.id))


async def list_in_period(uow: UnitOfWork, *, start_us: int, stop_us: int, project_id: str | None, limit: int) -> Sequence[Row[Any]]:
    """Servers, deleted ones too, that ran at some time between these, by project."""
    query = select(
        servers.c.id, servers.c.project_id, servers.c.name, servers.c.flavor, servers.c.vm_state, servers.c.launched_at, servers.c.deleted_at
    ).where(servers.c.launched_at < stop_us, or_(servers.c.deleted_at.is_(None), servers.c.deleted_at > start_us))
    if project_id is not None:
        query = query.where(servers.c.project_id == project_id)
    return await uow.all(query.order_by(servers.c.project_id, servers.c.launched_at, servers.c.id).limit(limit))


async def in_error_without_fault(uow: UnitOfWork) -> list[str]:
    """Live servers in ERROR that do not say why."""
    is_silent = func.coalesce(cast(servers.c.fault, Text), "null") == "null"  # older rows have JSON's null
    where = (servers.c.vm_state == "error", is_silent, servers.c.deleted_at.is_(None))
    return [row.id for row in await uow.all(select(servers.c.id).where(*where).order_by(servers.c.id))]
