"""Clusters: how to reach them, what the operator wants of them, and the last report of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Integer, Row, String, Table, Text, delete, insert, select, update

from synnefo_common.db import JSON, UnitOfWork
from synnefo_dispatcher.db.base import metadata

clusters = Table(
    "clusters",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("rapi_url", String(255), nullable=False),
    Column("username", String(255), nullable=False),
    Column("password", Text, nullable=False),  # encrypted
    Column("certificate_pem", Text),
    Column("zone", String(255)),
    Column("drained", Boolean, nullable=False),  # the operator: no new servers
    Column("offline", Boolean, nullable=False),  # the operator: do not talk to it
    Column("generation", Integer, nullable=False),  # goes up with each change of the above
    Column("is_online", Boolean, nullable=False),  # it answered last time
    Column("error", Text),  # why it did not
    Column("report", JSON, nullable=False),  # the last figures, as in ganeti.cluster.reported
    Column("reported_at", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)


async def list_clusters(uow: UnitOfWork) -> Sequence[Row[Any]]:
    return await uow.all(select(clusters).order_by(clusters.c.name))


async def get_cluster(uow: UnitOfWork, name: str) -> Row[Any] | None:
    return await uow.one(select(clusters).where(clusters.c.name == name))


async def add_cluster(uow: UnitOfWork, row: Mapping[str, Any]) -> None:
    await uow.run(insert(clusters).values(**row))


async def change_cluster(uow: UnitOfWork, name: str, values: Mapping[str, Any], *, generation: int) -> bool:
    """Compare-and-set on what the operator wrote."""
    statement = update(clusters).where(clusters.c.name == name, clusters.c.generation == generation)
    return await uow.run(statement.values(**values, generation=generation + 1)) == 1


async def put_report(uow: UnitOfWork, name: str, values: Mapping[str, Any], *, generation: int) -> bool:
    """False if the cluster was removed or changed meanwhile."""
    statement = update(clusters).where(clusters.c.name == name, clusters.c.generation == generation)
    return await uow.run(statement.values(**values)) == 1


async def renew_password(uow: UnitOfWork, name: str, *, old: str, new: str) -> int:
    """The same password under another key: no change of what the operator wrote."""
    return await uow.run(update(clusters).where(clusters.c.name == name, clusters.c.password == old).values(password=new))


async def remove_cluster(uow: UnitOfWork, name: str) -> bool:
    return await uow.run(delete(clusters).where(clusters.c.name == name)) == 1
