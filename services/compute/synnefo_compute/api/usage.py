"""os-simple-tenant-usage at 2.1."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from fastapi import APIRouter, Request
from starlette.responses import Response

from synnefo_common.errors import BadRequest
from synnefo_common.web import Ctx, answer
from synnefo_compute.api.base import CLEAN_QUERY, Svc
from synnefo_compute.app import usage
from synnefo_compute.app.core import Compute

router = APIRouter(prefix="/v2.1/os-simple-tenant-usage", tags=["usage"], dependencies=[CLEAN_QUERY])
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{1,6}", flags=re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _time(text: str | None, now_us: int) -> int:
    """One of Nova's three forms, without a zone. Raises BadRequest."""
    if not text:
        return now_us
    if _TIME.fullmatch(text):
        try:
            return (datetime.fromisoformat(text).replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
        except ValueError:
            pass
    raise BadRequest("Invalid datetime string: Datetime is in invalid format. Use YYYY-MM-DDThh:mm:ss in UTC.")


def _period(request: Request, svc: Compute) -> tuple[int, int]:
    now = svc.clock.now_us()
    start, stop = _time(request.query_params.get("start"), now - 1), _time(request.query_params.get("end"), now)
    if start >= stop:
        raise BadRequest("Invalid start time. The start time cannot occur after the end time.")
    return start, stop


@router.get("")
async def list_usages(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """All projects; their servers with `detailed=1`."""
    ctx.require("os_compute_api:os-simple-tenant-usage:list")
    start, stop = _period(request, svc)
    detailed = request.query_params.get("detailed") == "1"
    return answer({"tenant_usages": await usage.usages(svc, start_us=start, stop_us=stop, with_servers=detailed)})


@router.get("/{project_id}")
async def show_usage(project_id: str, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """One project with its servers; empty if it used nothing."""
    ctx.require("os_compute_api:os-simple-tenant-usage:show", {"project_id": project_id})
    start, stop = _period(request, svc)
    found = []
    if "\x00" not in project_id:
        found = await usage.usages(svc, start_us=start, stop_us=stop, project_id=project_id, with_servers=True)
    return answer({"tenant_usage": found[0] if found else {}})
