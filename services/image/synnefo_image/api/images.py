"""/v2/images: records."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from synnefo_common.errors import BadRequest, Forbidden, UnsupportedMediaType
from synnefo_common.web import Context, Ctx, answer, empty
from synnefo_common.web.links import outer_root
from synnefo_common.web.paging import read_limit
from synnefo_image.api.deps import Svc, target_of, viewer_of
from synnefo_image.api.filters import read_filters, read_sort
from synnefo_image.api.schemas.images import ImageCreate, image_view
from synnefo_image.app import images
from synnefo_image.domain.image import PATCH_V20, PATCH_V21, draft_of_body, read_patch

router = APIRouter(prefix="/v2/images", tags=["images"])
_PATCH_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            PATCH_V21: {
                "schema": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "op": {"enum": ["add", "remove", "replace"]},
                            "path": {"type": "string"},
                            "value": {},
                        },
                        "required": ["op", "path"],
                    },
                }
            }
        },
    }
}


def _check_value(ctx: Context, target: dict[str, Any], name: str, value: Any) -> None:
    if name == "visibility" and value == "public":
        ctx.require("publicize_image", target)
    elif name == "visibility" and value == "community":
        ctx.require("communitize_image", target)


@router.post("", status_code=201)
async def create_image(body: ImageCreate, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """A record without data, `queued`."""
    values = body.model_dump(exclude_unset=True)
    draft = draft_of_body(values, owner=ctx.project_id, limits=svc.limits)
    target = {"project_id": ctx.project_id, "owner": draft.owner, "visibility": draft.visibility}
    ctx.require("add_image", target)
    _check_value(ctx, target, "visibility", draft.visibility)
    row = await images.create_image(svc, draft, image_id=values.get("id"))
    view = image_view(row)
    location = outer_root(request) + view["self"]
    return answer(view, 201, {"Location": location, "OpenStack-image-import-methods": "glance-direct"})


@router.get("")
async def list_images(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Images that the caller may see: own, public, accepted shares; others' community images by `visibility`."""
    ctx.require("get_images")
    query = request.query_params
    filters, sort = read_filters(query), read_sort(query)
    limit = (
        read_limit(query["limit"], svc.settings.max_page_size) if query.get("limit") else svc.settings.default_page_size
    )
    rows = await images.list_images(
        svc, viewer=viewer_of(ctx), filters=filters, sort=sort, limit=limit, marker=query.get("marker") or None
    )
    kept = [(k, v) for k, v in query.multi_items() if k != "marker"]
    body: dict[str, Any] = {
        "images": [image_view(row._asdict()) for row in rows],
        "first": "/v2/images",
        "schema": "/v2/schemas/images",
    }
    if kept:
        body["first"] += "?" + urlencode(kept)
    if rows and len(rows) == limit:
        body["next"] = "/v2/images?" + urlencode([*kept, ("marker", rows[-1].id)])
    return answer(body)


@router.get("/{image_id}")
async def show_image(image_id: str, ctx: Ctx, svc: Svc) -> Response:
    """One image."""
    row = await images.show_image(svc, image_id, viewer=viewer_of(ctx))
    ctx.require("get_image", target_of(row, ctx))
    return answer(image_view(row._asdict()))


@router.patch("/{image_id}", openapi_extra=_PATCH_BODY)
async def update_image(image_id: str, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Apply a JSON patch: add, replace, remove; all or nothing."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in (PATCH_V20, PATCH_V21):
        allowed = f"{PATCH_V20}, {PATCH_V21}"
        raise UnsupportedMediaType(
            f"Image PATCH expects Content-Type one of: {allowed}", headers={"Accept-Patch": allowed}
        )
    try:
        document = orjson.loads(await request.body())
    except ValueError as error:
        raise BadRequest("The request body is not valid JSON.") from error
    changes = read_patch(document, media_type=media_type)
    row = await images.show_image(svc, image_id, viewer=viewer_of(ctx))
    target = target_of(row, ctx)
    ctx.require("modify_image", target)

    def check(name: str, value: Any) -> None:
        if name == "owner" and not ctx.may("change_owner", target):
            raise Forbidden("Owner can't be updated by non admin.", code="image.owner.forbidden")
        _check_value(ctx, target, name, value)

    return answer(image_view(await images.update_image(svc, row, changes, check=check)))


@router.delete("/{image_id}", status_code=204)
async def delete_image(image_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Delete the record and let go of the data; 403 for a protected image."""
    row = await images.show_image(svc, image_id, viewer=viewer_of(ctx))
    ctx.require("delete_image", target_of(row, ctx))
    await images.delete_image(svc, row.id)
    return empty()


@router.post("/{image_id}/actions/deactivate", status_code=204)
async def deactivate_image(image_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Refuse downloads for a while."""
    row = await images.show_image(svc, image_id, viewer=viewer_of(ctx))
    ctx.require("deactivate", target_of(row, ctx))
    await images.set_active(svc, row, is_active=False)
    return empty()


@router.post("/{image_id}/actions/reactivate", status_code=204)
async def reactivate_image(image_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Allow downloads again."""
    row = await images.show_image(svc, image_id, viewer=viewer_of(ctx))
    ctx.require("reactivate", target_of(row, ctx))
    await images.set_active(svc, row, is_active=True)
    return empty()
