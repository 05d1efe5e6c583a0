"""Who had which address of an external network when: table and queries. The rows outlive all that they name."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import BigInteger, Column, Index, Row, String, Table, and_, false, func, insert, or_, select, update

from synnefo_common.db import UnitOfWork
from synnefo_network.db.base import metadata

address_history = Table(
    "address_history",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("ip_address", String(64), nullable=False),
    Column("network_id", String(36), nullable=False),
    Column("project_id", String(64), nullable=False, index=True),
    Column("floating_ip_id", String(36), index=True),
    Column("port_id", String(36), index=True),
    Column("mac_address", String(17)),
    Column("device_id", String(255), nullable=False),
    Column("device_owner", String(255), nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),  # null: has it still
    Index("ix_address_history_address", "ip_address", "started_at"),
)


async def open_rows(uow: UnitOfWork, *, port_ids: Collection[str], floating_ip_ids: Collection[str]) -> Sequence[Row[Any]]:
    """What is not ended of the ports and floating IPs."""
    h = address_history
    return await uow.all(select(h).where(h.c.ended_at.is_(None), or_(h.c.port_id.in_(port_ids), h.c.floating_ip_id.in_(floating_ip_ids))))


async def insert_rows(uow: UnitOfWork, rows: Sequence[dict[str, Any]]) -> None:
    await uow.run(insert(address_history).values(list(rows)))


async def end_rows(
    uow: UnitOfWork, *, ids: Collection[str] = (), port_ids: Collection[str] = (), floating_ip_ids: Collection[str] = ()
) -> int:
    """End rows by id, those of ports that are not of floating IPs, and those of floating IPs."""
    h = address_history
    which = or_(
        h.c.id.in_(ids) if ids else false(),
        and_(h.c.port_id.in_(port_ids), h.c.floating_ip_id.is_(None)) if port_ids else false(),
        h.c.floating_ip_id.in_(floating_ip_ids) if floating_ip_ids else false(),
    )
    return await uow.run(update(h).where(h.c.ended_at.is_(None), which).values(ended_at=uow.db.clock.now_us()))


async def find_rows(uow: UnitOfWork, *, equal: dict[str, str], since: int | None, until: int | None, limit: int) -> Sequence[Row[Any]]:
    """Those that overlap the time, newest first."""
    h = address_history
    where = [h.c[name] == value for name, value in equal.items()]
    if until is not None:
        where.append(h.c.started_at <= until)
    if since is not None:
        where.append(func.coalesce(h.c.ended_at, since + 1) > since)
    return await uow.all(select(h).where(*where).order_by(h.c.started_at.desc(), h.c.id).limit(limit))
