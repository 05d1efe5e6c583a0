"""Counts of objects and bytes, kept in the transaction that changes them, spread over rows so that writers rarely meet.

`owner` is a container's id, or minus an account's id. The sum over `shard` is the value.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping

from sqlalchemy import BigInteger, Column, Index, SmallInteger, Table, bindparam, delete, text, update

from synnefo_common.db import UnitOfWork
from synnefo_object.db.base import metadata

counters = Table(
    "counters",
    metadata,
    Column("owner", BigInteger, primary_key=True, autoincrement=False),
    Column("shard", SmallInteger, primary_key=True, autoincrement=False),
    Column("containers", BigInteger, nullable=False),
    Column("objects", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("changed_us", BigInteger, nullable=False),
    Index("ix_counters_changed_us", "changed_us"),
)

_SHARDS = 16
_NAMES = ("owner", "shard", "containers", "objects", "bytes")


def _statement(rows: int) -> object:
    values = ", ".join("(" + ", ".join(f":{name}{i}" for name in _NAMES) + ", :now)" for i in range(rows))
    binds = [bindparam(f"{name}{i}", type_=BigInteger) for name in _NAMES for i in range(rows)]
    return text(
        f"INSERT INTO counters (owner, shard, containers, objects, bytes, changed_us) VALUES {values} "
        "ON CONFLICT (owner, shard) DO UPDATE SET containers = counters.containers + excluded.containers, "
        "objects = counters.objects + excluded.objects, bytes = counters.bytes + excluded.bytes, "
        "changed_us = excluded.changed_us"
    ).bindparams(*binds, bindparam("now", type_=BigInteger))


_one, _two = _statement(1), _statement(2)


async def add(
    uow: UnitOfWork,
    *,
    account_id: int,
    container_id: int | None,
    containers: int = 0,
    objects: int = 0,
    bytes_: int = 0,
    now_us: int,
) -> None:
    """Add to a container's counts and its account's, in one statement."""
    if not (containers or objects or bytes_):
        return
    # SQLite has one writer, so spreading would only cost reads. Randomness here decides nothing that anybody can see.
    shard = 0 if uow.dialect == "sqlite" else random.randrange(_SHARDS)
    params = {
        "owner0": -account_id,
        "shard0": shard,
        "containers0": containers,
        "objects0": objects,
        "bytes0": bytes_,
        "now": now_us,
    }
    if container_id is None:
        await uow.run(_one, params)  # type: ignore[arg-type]
        return
    # The container's row first: two transactions that meet in both rows then meet in the same order.
    first = {
        "owner0": container_id,
        "shard0": shard,
        "containers0": 0,
        "objects0": objects,
        "bytes0": bytes_,
        "now": now_us,
    }
    second = {"owner1": -account_id, "shard1": shard, "containers1": containers, "objects1": objects, "bytes1": bytes_}
    await uow.run(_two, first | second)  # type: ignore[arg-type]


async def touch(uow: UnitOfWork, *, account_id: int, container_id: int, now_us: int) -> None:
    """Let the counts be looked at again: they mean something else now."""
    await uow.run(update(counters).where(counters.c.owner.in_([container_id, -account_id])).values(changed_us=now_us))


async def add_many(uow: UnitOfWork, *, account_id: int, changes: Mapping[int, tuple[int, int]], now_us: int) -> None:
    """(objects, bytes) by container, all of one account."""
    for container_id in sorted(changes):
        objects, bytes_ = changes[container_id]
        await add(uow, account_id=account_id, container_id=container_id, objects=objects, bytes_=bytes_, now_us=now_us)


async def remove(uow: UnitOfWork, owners: Iterable[int]) -> None:
    """Forget the counts of what is gone."""
    await uow.run(delete(counters).where(counters.c.owner.in_(list(owners))))
