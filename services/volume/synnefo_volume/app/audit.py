"""What the auditor reads of the volume service: volumes, snapshots, attachments, counted use."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from synnefo_common.clock import MICROS
from synnefo_volume.app.services import Services
from synnefo_volume.app.store import store_faults
from synnefo_volume.db import storage_jobs
from synnefo_volume.db.snapshots import snapshots
from synnefo_volume.db.volumes import attachments, volumes


async def audit_facts(svc: Services) -> dict[str, Any]:
    """See the module."""
    now = svc.clock.now_us()
    async with svc.db.read() as uow:
        volume_rows = await uow.all(select(volumes.c.id, volumes.c.status, volumes.c.is_hidden, volumes.c.created_at, volumes.c.updated_at))
        snapshot_rows = await uow.all(select(snapshots.c.id, snapshots.c.status, snapshots.c.created_at, snapshots.c.updated_at))
        attached = await uow.all(select(attachments.c.volume_id, attachments.c.server_id).where(attachments.c.server_id.is_not(None)))
        charged = await uow.all(
            select(volumes.c.project_id, func.count().label("n"), func.sum(volumes.c.size_gib).label("gib"))
            .where(volumes.c.is_charged.is_(True))
            .group_by(volumes.c.project_id)
        )
        kept = await uow.all(
            select(snapshots.c.project_id, func.count().label("n"), func.sum(snapshots.c.size_gib).label("gib")).group_by(snapshots.c.project_id)
        )
        jobs = await storage_jobs.last_ended(uow)
        asked = await storage_jobs.last_created(uow)
    with store_faults("-"):
        stored = [name async for name in svc.store.list_volumes()]
    usage: dict[str, dict[str, int]] = {}
    for row in charged:
        usage[row.project_id] = {"volume.volumes": row.n, "volume.gigabytes": int(row.gib or 0)}
    for row in kept:
        of_project = usage.setdefault(row.project_id, {})
        of_project["volume.snapshots"] = row.n
        of_project["volume.gigabytes"] = of_project.get("volume.gigabytes", 0) + int(row.gib or 0)

    def aged(row: Any) -> dict[str, Any]:
        return {"id": row.id, "status": row.status, "age_s": (now - (row.updated_at or row.created_at)) / MICROS}

    periods = {"gc": svc.settings.gc_period_s, "scrub": svc.settings.scrub_period_s}

    def overdue(kind: str, asked_at: int) -> float:
        # Twice the period: a worker that was down catches up, one that never asks does not.
        return (now - asked_at) / MICROS - 2 * periods[kind] if periods.get(kind) else 0.0

    return {
        "volumes": [aged(row) | {"is_hidden": row.is_hidden} for row in volume_rows],
        "snapshots": [aged(row) for row in snapshot_rows],
        "attachments": [{"volume_id": row.volume_id, "server_id": row.server_id} for row in attached],
        "stored_volumes": stored,
        "storage_jobs": [
            {
                "kind": row.kind, "pool": row.pool, "state": row.state, "findings": row.findings, "error": row.error,
                "overdue_s": overdue(row.kind, asked[row.kind, row.pool]),
            }
            for row in jobs
            if (row.kind, row.pool) in asked and row.pool in ("", *svc.pools)
        ],
        "usage": usage,
    }
