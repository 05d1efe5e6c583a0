"""What a deleted project leaves behind."""

from __future__ import annotations

from sqlalchemy import delete, select

from synnefo_common.db import UnitOfWork
from synnefo_network.db import ports as db_ports
from synnefo_network.db.quota_projects import quota_projects
from synnefo_network.db.security_groups import security_groups
from synnefo_network.domain.security_group import default_group_id


async def forget_project(uow: UnitOfWork, project_id: str) -> None:
    """Delete what no user can: its default security group if no port uses it, and the mark of its quota.

    May be repeated.

    Networks, ports and floating IPs stay: Neutron keeps them too, and an administrator decides.
    """
    await uow.run(delete(quota_projects).where(quota_projects.c.project_id == project_id))
    group_id = default_group_id(project_id)
    others = await uow.scalar(select(security_groups.c.id).where(security_groups.c.project_id == project_id, security_groups.c.id != group_id))
    if others is None and not await db_ports.is_group_used(uow, group_id):
        await uow.run(delete(security_groups).where(security_groups.c.id == group_id))
