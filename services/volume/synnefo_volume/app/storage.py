"""Storage jobs as operators see them: ask for one, look at it, and what the store holds."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from synnefo_common.clock import iso
from synnefo_volume.app.services import Services
from synnefo_volume.app.store import store_faults
from synnefo_volume.db import storage_jobs
from synnefo_volume.domain.errors import StorageJobNotFound
from synnefo_volume.domain.storage import Kind


async def create_job(svc: Services, kind: Kind, *, pool: str = "", dry_run: bool, user_id: str | None) -> tuple[dict[str, Any], bool]:
    """A queued job, or the one of that kind and pool that is under way already; with whether it is new. Raises PoolNotFound."""
    svc.pool(pool)
    row = {
        "id": svc.ids.uuid(), "kind": kind.value, "pool": pool, "dry_run": dry_run, "state": "queued", "user_id": user_id, "phase": None,
        "done": 0, "total": 0, "bytes": 0, "findings": 0, "error": None, "created_at": svc.clock.now_us(),
        "started_at": None, "updated_at": None, "finished_at": None,
    }  # fmt: skip
    async with svc.db.begin() as uow:
        for other in await storage_jobs.unfinished(uow):
            if (other.kind, other.pool, other.dry_run) == (kind, pool, dry_run):
                return view(other), False
        await storage_jobs.add(uow, row)
        uow.after_commit(svc.nudge_storage)
    return {**_shown(row), "result": None}, True


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {str(key): iso(value) if key.endswith("_at") and value is not None else value for key, value in row.items()}


def view(row: Row[Any]) -> dict[str, Any]:
    """A job for JSON."""
    return _shown(row._asdict())


async def show_job(svc: Services, job_id: str) -> dict[str, Any]:
    """Raises StorageJobNotFound."""
    async with svc.db.read() as uow:
        row = await storage_jobs.get(uow, job_id)
    if row is None:
        raise StorageJobNotFound(job_id)
    return view(row)


async def list_jobs(svc: Services, *, limit: int) -> list[dict[str, Any]]:
    """The newest, without results."""
    async with svc.db.read() as uow:
        return [view(row) for row in await storage_jobs.latest(uow, limit=limit)]


async def show_stats(svc: Services, pool: str = "") -> dict[str, Any]:
    """What is stored in a pool, counted by listing it. Raises PoolNotFound, Unavailable."""
    store = svc.pool(pool)
    with store_faults("-"):
        stats = await store.stats()
    return {
        "blocks": stats.blocks, "bytes": stats.bytes, "cas_blocks": stats.cas_blocks, "private_blocks": stats.private_blocks,
        "pages": stats.pages, "page_bytes": stats.page_bytes, "volumes": stats.volumes,
    }  # fmt: skip
