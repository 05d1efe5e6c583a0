"""/internal/v1 of the image service: for compute, volume and the collector."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from fastapi import Header, Query
from starlette.responses import Response

from synnefo_common.web import Service, answer, empty, internal_router
from synnefo_image.api.deps import Svc
from synnefo_image.api.schemas.images import InternalImageCreate, RootReplace
from synnefo_image.app import data, images, roots
from synnefo_image.domain.errors import ImageNotFound
from synnefo_image.domain.image import draft_of_body

router = internal_router()


def _view(row: Mapping[str, Any]) -> dict[str, Any]:
    names = (
        "id",
        "name",
        "status",
        "visibility",
        "owner",
        "disk_format",
        "container_format",
        "size",
        "virtual_size",
        "min_disk",
        "min_ram",
        "properties",
        "checksum",
    )
    root = row.get("root")
    return {name: row[name] for name in names} | {"root": base64.b64encode(root).decode() if root else None}


@router.get("/images/{image_id}")
async def show_image(image_id: str, _service: Service, svc: Svc, project_id: str | None = None) -> Response:
    """An image with its root, if the project may see it (no project: whatever it is)."""
    return answer(_view((await data.find_for_project(svc, image_id, project_id=project_id))._asdict()))


@router.post("/images", status_code=201)
async def create_image(
    body: InternalImageCreate,
    _service: Service,
    svc: Svc,
    idempotency_key: str | None = Header(default=None, max_length=255),
) -> Response:
    """An active image whose bytes are in the store already. The same key again answers the same image."""
    attributes = {
        "visibility": body.visibility,
        "disk_format": body.disk_format,
        "container_format": body.container_format,
        "min_disk": body.min_disk,
        "min_ram": body.min_ram,
        "name": body.name,
    }
    draft = draft_of_body({**body.properties, **attributes}, owner=body.project_id, limits=svc.limits)
    row, is_new = await data.create_from_root(svc, draft, body.root, user_id=body.user_id, key=idempotency_key)
    return answer(_view(row), 201 if is_new else 200)


@router.delete("/images/{image_id}", status_code=204)
async def delete_image(image_id: str, _service: Service, svc: Svc) -> Response:
    """Delete an image that is not protected; done if it is not there."""
    try:
        await images.delete_image(svc, image_id)
    except ImageNotFound:
        return empty()
    return empty()


@router.get("/roots")
async def list_roots(
    _service: Service,
    svc: Svc,
    epoch: str = "",
    after: str = Query(default="", max_length=64),
    limit: int = Query(default=1000, ge=1, le=10000),
) -> Response:
    """Every root that an image holds, a page at a time; `complete` at the end."""
    return answer(await roots.list_roots(svc, after=after, limit=limit))


@router.post("/roots/replace")
async def replace_root(body: RootReplace, _service: Service, svc: Svc) -> Response:
    """A snapshot was frozen: hold its new root, if the image still holds the old one."""
    return answer({"replaced": await roots.replace_root(svc, body.id, old=body.old, new=body.new)})
