"""With whom images are shared: table and queries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Row, String, Table, delete, func, select, update

from synnefo_common.db import UnitOfWork, upsert_ignore
from synnefo_image.db.base import metadata

members = Table(
    "image_members",
    metadata,
    Column("image_id", String(36), ForeignKey("images.id", ondelete="CASCADE"), primary_key=True),
    Column("member_id", String(255), primary_key=True),
    Column("status", String(16), nullable=False),  # pending, accepted, rejected
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("ix_image_members_member_id", "member_id"),
)


async def add(uow: UnitOfWork, *, image_id: str, member_id: str, now: int) -> bool:
    """False if the project is a member already."""
    row = {"image_id": image_id, "member_id": member_id, "status": "pending", "created_at": now, "updated_at": now}
    return bool(await uow.run(upsert_ignore(uow.dialect, members, row)))


async def get(uow: UnitOfWork, *, image_id: str, member_id: str) -> Row[Any] | None:
    """One membership."""
    return await uow.one(select(members).where(members.c.image_id == image_id, members.c.member_id == member_id))


async def list_of(uow: UnitOfWork, *, image_id: str, member_id: str | None = None) -> Sequence[Row[Any]]:
    """The members of an image, or the one."""
    statement = select(members).where(members.c.image_id == image_id)
    if member_id is not None:
        statement = statement.where(members.c.member_id == member_id)
    return await uow.all(statement.order_by(members.c.created_at, members.c.member_id))


async def count(uow: UnitOfWork, *, image_id: str) -> int:
    """How many members an image has."""
    return int(await uow.scalar(select(func.count()).select_from(members).where(members.c.image_id == image_id)))


async def set_status(uow: UnitOfWork, *, image_id: str, member_id: str, status: str, now: int) -> Row[Any] | None:
    """The membership after the change; None if there is none."""
    statement = update(members).where(members.c.image_id == image_id, members.c.member_id == member_id)
    return await uow.one(statement.values(status=status, updated_at=now).returning(*members.c))


async def remove(uow: UnitOfWork, *, image_id: str, member_id: str) -> bool:
    """False if the project was no member."""
    return bool(await uow.run(delete(members).where(members.c.image_id == image_id, members.c.member_id == member_id)))
