"""Routes of tags, the same for every resource that has them."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter
from starlette.responses import Response

from synnefo_common.web import Ctx, answer, empty
from synnefo_network.api.base import ERRORS, PathId, Svc
from synnefo_network.api.schemas.tags import TagsBody
from synnefo_network.app import tags
from synnefo_network.domain.errors import InvalidInput, TagNotFound

router = APIRouter(prefix="/v2.0/{collection}/{resource_id}/tags", tags=["tags"], responses=ERRORS)
_MOST = 50


def _limited(wanted: Sequence[str]) -> Sequence[str]:
    if len(set(wanted)) > _MOST:
        raise InvalidInput(f"A resource has at most {_MOST} tags.")
    return wanted


@router.get("")
async def list_tags(collection: PathId, resource_id: PathId, ctx: Ctx, svc: Svc) -> Response:
    """The tags of a resource."""
    return answer({"tags": await tags.show_tags(svc, ctx, collection, resource_id)})


@router.put("")
async def replace_tags(collection: PathId, resource_id: PathId, body: TagsBody, ctx: Ctx, svc: Svc) -> Response:
    """Make these the tags."""
    return answer({"tags": await tags.change_tags(svc, ctx, collection, resource_id, change=lambda _before: body.tags)})


@router.post("", status_code=201)
async def add_tags(collection: PathId, resource_id: PathId, body: TagsBody, ctx: Ctx, svc: Svc) -> Response:
    """Add tags to those that are there."""
    added = await tags.change_tags(svc, ctx, collection, resource_id, change=lambda before: _limited([*before, *body.tags]))
    return answer({"tags": added}, 201)


@router.delete("", status_code=204)
async def delete_tags(collection: PathId, resource_id: PathId, ctx: Ctx, svc: Svc) -> Response:
    """Take all tags away."""
    await tags.change_tags(svc, ctx, collection, resource_id, change=lambda _before: [])
    return empty()


@router.get("/{tag}", status_code=204)
async def check_tag(collection: PathId, resource_id: PathId, tag: PathId, ctx: Ctx, svc: Svc) -> Response:
    """Whether the resource has the tag."""
    await tags.show_tag(svc, ctx, collection, resource_id, tag)
    return empty()


@router.put("/{tag}", status_code=201)
async def add_tag(collection: PathId, resource_id: PathId, tag: PathId, ctx: Ctx, svc: Svc) -> Response:
    """Add a tag; content if it is there."""
    (wanted,) = _valid(tag)
    await tags.change_tags(svc, ctx, collection, resource_id, change=lambda before: _limited([*before, wanted]))
    return empty(201)


@router.delete("/{tag}", status_code=204)
async def delete_tag(collection: PathId, resource_id: PathId, tag: PathId, ctx: Ctx, svc: Svc) -> Response:
    """Take a tag away."""

    def without(before: list[str]) -> list[str]:
        if tag not in before:
            raise TagNotFound(f"Tag {tag} could not be found.")
        return [t for t in before if t != tag]

    await tags.change_tags(svc, ctx, collection, resource_id, change=without)
    return empty()


def _valid(tag: str) -> list[str]:
    from synnefo_common.web import parse

    return parse(TagsBody, {"tags": [tag]}).tags
