"""Accounts: one row per project that ever stored something."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Integer, Row, String, Table, Text, bindparam, func, select, update

from synnefo_common.db import UnitOfWork, upsert_ignore
from synnefo_object.db.base import metadata
from synnefo_object.db.counters import counters
from synnefo_object.db.payers import changed_payers, difference

BigId = BigInteger().with_variant(Integer, "sqlite")

accounts = Table(
    "accounts",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("project_id", String(256), nullable=False, unique=True),
    Column("headers", Text, nullable=False),  # JSON: kept headers by lower-case name
    Column("created_us", BigInteger, nullable=False),
    Column("bytes_reported", BigInteger, nullable=False),  # what the quota ledger has been told
    sqlite_autoincrement=True,
)

_totals = (
    select(
        accounts.c.id,
        accounts.c.headers,
        accounts.c.created_us,
        func.coalesce(func.sum(counters.c.containers), 0).label("containers"),
        func.coalesce(func.sum(counters.c.objects), 0).label("objects"),
        func.coalesce(func.sum(counters.c.bytes), 0).label("bytes"),
    )
    .select_from(accounts.outerjoin(counters, counters.c.owner == -accounts.c.id))
    .where(accounts.c.project_id == bindparam("project"))
    .group_by(accounts.c.id, accounts.c.headers, accounts.c.created_us)
)


async def totals(uow: UnitOfWork, project_id: str) -> Row[Any] | None:
    """id, headers, created_us, containers, objects, bytes."""
    return await uow.one(_totals, {"project": project_id})


_headers = select(accounts.c.headers).where(accounts.c.project_id == bindparam("project"))


async def headers(uow: UnitOfWork, project_id: str) -> str:
    """The kept headers, as JSON."""
    return str(await uow.scalar(_headers, {"project": project_id}) or "{}")


async def ensure(uow: UnitOfWork, project_id: str, *, now_us: int) -> None:
    """Make the account if it is new."""
    row = {"project_id": project_id, "headers": "{}", "created_us": now_us, "bytes_reported": 0}
    await uow.run(upsert_ignore(uow.dialect, accounts, row))


async def locked(uow: UnitOfWork, project_id: str) -> Row[Any] | None:
    """id and headers, locked until the transaction ends."""
    return await uow.one(select(accounts.c.id, accounts.c.headers).where(accounts.c.project_id == project_id).with_for_update())


async def set_headers(uow: UnitOfWork, account_id: int, headers: str) -> None:
    await uow.run(update(accounts).where(accounts.c.id == account_id).values(headers=headers))


_held = func.coalesce(func.sum(counters.c.bytes), 0) + difference(accounts.c.id)
_report = (
    select(
        accounts.c.id,
        accounts.c.project_id,
        accounts.c.bytes_reported,
        _held.label("bytes"),
    )
    .select_from(accounts.outerjoin(counters, counters.c.owner == -accounts.c.id))
    .group_by(accounts.c.id, accounts.c.project_id, accounts.c.bytes_reported)
    .having(_held != accounts.c.bytes_reported)
    .limit(1000)
)


async def unreported(uow: UnitOfWork, *, changed_since_us: int | None) -> list[Row[Any]]:
    """Accounts whose bytes differ from what was reported; with a time, only those whose counters changed since."""
    statement = _report
    if changed_since_us is not None:
        changed = select(counters.c.owner).where(counters.c.changed_us >= changed_since_us, counters.c.owner < 0)
        statement = statement.where((-accounts.c.id).in_(changed) | accounts.c.id.in_(changed_payers(changed_since_us)))
    return list(await uow.all(statement))


async def reported(uow: UnitOfWork, project_id: str) -> Row[Any] | None:
    """id, project_id, bytes_reported, bytes of one account, locked until the transaction ends."""
    a = accounts.c
    own = select(func.coalesce(func.sum(counters.c.bytes), 0)).where(counters.c.owner == -a.id).scalar_subquery()
    return await uow.one(
        select(a.id, a.project_id, a.bytes_reported, (own + difference(a.id)).label("bytes"))
        .where(a.project_id == project_id)
        .with_for_update(of=accounts)
    )


async def mark_reported(uow: UnitOfWork, account_id: int, *, old: int, new: int) -> bool:
    """Compare-and-set of what the ledger has been told."""
    statement = update(accounts).where(accounts.c.id == account_id, accounts.c.bytes_reported == old).values(bytes_reported=new)
    return bool(await uow.run(statement))


async def add_reported_of(uow: UnitOfWork, project_id: str, count: int) -> None:
    """As `add_reported`, by project."""
    await uow.run(update(accounts).where(accounts.c.project_id == project_id).values(bytes_reported=accounts.c.bytes_reported + count))


async def add_reported(uow: UnitOfWork, account_id: int, count: int) -> None:
    """The ledger learns `count` bytes by a commission that this transaction accepts."""
    await uow.run(update(accounts).where(accounts.c.id == account_id).values(bytes_reported=accounts.c.bytes_reported + count))
