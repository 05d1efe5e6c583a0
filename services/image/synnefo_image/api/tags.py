"""/v2/images/{id}/tags/{tag}."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from synnefo_common.errors import NotFound
from synnefo_common.web import Ctx, empty
from synnefo_image.api.deps import Svc, target_of, viewer_of
from synnefo_image.app import images
from synnefo_image.domain.errors import LimitReached
from synnefo_image.domain.schema import check_text

router = APIRouter(prefix="/v2/images/{image_id}/tags", tags=["tags"])


@router.put("/{tag}", status_code=204)
async def add_tag(image_id: str, tag: str, ctx: Ctx, svc: Svc) -> Response:
    """Add a tag; no change if it is there."""
    check_text("tag", tag)
    row = await images.show_image(svc, image_id, viewer=viewer_of(ctx))
    ctx.require("modify_image", target_of(row, ctx))
    if tag not in row.tags:
        if len(row.tags) >= svc.settings.max_tags:
            raise LimitReached(f"An image may have {svc.settings.max_tags} tags.")
        await images.set_tags(svc, row, {**row.tags, tag: "t"})
    return empty()


@router.delete("/{tag}", status_code=204)
async def remove_tag(image_id: str, tag: str, ctx: Ctx, svc: Svc) -> Response:
    """Remove a tag; 404 if it is not there."""
    row = await images.show_image(svc, image_id, viewer=viewer_of(ctx))
    ctx.require("modify_image", target_of(row, ctx))
    if tag not in row.tags:
        raise NotFound(f"Tag {tag[:64]} not found in image {row.id}.", code="image.tag.not_found")
    await images.set_tags(svc, row, {t: v for t, v in row.tags.items() if t != tag})
    return empty()
