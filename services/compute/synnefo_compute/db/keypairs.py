"""Keypairs belong to users, not projects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Column, Integer, Row, String, Table, Text, UniqueConstraint, delete, func, select

from synnefo_common.db import UnitOfWork, upsert_ignore
from synnefo_compute.db.base import metadata

keypairs = Table(
    "keypairs",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("user_id", String(64), nullable=False),
    Column("project_id", String(64), nullable=False),  # whose ledger counts it
    Column("name", String(255), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("public_key", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("user_id", "name", name="uq_keypairs_user_id_name"),
)



async def get_keypair(uow: UnitOfWork, user_id: str, name: str) -> Row[Any] | None:
    return await uow.one(select(keypairs).where(keypairs.c.user_id == user_id, keypairs.c.name == name))


async def list_keypairs(uow: UnitOfWork, user_id: str) -> Sequence[Row[Any]]:
    return await uow.all(select(keypairs).where(keypairs.c.user_id == user_id).order_by(keypairs.c.name))


async def insert_keypair(uow: UnitOfWork, values: dict[str, Any]) -> bool:
    """False if the user has one of this name."""
    return await uow.run(upsert_ignore(uow.dialect, keypairs, values)) == 1


async def delete_keypair(uow: UnitOfWork, user_id: str, name: str) -> bool:
    return await uow.run(delete(keypairs).where(keypairs.c.user_id == user_id, keypairs.c.name == name)) == 1


async def count_by_project(uow: UnitOfWork) -> Sequence[Row[Any]]:
    """What the ledger must show."""
    return await uow.all(select(keypairs.c.project_id, func.count().label("keys")).group_by(keypairs.c.project_id))
