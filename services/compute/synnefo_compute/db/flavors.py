"""Flavors and who may use the private ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Integer, Row, Select, String, Table, delete, or_, select

from synnefo_common.db import JSON, UnitOfWork, upsert_ignore
from synnefo_common.db.paging import after, order
from synnefo_compute.db.base import metadata

flavors = Table(
    "flavors",
    metadata,
    Column("id", String(255), primary_key=True),
    Column("name", String(255), nullable=False, unique=True),
    Column("vcpus", Integer, nullable=False),
    Column("ram_mib", Integer, nullable=False),
    Column("disk_gib", Integer, nullable=False),
    Column("ephemeral_gib", Integer, nullable=False),
    Column("swap_mib", Integer, nullable=False),
    Column("rxtx_factor", Float, nullable=False),
    Column("is_public", Boolean, nullable=False),
    Column("is_disabled", Boolean, nullable=False),
    Column("extra_specs", JSON, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)
flavor_access = Table(
    "flavor_access",
    metadata,
    Column("flavor_id", String(255), ForeignKey("flavors.id", ondelete="CASCADE"), primary_key=True),
    Column("project_id", String(64), primary_key=True),
)

SORT_COLUMNS = {
    "flavorid": flavors.c.id, "id": flavors.c.id, "name": flavors.c.name, "memory_mb": flavors.c.ram_mib, "root_gb": flavors.c.disk_gib,
    "vcpus": flavors.c.vcpus, "ephemeral_gb": flavors.c.ephemeral_gib, "swap": flavors.c.swap_mib, "is_public": flavors.c.is_public,
    "created_at": flavors.c.created_at, "rxtx_factor": flavors.c.rxtx_factor, "disabled": flavors.c.is_disabled,
}  # fmt: skip


def _visible(statement: Select[Any], project_id: str | None, is_admin: bool) -> Select[Any]:
    if is_admin:
        return statement
    mine = select(flavor_access.c.flavor_id).where(flavor_access.c.project_id == project_id)
    return statement.where(or_(flavors.c.is_public.is_(True), flavors.c.id.in_(mine)))


async def get_flavor(uow: UnitOfWork, flavor_id: str, *, project_id: str | None, is_admin: bool = False) -> Row[Any] | None:
    """A flavor that the project may use."""
    return await uow.one(_visible(select(flavors).where(flavors.c.id == flavor_id), project_id, is_admin))


async def list_flavors(
    uow: UnitOfWork,
    *,
    project_id: str | None,
    is_admin: bool,
    is_public: bool | None,
    min_ram: int,
    min_disk: int,
    sort: Sequence[tuple[str, str]],
    marker: Row[Any] | None,
    limit: int,
) -> Sequence[Row[Any]]:
    """A page of flavors; `is_public` None means both kinds."""
    statement = _visible(select(flavors), project_id, is_admin)
    if is_public is not None:
        statement = statement.where(flavors.c.is_public.is_(is_public))
    if min_ram:
        statement = statement.where(flavors.c.ram_mib >= min_ram)
    if min_disk:
        statement = statement.where(flavors.c.disk_gib >= min_disk)
    columns = [(SORT_COLUMNS[key], direction) for key, direction in sort]
    columns.append((flavors.c.id, sort[-1][1] if sort else "asc"))
    if marker is not None:
        statement = statement.where(after(columns, [getattr(marker, c.key) for c, _ in columns]))
    return await uow.all(order(statement, columns).limit(limit))


async def insert_flavor(uow: UnitOfWork, values: dict[str, Any]) -> bool:
    """False if the id or the name is taken."""
    return await uow.run(upsert_ignore(uow.dialect, flavors, values)) == 1


async def delete_flavor(uow: UnitOfWork, flavor_id: str) -> bool:
    return await uow.run(delete(flavors).where(flavors.c.id == flavor_id)) == 1


async def set_extra_specs(uow: UnitOfWork, flavor_id: str, specs: dict[str, str]) -> None:
    await uow.run(flavors.update().where(flavors.c.id == flavor_id).values(extra_specs=specs))


async def list_access(uow: UnitOfWork, flavor_id: str) -> list[str]:
    rows = await uow.all(
        select(flavor_access.c.project_id).where(flavor_access.c.flavor_id == flavor_id).order_by(flavor_access.c.project_id)
    )
    return [row.project_id for row in rows]


async def add_access(uow: UnitOfWork, flavor_id: str, project_id: str) -> bool:
    return await uow.run(upsert_ignore(uow.dialect, flavor_access, {"flavor_id": flavor_id, "project_id": project_id})) == 1


async def remove_access(uow: UnitOfWork, flavor_id: str, project_id: str) -> bool:
    where = (flavor_access.c.flavor_id == flavor_id) & (flavor_access.c.project_id == project_id)
    return await uow.run(delete(flavor_access).where(where)) == 1


__all__ = [
    "SORT_COLUMNS", "add_access", "delete_flavor", "flavor_access", "flavors", "get_flavor", "insert_flavor", "list_access",
    "list_flavors", "remove_access", "set_extra_specs",
]  # fmt: skip
