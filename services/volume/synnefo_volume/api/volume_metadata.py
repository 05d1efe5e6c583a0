"""/v3/{project_id}/volumes/{id}/metadata and /snapshots/{id}/metadata: one set of routes for both."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from synnefo_common.errors import BadRequest
from synnefo_common.web import Context, answer, empty
from synnefo_volume.api import snapshots as snapshot_routes
from synnefo_volume.api import volumes as volume_routes
from synnefo_volume.api.deps import PREFIX, ProjectCtx, Svc
from synnefo_volume.api.schemas.common import Metadata
from synnefo_volume.app import snapshots, volumes
from synnefo_volume.app.services import Services
from synnefo_volume.domain.errors import MetadataNotFound


class MetadataBody(BaseModel):
    """Body: the whole, or what is added."""

    model_config = ConfigDict(extra="forbid")

    metadata: Metadata


class MetaBody(BaseModel):
    """Body: one item."""

    model_config = ConfigDict(extra="forbid")

    meta: Metadata


Load = Callable[[Services, Context, str, bool], Awaitable[Any]]
Change = Callable[[Services, Any, Mapping[str, str]], Awaitable[Any]]
Remove = Callable[[Services, Any, str], Awaitable[None]]


def _metadata_router(
    kind: str, *, load: Load, read: Callable[[Any], dict[str, str]], change: Change, remove: Remove
) -> APIRouter:
    router = APIRouter(prefix=f"{PREFIX}/{kind}/{{item_id}}/metadata", tags=[f"{kind} metadata"])

    @router.get("")
    async def show_metadata(item_id: str, ctx: ProjectCtx, svc: Svc) -> Response:
        """All of it."""
        return answer({"metadata": read(await load(svc, ctx, item_id, False))})

    @router.post("")
    async def add_metadata(item_id: str, body: MetadataBody, ctx: ProjectCtx, svc: Svc) -> Response:
        """Add or replace some."""
        item = await load(svc, ctx, item_id, True)
        merged = {**read(item), **body.metadata}
        await change(svc, item, merged)
        return answer({"metadata": merged})

    @router.put("")
    async def replace_metadata(item_id: str, body: MetadataBody, ctx: ProjectCtx, svc: Svc) -> Response:
        """Replace all."""
        await change(svc, await load(svc, ctx, item_id, True), body.metadata)
        return answer({"metadata": body.metadata})

    @router.get("/{key}")
    async def show_metadata_item(item_id: str, key: str, ctx: ProjectCtx, svc: Svc) -> Response:
        """One item."""
        found = read(await load(svc, ctx, item_id, False))
        if key not in found:
            raise MetadataNotFound(key)
        return answer({"meta": {key: found[key]}})

    @router.put("/{key}")
    async def set_metadata_item(item_id: str, key: str, body: MetaBody, ctx: ProjectCtx, svc: Svc) -> Response:
        """Set one item."""
        if set(body.meta) != {key}:
            raise BadRequest("Request body and URI mismatch: the body has to hold the key of the URL and no other.")
        item = await load(svc, ctx, item_id, True)
        await change(svc, item, {**read(item), **body.meta})
        return answer({"meta": body.meta})

    @router.delete("/{key}")
    async def remove_metadata_item(item_id: str, key: str, ctx: ProjectCtx, svc: Svc) -> Response:
        """Remove one item."""
        await remove(svc, await load(svc, ctx, item_id, True), key)
        return empty(200)

    return router


async def _load_volume(svc: Services, ctx: Context, item_id: str, writes: bool) -> volumes.Found:
    rule = "volume:update_volume_metadata" if writes else "volume:get_volume_metadata"
    return await volume_routes.load(svc, ctx, item_id, rule)


async def _change_volume(svc: Services, found: volumes.Found, metadata: Mapping[str, str]) -> None:
    await volumes.update_volume(svc, found, {"metadata": dict(metadata)})


async def _load_snapshot(svc: Services, ctx: Context, item_id: str, writes: bool) -> Any:
    return await snapshot_routes.load(svc, ctx, item_id, "volume:update_snapshot" if writes else "volume:get_snapshot")


async def _change_snapshot(svc: Services, row: Any, metadata: Mapping[str, str]) -> None:
    await snapshots.update_snapshot(svc, row, {"metadata": dict(metadata)})


volume_router = _metadata_router(
    "volumes",
    load=_load_volume,
    read=lambda found: dict(found.row.metadata),
    change=_change_volume,
    remove=volumes.remove_metadata,
)
snapshot_router = _metadata_router(
    "snapshots",
    load=_load_snapshot,
    read=lambda row: dict(row.metadata),
    change=_change_snapshot,
    remove=snapshots.remove_metadata,
)
