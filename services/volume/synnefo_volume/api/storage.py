"""/admin/v1/storage: the block store's collector, scrub, fsck and freeze as jobs, and what is stored. Administrators only."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, StringConstraints, model_validator
from starlette.responses import Response

from synnefo_common.web import Ctx, answer
from synnefo_volume.api.deps import Svc
from synnefo_volume.app import storage
from synnefo_volume.domain.storage import Kind

router = APIRouter(prefix="/admin/v1/storage", tags=["storage"])
JobId = Annotated[str, Path(pattern=r"^[0-9a-fA-F-]{32,36}$")]

Pool = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{0,64}$")]


class CreateJob(BaseModel):
    """What to do. A dry run is the collector's only: the others remove nothing anyway."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    dry_run: bool = False
    pool: Pool = ""

    @model_validator(mode="after")
    def _fits(self) -> CreateJob:
        if self.dry_run and self.kind is not Kind.GC:
            raise ValueError(f"there is no dry run of {self.kind}")
        if self.pool and self.kind is Kind.FREEZE:
            raise ValueError("pools of storage policies hold no snapshots to freeze")
        return self


@router.post("/jobs", status_code=202)
async def create_storage_job(body: CreateJob, ctx: Ctx, svc: Svc) -> Response:
    """Ask for a job; the one that waits or runs already, if it is of the same kind."""
    ctx.require("volume_extension:storage_jobs:create")
    job, _ = await storage.create_job(svc, body.kind, pool=body.pool, dry_run=body.dry_run, user_id=ctx.user_id)
    return answer({"job": job}, 202)


@router.get("/jobs")
async def list_storage_jobs(ctx: Ctx, svc: Svc, limit: int = Query(default=50, ge=1, le=1000)) -> Response:
    """The newest jobs, without their results."""
    ctx.require("volume_extension:storage_jobs:get")
    return answer({"jobs": await storage.list_jobs(svc, limit=limit)})


@router.get("/jobs/{job_id}")
async def show_storage_job(job_id: JobId, ctx: Ctx, svc: Svc) -> Response:
    """How far it is, and in the end its result."""
    ctx.require("volume_extension:storage_jobs:get")
    return answer({"job": await storage.show_job(svc, job_id)})


@router.get("/stats")
async def show_storage_stats(ctx: Ctx, svc: Svc, pool: Annotated[Pool, Query()] = "") -> Response:
    """What is stored in a pool, counted now by listing it."""
    ctx.require("volume_extension:storage_jobs:get")
    return answer({"stats": await storage.show_stats(svc, pool)})


@router.get("/pools")
async def list_storage_pools(ctx: Ctx, svc: Svc) -> Response:
    """The pools that jobs look after: that of all services has no name, the others are storage policies'."""
    ctx.require("volume_extension:storage_jobs:get")
    return answer({"pools": ["", *svc.pools]})
