"""`os-quota-sets` and `limits`: the ledger in Cinder's words."""

from __future__ import annotations

from collections.abc import Mapping

from synnefo_common.errors import BadRequest
from synnefo_common.quota import Holding
from synnefo_volume.app.services import Services
from synnefo_volume.db import quota_extras

LEDGER = ("volumes", "snapshots", "gigabytes", "backups", "backup_gigabytes")
EXTRAS = {"per_volume_gigabytes": -1, "groups": 10}


async def show_quotas(svc: Services, project_id: str) -> dict[str, Holding]:
    """Limit, usage and reservations by Cinder's names."""
    held = await svc.quota.holdings(project_id, prefix="volume.")
    async with svc.db.read() as uow:
        extras = EXTRAS | await quota_extras.of_project(uow, project_id)
    found = {name: held.get(f"volume.{name}", Holding(-1, 0, 0)) for name in LEDGER}
    return found | {name: Holding(limit, 0, 0) for name, limit in extras.items()}


async def default_quotas(svc: Services) -> dict[str, int]:
    """The limits of projects without their own."""
    limits = await svc.quota.default_limits()
    async with svc.db.read() as uow:
        extras = EXTRAS | await quota_extras.of_project(uow, quota_extras.DEFAULT)
    return {name: limits.get(f"volume.{name}", -1) for name in LEDGER} | extras


async def set_default_quotas(svc: Services, limits: Mapping[str, int]) -> dict[str, int]:
    """Set some of them."""
    await svc.quota.set_default_limits({f"volume.{n}": v for n, v in limits.items() if n in LEDGER})
    async with svc.db.begin() as uow:
        await quota_extras.put(uow, quota_extras.DEFAULT, {n: v for n, v in limits.items() if n in EXTRAS})
    return await default_quotas(svc)


async def set_quotas(svc: Services, project_id: str, limits: Mapping[str, int]) -> dict[str, Holding]:
    """Set some. Raises BadRequest for a limit below what is in use."""
    now = await show_quotas(svc, project_id)
    for name, limit in limits.items():
        in_use = now[name].used + now[name].reserved
        if name in LEDGER and 0 <= limit < in_use:
            raise BadRequest(
                f"Quota {name} limit must be equal or greater than existing resources. Current usage is {in_use} and the requested limit is {limit}.",
                code="volume.quota.below_usage",
            )
    await svc.quota.set_limits(project_id, {f"volume.{n}": v for n, v in limits.items() if n in LEDGER})
    async with svc.db.begin() as uow:
        await quota_extras.put(uow, project_id, {n: v for n, v in limits.items() if n in EXTRAS})
    return await show_quotas(svc, project_id)


async def reset_quotas(svc: Services, project_id: str) -> None:
    """Back to the defaults."""
    await svc.quota.reset_limits(project_id, prefix="volume.")
    async with svc.db.begin() as uow:
        await quota_extras.clear(uow, project_id)
