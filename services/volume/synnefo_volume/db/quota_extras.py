"""Limits that Cinder has and that count nothing, so that the ledger does not keep them: a row per project and name."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Column, Integer, String, Table, delete, select

from synnefo_common.db import UnitOfWork
from synnefo_volume.db.base import metadata

DEFAULT = "default"  # stands for all projects without their own
quota_extras = Table(
    "quota_extras",
    metadata,
    Column("project_id", String(255), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("value", Integer, nullable=False),
)


async def of_project(uow: UnitOfWork, project_id: str) -> dict[str, int]:
    """What was set, for the project or else for all."""
    rows = await uow.all(select(quota_extras).where(quota_extras.c.project_id.in_([project_id, DEFAULT])))
    return {row.name: row.value for row in sorted(rows, key=lambda row: row.project_id != DEFAULT)}


async def put(uow: UnitOfWork, project_id: str, values: Mapping[str, int]) -> None:
    """Set some."""
    if values:
        names = list(values)
        await uow.run(delete(quota_extras).where(quota_extras.c.project_id == project_id, quota_extras.c.name.in_(names)))
        rows = [{"project_id": project_id, "name": n, "value": v} for n, v in values.items()]
        await uow.run(quota_extras.insert().values(rows))


async def clear(uow: UnitOfWork, project_id: str) -> None:
    """Back to the defaults."""
    await uow.run(delete(quota_extras).where(quota_extras.c.project_id == project_id))
