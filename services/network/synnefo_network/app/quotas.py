"""Quotas in Neutron's words: a dialect of the ledger, which identity keeps."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete

from synnefo_common.db import upsert_ignore
from synnefo_common.quota import Holding
from synnefo_network.app.services import Services
from synnefo_network.db import quota_projects as db
from synnefo_network.domain.errors import QuotaLimitBelowUsage

PREFIX = "network."
RESOURCES = {
    "network": "network.networks",
    "subnet": "network.subnets",
    "subnetpool": "network.subnet_pools",
    "port": "network.ports",
    "router": "network.routers",
    "floatingip": "network.floating_ips",
    "security_group": "network.security_groups",
    "security_group_rule": "network.security_group_rules",
    "rbac_policy": "network.rbac_policies",
}
_UNKNOWN = Holding(limit=-1, used=0, reserved=0)


async def show_quota(svc: Services, project_id: str) -> dict[str, int]:
    """The project's limits."""
    holdings = await svc.quota.holdings(project_id, prefix=PREFIX)
    return {name: holdings.get(resource, _UNKNOWN).limit for name, resource in RESOURCES.items()}


async def show_details(svc: Services, project_id: str) -> dict[str, dict[str, int]]:
    """Limit, usage and reservations of each resource."""
    holdings = await svc.quota.holdings(project_id, prefix=PREFIX)
    found = {name: holdings.get(resource, _UNKNOWN) for name, resource in RESOURCES.items()}
    return {name: {"limit": h.limit, "used": h.used, "reserved": h.reserved} for name, h in found.items()}


async def show_defaults(svc: Services) -> dict[str, int]:
    """The limits of a project without its own."""
    limits = await svc.quota.default_limits()
    return {name: limits.get(resource, -1) for name, resource in RESOURCES.items()}


async def update_quota(svc: Services, project_id: str, limits: dict[str, int], *, check_limit: bool) -> dict[str, int]:
    """Set limits. Raises QuotaLimitBelowUsage with `check_limit` for one that is below what is used."""
    if check_limit:
        holdings = await svc.quota.holdings(project_id, prefix=PREFIX)
        for name, limit in limits.items():
            held = holdings.get(RESOURCES[name], _UNKNOWN)
            if 0 <= limit < held.used + held.reserved:
                raise QuotaLimitBelowUsage(f"Quota limit {limit} for {name} must be greater than or equal to already used {held.used}.")
    await svc.quota.set_limits(project_id, {RESOURCES[name]: limit for name, limit in limits.items()})
    async with svc.db.begin() as uow:
        await uow.run(upsert_ignore(uow.dialect, db.quota_projects, {"project_id": project_id}))
    return await show_quota(svc, project_id)


async def reset_quota(svc: Services, project_id: str) -> None:
    """Back to the defaults."""
    await svc.quota.reset_limits(project_id, prefix=PREFIX)
    async with svc.db.begin() as uow:
        await uow.run(delete(db.quota_projects).where(db.quota_projects.c.project_id == project_id))


async def list_quotas(svc: Services) -> list[dict[str, Any]]:
    """The projects whose limits were set here, with their limits."""
    async with svc.db.read() as uow:
        projects = await db.list_projects(uow)
    return [{**await show_quota(svc, p), "tenant_id": p, "project_id": p} for p in projects]
