"""Names of buckets that S3 made: of one project each, for S3 is one name space. Containers of the other APIs are not here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Row, String, Table, case, select

from synnefo_common.db import UnitOfWork, upsert_ignore
from synnefo_object.db.accounts import accounts
from synnefo_object.db.base import metadata
from synnefo_object.db.containers import containers

s3_buckets = Table(
    "s3_buckets",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("container_id", BigInteger, ForeignKey("containers.id", ondelete="CASCADE"), nullable=False),
    Index("ix_s3_buckets_container_id", "container_id"),
    sqlite_with_rowid=False,
)


async def claim(uow: UnitOfWork, name: str, container_id: int) -> bool:
    """Take the name for a container; False if it is taken."""
    return bool(await uow.run(upsert_ignore(uow.dialect, s3_buckets, {"name": name, "container_id": container_id})))


async def find(uow: UnitOfWork, name: str, *, project_id: str | None) -> Row[Any] | None:
    """The container that a bucket's name means to somebody: the own project's of that name, else who claimed the name.

    project_id, account_id, container_id, headers.
    """
    is_own = accounts.c.project_id == (project_id or "")
    claimed = containers.c.id.in_(select(s3_buckets.c.container_id).where(s3_buckets.c.name == name))
    joined = containers.join(accounts, containers.c.account_id == accounts.c.id)
    columns = (accounts.c.project_id, accounts.c.id.label("account_id"), containers.c.id.label("container_id"), containers.c.headers)
    return await uow.one(
        select(*columns).select_from(joined).where(containers.c.name == name, is_own | claimed).order_by(case((is_own, 0), else_=1)).limit(1)
    )


async def page(uow: UnitOfWork, project_id: str, *, after: str, prefix: str, limit: int) -> Sequence[Row[Any]]:
    """name, created_us of a project's containers in order."""
    statement = (
        select(containers.c.name, containers.c.created_us)
        .select_from(containers.join(accounts, containers.c.account_id == accounts.c.id))
        .where(accounts.c.project_id == project_id, containers.c.name > after)
        .order_by(containers.c.name)
        .limit(limit)
    )
    if prefix:
        statement = statement.where(containers.c.name.startswith(prefix, autoescape=True))
    return await uow.all(statement)
