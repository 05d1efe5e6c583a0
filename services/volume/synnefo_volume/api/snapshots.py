"""/v3/{project_id}/snapshots."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy import Row
from starlette.responses import Response

from synnefo_common.errors import BadRequest
from synnefo_common.web import Context, answer, empty, parse, read_bool
from synnefo_volume.api.deps import PREFIX, ActionBody, ProjectCtx, Svc, reach_of
from synnefo_volume.api.lists import next_links, read_metadata_filter, read_page
from synnefo_volume.api.schemas.actions import ResetSnapshotStatus, UpdateSnapshotStatus
from synnefo_volume.api.schemas.snapshots import SnapshotCreate, SnapshotUpdate, detail, summary
from synnefo_volume.app import snapshots
from synnefo_volume.app.services import Services
from synnefo_volume.domain.errors import InvalidInput, VolumeNotFound
from synnefo_volume.domain.states import SnapshotStatus

router = APIRouter(prefix=PREFIX + "/snapshots", tags=["snapshots"])
_ADMIN = "volume_extension:snapshot_admin_actions"
_REPORT = "snapshot_extension:snapshot_actions:update_snapshot_status"


async def load(svc: Services, ctx: Context, snapshot_id: str, rule: str) -> Row[Any]:
    """A snapshot on which the caller may do `rule`. Raises SnapshotNotFound, Forbidden."""
    row = await snapshots.show_snapshot(svc, snapshot_id, project_id=reach_of(ctx))
    ctx.require(rule, {"project_id": row.project_id})
    return row


@router.post("", status_code=202)
async def create_snapshot(body: SnapshotCreate, ctx: ProjectCtx, svc: Svc) -> Response:
    """A snapshot of a volume as it is now; of an attached one only with `force`."""
    ctx.require("volume:create_snapshot")
    wanted = body.snapshot
    if wanted.volume_id is None:
        raise VolumeNotFound("None")
    row = await snapshots.create_snapshot(
        svc,
        wanted.volume_id,
        reach=reach_of(ctx),
        user_id=ctx.user_id,
        name=wanted.name if wanted.name is not None else wanted.display_name,
        description=wanted.description if wanted.description is not None else wanted.display_description,
        metadata=wanted.metadata or {},
        force=bool(wanted.force),
    )
    return answer({"snapshot": summary(row)}, 202)


async def _page(request: Request, ctx: Context, svc: Services, *, is_detail: bool) -> Response:
    ctx.require("volume:get_all_snapshots")
    query = request.query_params
    all_tenants = read_bool(query.get("all_tenants"), name="all_tenants") and ctx.may("volume:get_all_tenants")
    page = read_page(request, sort_keys=snapshots.SORT_KEYS, max_limit=svc.settings.max_page_size)
    names = {"name": "name", "display_name": "name", "status": "status", "volume_id": "volume_id", "id": "id"}
    equal: dict[str, Any] = {column: query[name] for name, column in names.items() if name in query}
    project_id = (query.get("project_id") or None) if all_tenants else ctx.project
    metadata = read_metadata_filter(query.get("metadata"))
    rows = await snapshots.list_snapshots(svc, project_id=project_id, reach=reach_of(ctx), equal=equal, with_metadata=metadata, **page)
    view = detail if is_detail else summary
    body: dict[str, Any] = {"snapshots": [view(row._asdict()) for row in rows]}
    path = f"/v3/{ctx.project}/snapshots" + ("/detail" if is_detail else "")
    if more := next_links(request, [row.id for row in rows], limit=page["limit"], path=path):
        body["snapshots_links"] = more
    return answer(body)


@router.get("")
async def list_snapshots(request: Request, ctx: ProjectCtx, svc: Svc) -> Response:
    """Short forms."""
    return await _page(request, ctx, svc, is_detail=False)


@router.get("/detail")
async def list_snapshots_detail(request: Request, ctx: ProjectCtx, svc: Svc) -> Response:
    """Long forms."""
    return await _page(request, ctx, svc, is_detail=True)


@router.get("/{snapshot_id}")
async def show_snapshot(snapshot_id: str, ctx: ProjectCtx, svc: Svc) -> Response:
    """One snapshot."""
    return answer({"snapshot": detail((await load(svc, ctx, snapshot_id, "volume:get_snapshot"))._asdict())})


@router.put("/{snapshot_id}")
async def update_snapshot(snapshot_id: str, body: SnapshotUpdate, ctx: ProjectCtx, svc: Svc) -> Response:
    """Change name or description."""
    row = await load(svc, ctx, snapshot_id, "volume:update_snapshot")
    given = body.snapshot.model_dump(exclude_unset=True)
    changed = await snapshots.update_snapshot(svc, row, {k.removeprefix("display_"): v for k, v in given.items()})
    return answer({"snapshot": summary(changed)})


@router.delete("/{snapshot_id}", status_code=202)
async def delete_snapshot(snapshot_id: str, ctx: ProjectCtx, svc: Svc) -> Response:
    """Delete a snapshot."""
    await snapshots.delete_snapshot(svc, await load(svc, ctx, snapshot_id, "volume:delete_snapshot"))
    return empty(202)


@router.post("/{snapshot_id}/action", status_code=202)
async def act_on_snapshot(snapshot_id: str, ctx: ProjectCtx, svc: Svc, body: ActionBody) -> Response:
    """`os-update_snapshot_status`, and an administrator's `os-reset_status` and `os-force_delete`."""
    if len(body) != 1:
        raise BadRequest("The body has to name one action.")
    name, value = next(iter(body.items()))
    row = await load(svc, ctx, snapshot_id, _REPORT if name == "os-update_snapshot_status" else _ADMIN)
    if name == "os-force_delete":
        await snapshots.delete_snapshot(svc, row, force=True)
    elif name == "os-reset_status":
        await _set_status(svc, row, parse(ResetSnapshotStatus, value).status.lower())
    elif name == "os-update_snapshot_status":
        report = parse(UpdateSnapshotStatus, value)
        await snapshots.report_status(svc, row, report.status, progress=report.progress)
    else:
        raise BadRequest(f"There is no such action: {name[:40]}")
    return empty(202)


async def _set_status(svc: Services, row: Row[Any], status: str) -> None:
    if status not in set(SnapshotStatus):
        raise InvalidInput(f"Cannot set status {status[:40]}: use one of {', '.join(SnapshotStatus)}.")
    await snapshots.update_snapshot(svc, row, {"status": status})
