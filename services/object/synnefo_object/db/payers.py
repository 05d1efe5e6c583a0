"""Containers whose bytes another project pays for than the one whose account they are in."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Table, delete, func, insert, select

from synnefo_common.db import UnitOfWork
from synnefo_object.db.base import metadata
from synnefo_object.db.counters import counters

payers = Table(
    "container_payers",
    metadata,
    Column("container_id", BigInteger, primary_key=True, autoincrement=False),
    Column("owner_id", BigInteger, nullable=False, index=True),  # the account that it is in
    Column("payer_id", BigInteger, nullable=False, index=True),  # the account of the project that pays
)


def difference(account_id: Any) -> Any:
    """The bytes that an account pays for others, less those that others pay for it."""
    return _bytes_where(payers.c.payer_id == account_id) - _bytes_where(payers.c.owner_id == account_id)


def _bytes_where(clause: Any) -> Any:
    joined = payers.join(counters, counters.c.owner == payers.c.container_id)
    return select(func.coalesce(func.sum(counters.c.bytes), 0)).select_from(joined).where(clause).scalar_subquery()


def changed_payers(since_us: int) -> Any:
    """Accounts that pay for a container of another that changed."""
    joined = payers.join(counters, counters.c.owner == payers.c.container_id)
    return select(payers.c.payer_id).select_from(joined).where(counters.c.changed_us >= since_us)


async def set_payer(uow: UnitOfWork, container_id: int, *, owner_id: int, payer_id: int) -> None:
    """Who pays from now on, for all that the container holds."""
    await uow.run(delete(payers).where(payers.c.container_id == container_id))
    if payer_id != owner_id:
        await uow.run(insert(payers), {"container_id": container_id, "owner_id": owner_id, "payer_id": payer_id})
