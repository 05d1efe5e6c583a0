"""What compute knows of each server's ports and volumes, fed by the owners' events, healed by the reconciler."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, Column, Index, String, Table, delete, select, update

from synnefo_common.db import JSON, UnitOfWork
from synnefo_common.db.sql import insert_for
from synnefo_compute.db.base import metadata

server_ports = Table(
    "server_ports",
    metadata,
    Column("id", String(36), primary_key=True),  # the port
    Column("server_id", String(36), nullable=False),
    Column("seq", BigInteger, nullable=False),  # of the newest event taken
    Column("data", JSON, nullable=False),
    Index("ix_server_ports_server_id", "server_id"),
)
server_volumes = Table(
    "server_volumes",
    metadata,
    Column("id", String(36), primary_key=True),  # the volume
    Column("server_id", String(36), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("data", JSON, nullable=False),
    Index("ix_server_volumes_server_id", "server_id"),
)


async def put(uow: UnitOfWork, table: Table, server_id: str, items: Sequence[Mapping[str, Any]], *, seq: int) -> None:
    """Insert or replace; an older `seq` does not overwrite a newer one."""
    if not items:
        return
    statement = insert_for(uow.dialect, table).values(
        [{"id": item["id"], "server_id": server_id, "seq": seq, "data": dict(item)} for item in items]
    )
    statement = statement.on_conflict_do_update(
        index_elements=["id"],
        set_={"server_id": statement.excluded.server_id, "seq": statement.excluded.seq, "data": statement.excluded.data},
        where=table.c.seq <= statement.excluded.seq,
    )
    await uow.run(statement)


async def refresh(uow: UnitOfWork, table: Table, items: Sequence[Mapping[str, Any]]) -> None:
    """What an owner just answered of items that are known; its event, which is newer than all before, says the same once more."""
    for item in items:
        await uow.run(update(table).where(table.c.id == item["id"]).values(data=dict(item)))


async def drop(uow: UnitOfWork, table: Table, item_id: str, *, server_id: str | None = None) -> None:
    """Forget one; with `server_id` only if it is still that server's."""
    statement = delete(table).where(table.c.id == item_id)
    if server_id is not None:
        statement = statement.where(table.c.server_id == server_id)
    await uow.run(statement)


async def drop_all(uow: UnitOfWork, server_id: str) -> None:
    """Forget all of a server's."""
    await uow.run(delete(server_ports).where(server_ports.c.server_id == server_id))
    await uow.run(delete(server_volumes).where(server_volumes.c.server_id == server_id))


async def of_servers(uow: UnitOfWork, table: Table, server_ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """server → its items, in one statement."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    if server_ids:
        rows = await uow.all(select(table.c.server_id, table.c.data).where(table.c.server_id.in_(server_ids)).order_by(table.c.seq, table.c.id))
        for row in rows:
            found[row.server_id].append(row.data)
    return found


async def get(uow: UnitOfWork, table: Table, server_id: str, item_id: str) -> dict[str, Any] | None:
    """One item of one server."""
    row = await uow.one(select(table.c.data).where(table.c.id == item_id, table.c.server_id == server_id))
    return dict(row.data) if row else None
