"""/v3/{project_id}/volumes."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from synnefo_common.errors import BadRequest
from synnefo_common.web import Context, answer, empty, read_bool
from synnefo_volume.api.deps import PREFIX, ProjectCtx, Svc, base_url, reach_of
from synnefo_volume.api.lists import next_links, read_metadata_filter, read_page
from synnefo_volume.api.schemas.volumes import VolumeCreate, VolumeUpdate, detail, summary
from synnefo_volume.app import volumes
from synnefo_volume.app.services import Services
from synnefo_volume.domain.errors import InvalidInput, VolumeNotFound

router = APIRouter(prefix=PREFIX + "/volumes", tags=["volumes"])


async def load(svc: Services, ctx: Context, volume_id: str, rule: str) -> volumes.Found:
    """A volume on which the caller may do `rule`. Raises VolumeNotFound, Forbidden."""
    found = await volumes.show_volume(svc, volume_id, project_id=reach_of(ctx))
    ctx.require(rule, {"project_id": found.row.project_id})
    return found


@router.post("", status_code=202)
async def create_volume(body: VolumeCreate, request: Request, ctx: ProjectCtx, svc: Svc) -> Response:
    """A volume: empty, of an image, of a snapshot, or of another volume. It is `creating` at first."""
    ctx.require("volume:create")
    wanted = body.volume
    if wanted.multiattach:
        raise BadRequest("multiattach volumes are not supported.", code="volume.multiattach")
    if wanted.consistencygroup_id:
        raise BadRequest("Consistency groups are not supported.", code="volume.consistencygroup")
    image = wanted.imageRef or wanted.image_id or None
    spec = volumes.VolumeSpec(
        size_gib=wanted.size,
        name=wanted.name if wanted.name is not None else wanted.display_name,
        description=wanted.description if wanted.description is not None else wanted.display_description,
        volume_type=wanted.volume_type,
        availability_zone=wanted.availability_zone,
        metadata=wanted.metadata or {},
        snapshot_id=wanted.snapshot_id,
        source_volid=wanted.source_volid,
        image_id=image.rsplit("/", 1)[-1] if image else None,
    )
    found = await volumes.create_volume(svc, spec, project_id=ctx.project, user_id=ctx.user_id)
    return answer({"volume": detail(found, ctx, base=base_url(request), with_extensions=False)}, 202)


async def _page(request: Request, ctx: Context, svc: Services, *, is_detail: bool) -> Response:
    ctx.require("volume:get_all")
    query = request.query_params
    all_tenants = read_bool(query.get("all_tenants"), name="all_tenants") and ctx.may("volume:get_all_tenants")
    page = read_page(request, sort_keys=volumes.SORT_KEYS, max_limit=svc.settings.max_page_size)
    equal = _filters(request)
    project_id: str | None = ctx.project
    if all_tenants:
        project_id = query.get("project_id") or None
    metadata = read_metadata_filter(query.get("metadata"))
    found = await volumes.list_volumes(
        svc,
        project_id=project_id,
        reach=reach_of(ctx),
        with_attachments=is_detail,
        equal=equal,
        with_metadata=metadata,
        **page,
    )
    base = base_url(request)
    items = [detail(f, ctx, base=base) if is_detail else summary(f, base=base, project_id=ctx.project) for f in found]
    path = f"/v3/{ctx.project}/volumes" + ("/detail" if is_detail else "")
    body: dict[str, Any] = {"volumes": items}
    if more := next_links(request, [f.row.id for f in found], limit=page["limit"], path=path):
        body["volumes_links"] = more
    return answer(body)


def _filters(request: Request) -> dict[str, Any]:
    query = request.query_params
    names = {
        "name": "name",
        "display_name": "name",
        "status": "status",
        "availability_zone": "availability_zone",
        "id": "id",
    }
    names |= {"snapshot_id": "snapshot_id", "source_volid": "source_volid", "user_id": "user_id"}
    equal: dict[str, Any] = {column: query[name] for name, column in names.items() if name in query}
    if "bootable" in query:
        equal["is_bootable"] = read_bool(query["bootable"], name="bootable")
    if "size" in query:
        if not query["size"].isascii() or not query["size"].isdigit() or len(query["size"]) > 9:
            raise InvalidInput("size must be a whole number.")
        equal["size_gib"] = int(query["size"])
    return equal


@router.get("")
async def list_volumes(request: Request, ctx: ProjectCtx, svc: Svc) -> Response:
    """Ids and names."""
    return await _page(request, ctx, svc, is_detail=False)


@router.get("/detail")
async def list_volumes_detail(request: Request, ctx: ProjectCtx, svc: Svc) -> Response:
    """Everything."""
    return await _page(request, ctx, svc, is_detail=True)


@router.get("/{volume_id}")
async def show_volume(volume_id: str, request: Request, ctx: ProjectCtx, svc: Svc) -> Response:
    """One volume."""
    found = await volumes.show_volume(svc, volume_id, project_id=reach_of(ctx))
    if not ctx.may("volume:get", {"project_id": found.row.project_id}):
        raise VolumeNotFound(volume_id)
    return answer({"volume": detail(found, ctx, base=base_url(request))})


@router.put("/{volume_id}")
async def update_volume(volume_id: str, body: VolumeUpdate, request: Request, ctx: ProjectCtx, svc: Svc) -> Response:
    """Change name, description or metadata."""
    found = await load(svc, ctx, volume_id, "volume:update")
    given = body.volume.model_dump(exclude_unset=True)
    values = {k.removeprefix("display_"): v for k, v in given.items() if k != "metadata"}
    if given.get("metadata") is not None:
        values["metadata"] = given["metadata"]
    if values:
        found = await volumes.update_volume(svc, found, values)
    return answer({"volume": detail(found, ctx, base=base_url(request), with_extensions=False)})


@router.delete("/{volume_id}", status_code=202)
async def delete_volume(volume_id: str, request: Request, ctx: ProjectCtx, svc: Svc) -> Response:
    """Begin to delete; with `cascade` its snapshots too."""
    found = await load(svc, ctx, volume_id, "volume:delete")
    cascade = read_bool(request.query_params.get("cascade"), name="cascade")
    await volumes.delete_volume(svc, found, cascade=cascade)
    return empty(202)
