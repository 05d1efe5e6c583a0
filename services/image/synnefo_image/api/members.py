"""/v2/images/{id}/members."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from sqlalchemy import Row
from starlette.responses import Response

from synnefo_common.errors import BadRequest
from synnefo_common.web import Context, Ctx, answer, empty
from synnefo_image.api.deps import Svc, target_of, viewer_of
from synnefo_image.api.schemas.members import MemberCreate, MemberUpdate, member_view
from synnefo_image.app import images, members
from synnefo_image.app.services import Services
from synnefo_image.domain.errors import MemberNotFound, NotShared
from synnefo_image.domain.schema import check_text

router = APIRouter(prefix="/v2/images/{image_id}/members", tags=["members"])


async def _shared_image(svc: Services, ctx: Context, image_id: str) -> Row[Any]:
    row = await images.show_image(svc, image_id, viewer=viewer_of(ctx))
    if row.visibility != "shared":
        raise NotShared
    return row


def _is_member_only(row: Row[Any], ctx: Context) -> bool:
    return not ctx.is_admin and row.owner != ctx.project_id


@router.post("")
async def add_member(image_id: str, body: MemberCreate, ctx: Ctx, svc: Svc) -> Response:
    """Share with a project, which has to accept."""
    check_text("member", body.member)
    if not body.member.strip():
        raise BadRequest("Member can't be empty")
    row = await _shared_image(svc, ctx, image_id)
    ctx.require("add_member", target_of(row, ctx))
    return answer(member_view(await members.add_member(svc, row.id, body.member)))


@router.get("")
async def list_members(image_id: str, ctx: Ctx, svc: Svc) -> Response:
    """With whom the image is shared; a member sees itself."""
    row = await _shared_image(svc, ctx, image_id)
    ctx.require("get_members", target_of(row, ctx))
    rows = await members.list_members(svc, row.id, only=ctx.project_id if _is_member_only(row, ctx) else None)
    return answer({"members": [member_view(m._asdict()) for m in rows], "schema": "/v2/schemas/members"})


@router.get("/{member_id}")
async def show_member(image_id: str, member_id: str, ctx: Ctx, svc: Svc) -> Response:
    """One membership: the owner's or the member's own view."""
    row = await images.show_image(svc, image_id, viewer=viewer_of(ctx))
    hidden = (
        row.visibility != "shared" or "\x00" in member_id or (_is_member_only(row, ctx) and member_id != ctx.project_id)
    )
    if hidden or not ctx.may("get_members", target_of(row, ctx)):
        raise MemberNotFound(row.id, member_id)
    return answer(member_view((await members.show_member(svc, row.id, member_id))._asdict()))


@router.put("/{member_id}")
async def set_member_status(image_id: str, member_id: str, body: MemberUpdate, ctx: Ctx, svc: Svc) -> Response:
    """Accept or reject; the member's business, not the owner's."""
    if body.status not in ("pending", "accepted", "rejected"):
        raise BadRequest("Invalid status: use pending, accepted or rejected.")
    row = await _shared_image(svc, ctx, image_id)
    if "\x00" in member_id or (_is_member_only(row, ctx) and member_id != ctx.project_id):
        raise MemberNotFound(row.id, member_id)
    target = target_of(row, ctx) | ({"member_id": member_id} if row.member_status is not None else {})
    ctx.require("modify_member", target)
    return answer(member_view((await members.set_member_status(svc, row.id, member_id, status=body.status))._asdict()))


@router.delete("/{member_id}", status_code=204)
async def remove_member(image_id: str, member_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Stop sharing."""
    row = await _shared_image(svc, ctx, image_id)
    ctx.require("delete_member", target_of(row, ctx))
    if "\x00" in member_id:
        raise MemberNotFound(row.id, member_id)
    await members.remove_member(svc, row.id, member_id)
    return empty()
