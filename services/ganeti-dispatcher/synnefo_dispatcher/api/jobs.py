"""`/v1/jobs` and `/v1/health`: what an operator looks at."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from synnefo_common.web import Ctx, answer, next_link, read_page
from synnefo_dispatcher.api.base import CLUSTER, SERVER_ID, TOKEN, Svc, faults
from synnefo_dispatcher.api.schemas.jobs import HealthBody, JobsBody
from synnefo_dispatcher.app import clusters, jobs
from synnefo_dispatcher.domain.jobs import JobState

router = APIRouter(prefix="/v1", tags=["jobs"])


@router.get("/jobs", response_model=JobsBody, responses=faults(400))
async def list_jobs(  # noqa: PLR0917 - a route: nobody passes them by position
    ctx: Ctx,
    svc: Svc,
    request: Request,
    server_id: Annotated[str | None, Query(pattern=SERVER_ID)] = None,
    cluster: Annotated[str | None, Query(pattern=CLUSTER)] = None,
    state: Annotated[JobState | None, Query()] = None,
    marker: Annotated[str | None, Query(pattern=TOKEN, description="Token of the last job of the page before.")] = None,
    limit: Annotated[int | None, Query(ge=0, le=2**31 - 1)] = None,
) -> Response:
    """Jobs, newest first."""
    ctx.require("dispatcher:jobs:list")
    page = read_page(request)
    filters = {"server_id": server_id, "cluster": cluster, "state": state}
    given = {key: str(value) for key, value in filters.items() if value is not None}
    rows, has_more = await jobs.list_jobs(svc, filters=given, limit=page.limit, marker=marker)
    body: dict[str, object] = {"jobs": rows}
    if has_more and rows:
        body["jobs_links"] = [{"rel": "next", "href": next_link(request, rows[-1]["job_token"])}]
    return answer(body)


@router.get("/health", response_model=HealthBody, responses=faults())
async def show_health(ctx: Ctx, svc: Svc) -> Response:
    """Clusters that answer, and the lengths of their queues."""
    ctx.require("dispatcher:health:show")
    return answer(await clusters.health(svc))
