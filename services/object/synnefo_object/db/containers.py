"""Containers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Row,
    String,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    delete,
    exists,
    func,
    select,
    update,
)

from synnefo_common.db import UnitOfWork, upsert_ignore
from synnefo_object.db.accounts import BigId, accounts
from synnefo_object.db.base import metadata
from synnefo_object.db.counters import counters
from synnefo_object.db.payers import payers


def name_type(length: int) -> Any:
    """A name that sorts by its UTF-8 bytes on both databases."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


containers = Table(
    "containers",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("account_id", BigInteger, ForeignKey("accounts.id"), nullable=False),
    Column("name", name_type(320), nullable=False),  # 256 and what a hidden one for versions needs
    Column("headers", Text, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("modified_us", BigInteger, nullable=False),
    Column("policy", String(64), nullable=False, server_default=""),  # the pool of new data; empty: the service's own store
    UniqueConstraint("account_id", "name", name="uq_containers_account_id_name"),
    sqlite_autoincrement=True,
)

_totals = (
    select(
        containers.c.id,
        containers.c.account_id,
        containers.c.headers,
        containers.c.created_us,
        containers.c.modified_us,
        containers.c.policy,
        accounts.c.headers.label("account_headers"),
        func.coalesce(func.sum(counters.c.objects), 0).label("objects"),
        func.coalesce(func.sum(counters.c.bytes), 0).label("bytes"),
    )
    .select_from(accounts.join(containers, containers.c.account_id == accounts.c.id).outerjoin(counters, counters.c.owner == containers.c.id))
    .where(accounts.c.project_id == bindparam("project"), containers.c.name == bindparam("container"))
    .group_by(
        containers.c.id,
        containers.c.account_id,
        containers.c.headers,
        containers.c.created_us,
        containers.c.modified_us,
        containers.c.policy,
        accounts.c.headers,
    )
)


async def totals(uow: UnitOfWork, project_id: str, container: str) -> Row[Any] | None:
    """id, account_id, headers, created_us, modified_us, policy, account_headers, objects, bytes."""
    return await uow.one(_totals, {"project": project_id, "container": container})


async def locked(uow: UnitOfWork, project_id: str, container: str) -> Row[Any] | None:
    """id, account_id, headers, policy, locked until the transaction ends."""
    return await uow.one(
        select(containers.c.id, containers.c.account_id, containers.c.headers, containers.c.policy)
        .select_from(containers.join(accounts, containers.c.account_id == accounts.c.id))
        .where(accounts.c.project_id == project_id, containers.c.name == container)
        .with_for_update(of=containers)
    )


async def rows_of(uow: UnitOfWork, account_id: int, *, after: str, limit: int, among: Sequence[int] | None = None) -> Sequence[Row[Any]]:
    """name, headers, modified_us, objects, bytes of an account's containers above a name; `among` those ids if given."""
    c, counts = containers.c, counters.c
    statement = select(
        c.name,
        c.headers,
        c.modified_us,
        select(func.coalesce(func.sum(counts.objects), 0)).where(counts.owner == c.id).scalar_subquery().label("objects"),
        select(func.coalesce(func.sum(counts.bytes), 0)).where(counts.owner == c.id).scalar_subquery().label("bytes"),
    ).where(c.account_id == account_id, c.name > after)
    if among is not None:
        statement = statement.where(c.id.in_(list(among)))
    return await uow.all(statement.order_by(c.name).limit(limit))


async def create(uow: UnitOfWork, *, account_id: int, name: str, headers: str, policy: str, now_us: int) -> int | None:
    """The new container's id, or None if there is one of that name."""
    row = {"account_id": account_id, "name": name, "headers": headers, "policy": policy, "created_us": now_us, "modified_us": now_us}
    created = await uow.scalar(upsert_ignore(uow.dialect, containers, row).returning(containers.c.id))
    return int(created) if created is not None else None


async def totals_by_policy(uow: UnitOfWork, account_id: int) -> Sequence[Row[Any]]:
    """policy, containers, objects, bytes of an account. Uploads in parts that are under way are not in it."""
    c, counts = containers.c, counters.c
    return await uow.all(
        select(
            c.policy,
            func.count(func.distinct(c.id)).label("containers"),
            func.coalesce(func.sum(counts.objects), 0).label("objects"),
            func.coalesce(func.sum(counts.bytes), 0).label("bytes"),
        )
        .select_from(containers.outerjoin(counters, counts.owner == c.id))
        .where(c.account_id == account_id)
        .group_by(c.policy)
    )


async def set_headers(uow: UnitOfWork, container_id: int, headers: str, *, now_us: int) -> None:
    await uow.run(update(containers).where(containers.c.id == container_id).values(headers=headers, modified_us=now_us))


async def delete_empty(uow: UnitOfWork, container_id: int) -> bool:
    """Delete the container and its counts; False if it holds objects, or versions of some, or is gone.

    May raise IntegrityError for an upload under way.
    """
    from synnefo_object.db.objects import objects
    from synnefo_object.db.versions import versions

    held = [exists(select(table.c.name).where(table.c.container_id == container_id)) for table in (objects, versions)]
    if not await uow.run(delete(containers).where(containers.c.id == container_id, ~held[0], ~held[1])):
        return False
    await uow.run(delete(counters).where(counters.c.owner == container_id))
    await uow.run(delete(payers).where(payers.c.container_id == container_id))
    return True
