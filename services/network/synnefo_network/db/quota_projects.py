"""Which projects have network quotas of their own (the limits themselves are identity's)."""

from __future__ import annotations

from sqlalchemy import Column, String, Table, select

from synnefo_common.db import UnitOfWork
from synnefo_network.db.base import metadata

quota_projects = Table("quota_projects", metadata, Column("project_id", String(64), primary_key=True))


async def list_projects(uow: UnitOfWork) -> list[str]:
    return [row.project_id for row in await uow.all(select(quota_projects).order_by(quota_projects.c.project_id))]
