"""/v2/images/{id}/file, /stage, /import: bytes in and out."""

from __future__ import annotations

import re
from typing import Any

from fastapi import APIRouter, Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response, StreamingResponse

from synnefo_common.errors import BadRequest, RangeNotSatisfiable, UnsupportedMediaType
from synnefo_common.web import Context, Ctx, empty
from synnefo_image.api.deps import Svc, target_of, viewer_of
from synnefo_image.api.schemas.images import ImageImport
from synnefo_image.app import data, images
from synnefo_image.app.services import Services

router = APIRouter(prefix="/v2/images/{image_id}", tags=["image data"])
OCTETS = "application/octet-stream"
_BODY: dict[str, Any] = {"requestBody": {"content": {OCTETS: {"schema": {"type": "string", "format": "binary"}}}}}
_RANGE = re.compile(r"^bytes=(\d{0,19})-(\d{0,19})$", re.ASCII)


def is_stream(method: str, path: str) -> bool:
    """Bodies without the limit of JSON bodies."""
    return method == "PUT" and path.startswith("/v2/images/") and path.endswith(("/file", "/stage"))


@router.put("/file", status_code=204, openapi_extra=_BODY)
async def upload_image(image_id: str, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """The data of a queued image; it is active when all bytes are stored."""
    return await _take(image_id, request, ctx, svc, is_stage=False)


@router.put("/stage", status_code=204, openapi_extra=_BODY)
async def stage_image(image_id: str, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """The data of an image that is imported later."""
    return await _take(image_id, request, ctx, svc, is_stage=True)


async def _take(image_id: str, request: Request, ctx: Context, svc: Services, *, is_stage: bool) -> Response:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != OCTETS:
        raise UnsupportedMediaType(f"Image data must have the Content-Type {OCTETS}.")
    expected = _expected_size(request)
    row = await images.show_image(svc, image_id, viewer=viewer_of(ctx))
    ctx.require("upload_image", target_of(row, ctx))
    try:
        await data.upload(svc, row, request.stream(), expected=expected, user_id=ctx.user_id, is_stage=is_stage)
    except ClientDisconnect:
        return empty(400)  # nobody is there to read it
    return empty()


def _expected_size(request: Request) -> int | None:
    text = request.headers.get("x-openstack-image-size")
    if text is None:
        text = request.headers.get("content-length")
        if text is None:
            return None
    if not re.fullmatch(r"\d{1,19}", text, re.ASCII):
        raise BadRequest("Invalid image size in request headers.")
    return int(text)


@router.get(
    "/file", response_class=Response, responses={204: {"description": "No data yet"}, 206: {"description": "A range"}}
)
async def download_image(image_id: str, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """The data, whole or one range of it; 204 as long as there is none."""
    row = await images.show_image(svc, image_id, viewer=viewer_of(ctx), with_root=True)
    target = target_of(row, ctx)
    may_read_deactivated = ctx.may("download_deactivated_image", target)
    ctx.require("download_image", target)
    if not data.check_downloadable(row, may_read_deactivated=may_read_deactivated):
        return empty()
    headers = {"Content-Type": OCTETS, "Accept-Ranges": "bytes"}
    start, length, status = 0, row.size, 200
    wanted = request.headers.get("range")
    if wanted is not None:
        start, end = _read_range(wanted, row.size)
        length, status = end - start + 1, 206
        headers["Content-Range"] = f"bytes {start}-{end}/{row.size}"
    elif row.checksum:
        headers["Content-MD5"] = row.checksum
    headers["Content-Length"] = str(length)
    return StreamingResponse(data.download(svc, row, start=start, length=length), status_code=status, headers=headers)


def _read_range(text: str, size: int) -> tuple[int, int]:
    """First and last byte of one range. Raises RangeNotSatisfiable."""
    refused = RangeNotSatisfiable(
        f"The range {text[:60]!r} cannot be given.", headers={"Content-Range": f"bytes */{size}"}
    )
    found = _RANGE.match(text.strip())
    if found is None or not (found[1] or found[2]):
        raise refused
    if not found[1]:
        start, end = max(0, size - int(found[2])), size - 1
    else:
        start, end = int(found[1]), min(int(found[2]), size - 1) if found[2] else size - 1
    if start > end:
        raise refused
    return start, end


@router.post("/import", status_code=202)
async def import_image(image_id: str, body: ImageImport, ctx: Ctx, svc: Svc) -> Response:
    """Make what was staged the image's data (method `glance-direct`)."""
    if body.method.name != "glance-direct":
        raise BadRequest(
            f"Unknown import method name '{body.method.name[:40]}': use glance-direct.", code="image.import.method"
        )
    row = await images.show_image(svc, image_id, viewer=viewer_of(ctx))
    ctx.require("modify_image", target_of(row, ctx))
    await data.import_staged(svc, row)
    return empty(202)
