"""Server groups: servers that are to run together, or apart. A server's row names its group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, Row, String, Table, delete, func, insert, select, update

from synnefo_common.db import UnitOfWork
from synnefo_common.ids import is_uuid
from synnefo_compute.db.base import metadata
from synnefo_compute.db.clusters import reservations
from synnefo_compute.db.servers import servers

server_groups = Table(
    "server_groups",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project_id", String(64), nullable=False),
    Column("user_id", String(64), nullable=False),
    Column("name", String(255), nullable=False),
    Column("policy", String(32), nullable=False),
    Column("max_server_per_host", Integer),  # of anti-affinity, where it was given
    Column("turn", BigInteger, nullable=False),  # raised by who counts or places members: two at once wait for each other
    Column("created_at", BigInteger, nullable=False),
    Index("ix_server_groups_project_id", "project_id", "created_at", "id"),
)


async def insert_server_group(uow: UnitOfWork, values: Mapping[str, Any]) -> None:
    await uow.run(insert(server_groups).values(**values, turn=0))


async def get_server_group(uow: UnitOfWork, group_id: str, *, project_id: str | None) -> Row[Any] | None:
    """A group; `project_id` None only for administrators."""
    if not is_uuid(group_id):
        return None
    statement = select(server_groups).where(server_groups.c.id == group_id)
    if project_id is not None:
        statement = statement.where(server_groups.c.project_id == project_id)
    return await uow.one(statement)


async def list_server_groups(uow: UnitOfWork, *, project_id: str | None, limit: int, offset: int) -> Sequence[Row[Any]]:
    """A page in order of creation."""
    statement = select(server_groups)
    if project_id is not None:
        statement = statement.where(server_groups.c.project_id == project_id)
    return await uow.all(statement.order_by(server_groups.c.created_at, server_groups.c.id).limit(limit).offset(offset))


async def list_members(uow: UnitOfWork, group_ids: Sequence[str]) -> dict[str, list[str]]:
    """group → its live servers, in order of creation; one statement."""
    found: dict[str, list[str]] = {group_id: [] for group_id in group_ids}
    if found:
        where = (servers.c.server_group_id.in_(list(found)), servers.c.deleted_at.is_(None))
        query = select(servers.c.server_group_id, servers.c.id).where(*where).order_by(servers.c.created_at, servers.c.launch_index)
        for row in await uow.all(query):
            found[row.server_group_id].append(row.id)
    return found


async def count_members(uow: UnitOfWork, group_id: str) -> int:
    where = (servers.c.server_group_id == group_id, servers.c.deleted_at.is_(None))
    return int(await uow.scalar(select(func.count()).select_from(servers).where(*where)) or 0)


async def take_turn(uow: UnitOfWork, group_id: str) -> bool:
    """Hold the group until the transaction ends; False if it is gone."""
    return await uow.run(update(server_groups).where(server_groups.c.id == group_id).values(turn=server_groups.c.turn + 1)) == 1


async def members_by_node(uow: UnitOfWork, group_id: str, *, without: str) -> dict[tuple[str, str], int]:
    """(cluster, node) → how many servers of the group are there or are promised room there, but for this one."""
    node = func.coalesce(servers.c.node, reservations.c.node)
    where = (servers.c.server_group_id == group_id, servers.c.id != without, servers.c.deleted_at.is_(None), node.is_not(None))
    source = servers.outerjoin(reservations, reservations.c.server_id == servers.c.id)
    query = select(servers.c.cluster, node.label("node"), func.count().label("members")).select_from(source).where(*where)
    rows = await uow.all(query.group_by(servers.c.cluster, node))
    return {(row.cluster, row.node): row.members for row in rows}


async def list_hard_members(uow: UnitOfWork) -> Sequence[Row[Any]]:
    """Where the servers of all groups of a hard policy are: what a reconciler compares."""
    g, s = server_groups.c, servers.c
    columns = (s.id, s.cluster, s.node, g.id.label("group_id"), g.policy, g.max_server_per_host)
    source = servers.join(server_groups, s.server_group_id == g.id)
    where = (g.policy.in_(("affinity", "anti-affinity")), s.deleted_at.is_(None), s.node.is_not(None))
    return await uow.all(select(*columns).select_from(source).where(*where).order_by(s.created_at, s.id))


async def delete_server_group(uow: UnitOfWork, group_id: str) -> bool:
    """Its servers stay, and are in no group any more. False if it was gone."""
    if await uow.run(delete(server_groups).where(server_groups.c.id == group_id)) != 1:
        return False
    await uow.run(update(servers).where(servers.c.server_group_id == group_id).values(server_group_id=None))
    return True


async def count_by_project(uow: UnitOfWork) -> Sequence[Row[Any]]:
    """What the ledger must show."""
    return await uow.all(select(server_groups.c.project_id, func.count().label("groups")).group_by(server_groups.c.project_id))
