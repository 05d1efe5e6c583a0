"""Storage jobs: collector, scrub, fsck and freeze as rows. Table and queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Index, Row, String, Table, Text, delete, func, insert, select, update

from synnefo_common.db import JSON, UnitOfWork
from synnefo_volume.db.base import metadata

storage_jobs = Table(
    "storage_jobs",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("pool", String(64), nullable=False, server_default=""),  # empty: the store of all services
    Column("dry_run", Boolean, nullable=False),
    Column("state", String(16), nullable=False),  # queued, running, done, failed
    Column("user_id", String(64)),  # NULL: by the period
    Column("phase", String(64)),
    Column("done", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),  # 0: not known
    Column("bytes", BigInteger, nullable=False),
    Column("findings", BigInteger, nullable=False),  # damaged or missing objects
    Column("result", JSON),
    Column("error", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("updated_at", BigInteger),
    Column("finished_at", BigInteger),
    Index("ix_storage_jobs_state", "state"),
    Index("ix_storage_jobs_created_at", "created_at"),
)
UNFINISHED = ("queued", "running")
_SHORT = [c for c in storage_jobs.c if c.name != "result"]


async def add(uow: UnitOfWork, row: Mapping[str, Any]) -> None:
    """A new row."""
    await uow.run(insert(storage_jobs).values(**row))


async def get(uow: UnitOfWork, job_id: str) -> Row[Any] | None:
    """One job with its result."""
    return await uow.one(select(storage_jobs).where(storage_jobs.c.id == job_id))


async def unfinished(uow: UnitOfWork) -> Sequence[Row[Any]]:
    """Queued and running jobs, oldest first: a running one is either at work or waits for a worker to take it up again."""
    found = select(*_SHORT).where(storage_jobs.c.state.in_(UNFINISHED))
    return await uow.all(found.order_by(storage_jobs.c.created_at, storage_jobs.c.id))


async def latest(uow: UnitOfWork, *, limit: int) -> Sequence[Row[Any]]:
    """The newest jobs without their results."""
    return await uow.all(select(*_SHORT).order_by(storage_jobs.c.created_at.desc(), storage_jobs.c.id).limit(limit))


async def last_created(uow: UnitOfWork) -> dict[tuple[str, str], int]:
    """When each kind was asked for last in each pool, dry runs apart."""
    found = select(storage_jobs.c.kind, storage_jobs.c.pool, func.max(storage_jobs.c.created_at).label("at"))
    rows = await uow.all(found.where(storage_jobs.c.dry_run.is_(False)).group_by(storage_jobs.c.kind, storage_jobs.c.pool))
    return {(row.kind, row.pool): row.at for row in rows}


async def last_ended(uow: UnitOfWork) -> Sequence[Row[Any]]:
    """The newest job of each kind and pool that ended, dry runs apart, without its result."""
    newest = select(func.max(storage_jobs.c.finished_at).label("at"), storage_jobs.c.kind.label("kind"), storage_jobs.c.pool.label("pool"))
    last = newest.where(storage_jobs.c.dry_run.is_(False)).group_by(storage_jobs.c.kind, storage_jobs.c.pool).subquery()
    same = (storage_jobs.c.kind == last.c.kind) & (storage_jobs.c.pool == last.c.pool)
    same &= (storage_jobs.c.finished_at == last.c.at) & storage_jobs.c.dry_run.is_(False)
    return await uow.all(select(*_SHORT).join(last, same).order_by(storage_jobs.c.kind, storage_jobs.c.pool))


async def change(uow: UnitOfWork, job_id: str, *, values: Mapping[str, Any]) -> bool:
    """Change an unfinished job."""
    statement = update(storage_jobs).where(storage_jobs.c.id == job_id, storage_jobs.c.state.in_(UNFINISHED))
    return bool(await uow.run(statement.values(**values)))


async def forget(uow: UnitOfWork, *, before: int) -> int:
    """Remove jobs that ended before then."""
    return await uow.run(delete(storage_jobs).where(storage_jobs.c.finished_at < before))
