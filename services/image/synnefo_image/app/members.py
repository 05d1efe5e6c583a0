"""Sharing images with projects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from synnefo_common.errors import Conflict
from synnefo_image.app.services import Services
from synnefo_image.db import members
from synnefo_image.domain.errors import LimitReached, MemberNotFound


async def add_member(svc: Services, image_id: str, member_id: str) -> dict[str, Any]:
    """Share with a project. Raises Conflict if it is shared already, LimitReached."""
    now = svc.clock.now_us()
    async with svc.db.begin() as uow:
        if not await members.add(uow, image_id=image_id, member_id=member_id, now=now):
            raise Conflict(f"Member {member_id} is duplicated for image {image_id}", code="image.member.exists")
        if await members.count(uow, image_id=image_id) > svc.settings.max_members:
            raise LimitReached(f"An image may have {svc.settings.max_members} members.")
    return {"image_id": image_id, "member_id": member_id, "status": "pending", "created_at": now, "updated_at": now}


async def list_members(svc: Services, image_id: str, *, only: str | None) -> Sequence[Row[Any]]:
    """All members, or the one that asks."""
    async with svc.db.read() as uow:
        return await members.list_of(uow, image_id=image_id, member_id=only)


async def show_member(svc: Services, image_id: str, member_id: str) -> Row[Any]:
    """Raises MemberNotFound."""
    async with svc.db.read() as uow:
        row = await members.get(uow, image_id=image_id, member_id=member_id)
    if row is None:
        raise MemberNotFound(image_id, member_id)
    return row


async def set_member_status(svc: Services, image_id: str, member_id: str, *, status: str) -> Row[Any]:
    """Raises MemberNotFound."""
    async with svc.db.begin() as uow:
        row = await members.set_status(
            uow, image_id=image_id, member_id=member_id, status=status, now=svc.clock.now_us()
        )
    if row is None:
        raise MemberNotFound(image_id, member_id)
    return row


async def remove_member(svc: Services, image_id: str, member_id: str) -> None:
    """Raises MemberNotFound."""
    async with svc.db.begin() as uow:
        if not await members.remove(uow, image_id=image_id, member_id=member_id):
            raise MemberNotFound(image_id, member_id)
