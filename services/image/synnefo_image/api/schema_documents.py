"""/v2/schemas/* and /v2/info/*: what bodies look like, and which ways of import there are."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from synnefo_common.web import Ctx, answer
from synnefo_image.domain.schema import IMAGE_SCHEMA, MEMBER_SCHEMA, collection_schema

router = APIRouter(prefix="/v2", tags=["schemas"])


@router.get("/schemas/image")
async def show_image_schema(ctx: Ctx) -> Response:
    """An image."""
    return answer(IMAGE_SCHEMA)


@router.get("/schemas/images")
async def show_images_schema(ctx: Ctx) -> Response:
    """A list of images."""
    return answer(collection_schema("images", IMAGE_SCHEMA, paged=True))


@router.get("/schemas/member")
async def show_member_schema(ctx: Ctx) -> Response:
    """A membership."""
    return answer(MEMBER_SCHEMA)


@router.get("/schemas/members")
async def show_members_schema(ctx: Ctx) -> Response:
    """A list of memberships."""
    return answer(collection_schema("members", MEMBER_SCHEMA, paged=False))


@router.get("/info/import")
async def show_import_info(ctx: Ctx) -> Response:
    """The ways of import."""
    methods = {"description": "Import methods available.", "type": "array", "value": ["glance-direct"]}
    return answer({"import-methods": methods})
