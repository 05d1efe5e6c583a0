"""Clusters as the dispatcher reports them, and what is promised on them to servers under way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, ColumnElement, Integer, Row, String, Table, delete, func, select, update

from synnefo_common.db import JSON, UnitOfWork
from synnefo_common.db.sql import insert_for
from synnefo_compute.db.base import metadata
from synnefo_compute.db.servers import servers

clusters = Table(
    "clusters",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("online", Boolean, nullable=False),
    Column("drained", Boolean, nullable=False),
    Column("zone", String(255), nullable=False),
    Column("hypervisors", JSON, nullable=False),
    Column("disk_templates", JSON, nullable=False),
    Column("nodes", Integer, nullable=False),
    Column("ram_total_mib", BigInteger, nullable=False),
    Column("ram_free_mib", BigInteger, nullable=False),
    Column("disk_total_gib", BigInteger, nullable=False),
    Column("disk_free_gib", BigInteger, nullable=False),
    Column("cpu_total", Integer, nullable=False),
    Column("instances", Integer, nullable=False),
    Column("cpu_used", Integer, nullable=False),
    Column("reported_at", BigInteger, nullable=False),
    Column("node_groups", JSON, nullable=False, server_default="[]"),  # as reported
    Column("turn", BigInteger, nullable=False),  # raised by each placement: two at once cannot both see the old promises
)
reservations = Table(
    "reservations",
    metadata,
    Column("server_id", String(36), primary_key=True),
    Column("cluster", String(64), nullable=False),
    Column("vcpus", Integer, nullable=False),
    Column("ram_mib", Integer, nullable=False),
    Column("disk_gib", Integer, nullable=False),
    Column("node_group", String(255)),  # where the cluster has several
    Column("node", String(255)),  # of a server that is in a group
    Column("refused", JSON, nullable=False, server_default="[]"),  # places that had no room after all
)


async def put_report(uow: UnitOfWork, report: Mapping[str, Any]) -> bool:
    """Take a report unless a newer one is there; promises that it already counts are dropped."""
    statement = insert_for(uow.dialect, clusters).values({**report, "turn": 0})
    statement = statement.on_conflict_do_update(
        index_elements=["name"], set_={k: statement.excluded[k] for k in report if k != "name"},
        where=clusters.c.reported_at <= statement.excluded.reported_at,
    )  # fmt: skip
    if not await uow.run(statement):
        return False
    counted = select(servers.c.id).where(servers.c.id == reservations.c.server_id, servers.c.launched_at < report["reported_at"])
    await uow.run(delete(reservations).where(reservations.c.cluster == report["name"], counted.exists()))
    return True


async def remove_cluster(uow: UnitOfWork, name: str) -> None:
    await uow.run(delete(clusters).where(clusters.c.name == name))


async def list_clusters(uow: UnitOfWork) -> Sequence[Row[Any]]:
    """All clusters with what is promised on them, in one statement."""
    promised = (
        select(
            reservations.c.cluster, func.sum(reservations.c.vcpus).label("vcpus"), func.sum(reservations.c.ram_mib).label("ram"),
            func.sum(reservations.c.disk_gib).label("disk"), func.count().label("servers"),
        ).group_by(reservations.c.cluster).subquery()
    )  # fmt: skip
    return await uow.all(
        select(
            clusters, func.coalesce(promised.c.vcpus, 0).label("reserved_cpu"), func.coalesce(promised.c.ram, 0).label("reserved_ram"),
            func.coalesce(promised.c.disk, 0).label("reserved_disk"), func.coalesce(promised.c.servers, 0).label("reserved_servers"),
        ).select_from(clusters.outerjoin(promised, promised.c.cluster == clusters.c.name)).order_by(clusters.c.name)
    )  # fmt: skip


def _sums() -> tuple[ColumnElement[Any], ...]:
    r = reservations.c
    return (
        func.sum(r.vcpus).label("reserved_cpu"), func.sum(r.ram_mib).label("reserved_ram"), func.sum(r.disk_gib).label("reserved_disk"),
        func.count().label("reserved_servers"),
    )  # fmt: skip


async def promises_by_group(uow: UnitOfWork) -> dict[tuple[str, str | None], Row[Any]]:
    """What is promised by cluster and node group, in one statement."""
    r = reservations.c
    rows = await uow.all(select(r.cluster, r.node_group, *_sums()).group_by(r.cluster, r.node_group))
    return {(row.cluster, row.node_group): row for row in rows}


async def promises_by_node(uow: UnitOfWork) -> dict[tuple[str, str], Row[Any]]:
    """What is promised to members of server groups by cluster and node, in one statement."""
    r = reservations.c
    query = select(r.cluster, r.node, *_sums()).where(r.node.is_not(None)).group_by(r.cluster, r.node)
    return {(row.cluster, row.node): row for row in await uow.all(query)}


async def get_promise(uow: UnitOfWork, server_id: str) -> Row[Any] | None:
    return await uow.one(select(reservations).where(reservations.c.server_id == server_id))


async def reserve(uow: UnitOfWork, row: Mapping[str, Any], *, turn: int) -> bool:
    """Promise room, in place of what was promised to the server before; False if another placement came between: look again."""
    # On SQLite there is one writer: nothing can have come between the look and this.
    if uow.dialect == "postgresql":
        taken = update(clusters).where(clusters.c.name == row["cluster"], clusters.c.turn == turn).values(turn=clusters.c.turn + 1)
        if not await uow.run(taken):
            return False
    statement = insert_for(uow.dialect, reservations).values(dict(row))
    new = {key: statement.excluded[key] for key in row if key != "server_id"}
    await uow.run(statement.on_conflict_do_update(index_elements=["server_id"], set_=new))
    return True


async def break_promise(uow: UnitOfWork, server_id: str) -> None:
    """There is no instance. (A promise for one that was launched is kept until a report counts it.)"""
    await uow.run(delete(reservations).where(reservations.c.server_id == server_id))
