"""What was last known of our instances, so that only what changed is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, Column, Index, Row, String, Table, delete, func, select, update

from synnefo_common.db import JSON, UnitOfWork
from synnefo_common.db.sql import insert_for
from synnefo_dispatcher.db.base import metadata

instances = Table(
    "instances",
    metadata,
    Column("cluster", String(64), primary_key=True),
    Column("server_id", String(36), primary_key=True),
    Column("facts", JSON, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Index("ix_instances_server_id", "server_id"),
)


async def of_cluster(uow: UnitOfWork, cluster: str) -> dict[str, Any]:
    """Facts by server id."""
    rows = await uow.all(select(instances.c.server_id, instances.c.facts).where(instances.c.cluster == cluster))
    return {row.server_id: row.facts for row in rows}


async def of_server(uow: UnitOfWork, server_id: str) -> Sequence[Row[Any]]:
    """Where a server was seen; more than one place is an accident."""
    return await uow.all(select(instances).where(instances.c.server_id == server_id))


async def count(uow: UnitOfWork, cluster: str) -> int:
    return int(await uow.scalar(select(func.count()).select_from(instances).where(instances.c.cluster == cluster)) or 0)


async def put(uow: UnitOfWork, cluster: str, facts: Mapping[str, Any]) -> None:
    """Facts by server id, in one statement."""
    if not facts:
        return
    now = uow.db.clock.now_us()
    rows = [{"cluster": cluster, "server_id": s, "facts": f, "seen_at": now} for s, f in facts.items()]
    for start in range(0, len(rows), 500):
        statement = insert_for(uow.dialect, instances).values(rows[start : start + 500])
        new = {"facts": statement.excluded.facts, "seen_at": statement.excluded.seen_at}
        await uow.run(statement.on_conflict_do_update(index_elements=["cluster", "server_id"], set_=new))


async def change(uow: UnitOfWork, cluster: str, server_id: str, facts: Mapping[str, Any]) -> None:
    """New facts of an instance that is known; nothing if it is not."""
    where = (instances.c.cluster == cluster) & (instances.c.server_id == server_id)
    await uow.run(update(instances).where(where).values(facts=dict(facts), seen_at=uow.db.clock.now_us()))


async def drop(uow: UnitOfWork, cluster: str, server_ids: Sequence[str]) -> None:
    if server_ids:
        where = (instances.c.cluster == cluster) & instances.c.server_id.in_(list(server_ids))
        await uow.run(delete(instances).where(where))


async def drop_all(uow: UnitOfWork, cluster: str) -> None:
    await uow.run(delete(instances).where(instances.c.cluster == cluster))
