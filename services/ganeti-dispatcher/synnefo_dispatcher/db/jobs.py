"""The job table: what was asked, what Ganeti made of it. Order, caps and fencing are decided in these statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    Row,
    String,
    Table,
    and_,
    case,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from synnefo_common.db import JSON, UnitOfWork
from synnefo_dispatcher.db.base import metadata
from synnefo_dispatcher.domain.jobs import DELETE, ENDED, FIRST, LIVE, JobState

jobs = Table(
    "jobs",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("job_token", String(128), nullable=False, unique=True),
    Column("server_id", String(36), nullable=False),
    Column("cluster", String(64), nullable=False),
    Column("verb", String(64), nullable=False),
    Column("params", JSON, nullable=False),
    Column("state", String(16), nullable=False),  # domain.jobs.JobState
    Column("ganeti_job_id", BigInteger),  # of the last submission that was accepted
    Column("epoch", BigInteger, nullable=False),  # of the lease under which it is handled: an older holder cannot write
    Column("attempts", Integer, nullable=False),
    Column("not_before", BigInteger, nullable=False),
    Column("error", JSON),  # {"type", "message", "code"}
    Column("node", String(255)),
    Column("op_index", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("submitting_at", BigInteger),
    Column("ended_at", BigInteger),
    Index("ix_jobs_cluster_state", "cluster", "state"),
    Index("ix_jobs_server_id", "server_id"),
    Index("ix_jobs_ended_at", "ended_at"),
    sqlite_autoincrement=True,
)


async def add_job(uow: UnitOfWork, row: Mapping[str, Any]) -> None:
    await uow.run(insert(jobs).values(**row))


async def get_job(uow: UnitOfWork, token: str) -> Row[Any] | None:
    return await uow.one(select(jobs).where(jobs.c.job_token == token))


async def relevant(uow: UnitOfWork, server_id: str, token: str) -> Sequence[Row[Any]]:
    """What matters to a job that arrives: itself if it came before, and the server's unfinished jobs and deletions."""
    others = and_(jobs.c.server_id == server_id, or_(jobs.c.state.not_in(ENDED), jobs.c.verb == DELETE))
    return await uow.all(select(jobs).where(or_(jobs.c.job_token == token, others)).order_by(jobs.c.seq))


async def claim(uow: UnitOfWork, cluster: str, *, epoch: int, limit: int) -> Sequence[Row[Any]]:
    """Take queued jobs: deletions first, then stops, then by age; a server's jobs one at a time and in order."""
    now = uow.db.clock.now_us()
    other = jobs.alias("other")
    unfinished = or_(
        other.c.state.in_(LIVE), and_(other.c.state == JobState.QUEUED, other.c.seq < jobs.c.seq)
    )
    first = ~exists(select(other.c.seq).where(other.c.server_id == jobs.c.server_id, unfinished))
    ready = (
        select(jobs.c.seq)
        .where(jobs.c.cluster == cluster, jobs.c.state == JobState.QUEUED, jobs.c.not_before <= now, first)
        .order_by(case({verb: rank for rank, verb in enumerate(FIRST)}, value=jobs.c.verb, else_=len(FIRST)), jobs.c.seq)
        .limit(limit)
    )
    statement = (
        update(jobs)
        .where(jobs.c.seq.in_(ready), jobs.c.state == JobState.QUEUED)
        .values(
            state=JobState.SUBMITTING, epoch=epoch, attempts=jobs.c.attempts + 1, submitting_at=now, updated_at=now
        )
        .returning(*jobs.c)
    )
    return await uow.all(statement)


async def take_over(uow: UnitOfWork, cluster: str, *, epoch: int) -> Sequence[Row[Any]]:
    """All that is under way on a cluster, now ours: what a former holder still writes is refused."""
    where = and_(jobs.c.cluster == cluster, jobs.c.state.in_(LIVE))
    return await uow.all(update(jobs).where(where).values(epoch=epoch).returning(*jobs.c))


async def live_of(uow: UnitOfWork, cluster: str) -> Sequence[Row[Any]]:
    return await uow.all(select(jobs).where(jobs.c.cluster == cluster, jobs.c.state.in_(LIVE)))


async def move(uow: UnitOfWork, job: Row[Any], values: Mapping[str, Any], *, states: Sequence[str] = LIVE) -> bool:
    """Compare-and-set under the lease's epoch; False if another dispatcher has the job, or it moved on."""
    statement = update(jobs).where(jobs.c.seq == job.seq, jobs.c.epoch == job.epoch, jobs.c.state.in_(states))
    return await uow.run(statement.values(**values, updated_at=uow.db.clock.now_us())) == 1


async def cancel_queued(uow: UnitOfWork, server_id: str, error: Mapping[str, Any]) -> Sequence[Row[Any]]:
    """Cancel what a server still has queued; the rows as they are now."""
    now = uow.db.clock.now_us()
    where = and_(jobs.c.server_id == server_id, jobs.c.state == JobState.QUEUED, jobs.c.verb != DELETE)
    values = {"state": JobState.CANCELED, "error": dict(error), "ended_at": now, "updated_at": now}
    return await uow.all(update(jobs).where(where).values(**values).returning(*jobs.c))


async def end_all(uow: UnitOfWork, cluster: str, error: Mapping[str, Any]) -> Sequence[Row[Any]]:
    """Fail all that is unfinished on a cluster that is given up; the rows as they are now."""
    now = uow.db.clock.now_us()
    values = {"state": JobState.FAILED, "error": dict(error), "ended_at": now, "updated_at": now}
    where = and_(jobs.c.cluster == cluster, jobs.c.state.not_in(ENDED))
    return await uow.all(update(jobs).where(where).values(**values).returning(*jobs.c))


async def list_jobs(
    uow: UnitOfWork, *, filters: Mapping[str, str], limit: int, before_seq: int | None = None
) -> Sequence[Row[Any]]:
    """Newest first."""
    query = select(jobs).where(*(jobs.c[key] == value for key, value in filters.items()))
    if before_seq is not None:
        query = query.where(jobs.c.seq < before_seq)
    return await uow.all(query.order_by(jobs.c.seq.desc()).limit(limit))


async def counts(uow: UnitOfWork) -> Sequence[Row[Any]]:
    """Unfinished jobs by cluster and state, with the time of the oldest."""
    columns = (jobs.c.cluster, jobs.c.state, func.count().label("n"), func.min(jobs.c.created_at).label("oldest"))
    return await uow.all(select(*columns).where(jobs.c.state.not_in(ENDED)).group_by(jobs.c.cluster, jobs.c.state))


async def unfinished_tokens(uow: UnitOfWork) -> list[str]:
    return [row.job_token for row in await uow.all(select(jobs.c.job_token).where(jobs.c.state.not_in(ENDED)))]


async def unfinished(uow: UnitOfWork, cluster: str) -> int:
    query = select(func.count()).select_from(jobs).where(jobs.c.cluster == cluster, jobs.c.state.not_in(ENDED))
    return int(await uow.scalar(query) or 0)


async def busy_servers(uow: UnitOfWork, cluster: str, *, since: int) -> set[str]:
    """Servers that a job of ours may have changed since then."""
    where = and_(jobs.c.cluster == cluster, or_(jobs.c.state.not_in(ENDED), jobs.c.ended_at >= since))
    return {row.server_id for row in await uow.all(select(jobs.c.server_id).where(where).distinct())}


async def last_ganeti_job(uow: UnitOfWork, cluster: str) -> int:
    return int(await uow.scalar(select(func.max(jobs.c.ganeti_job_id)).where(jobs.c.cluster == cluster)) or 0)


async def last_ganeti_jobs(uow: UnitOfWork) -> dict[str, int]:
    """By cluster."""
    query = select(jobs.c.cluster, func.max(jobs.c.ganeti_job_id).label("last")).where(jobs.c.ganeti_job_id.is_not(None)).group_by(jobs.c.cluster)
    return {row.cluster: int(row.last) for row in await uow.all(query)}


async def cluster_of_server(uow: UnitOfWork, server_id: str) -> str | None:
    """Where its last job went."""
    query = select(jobs.c.cluster).where(jobs.c.server_id == server_id).order_by(jobs.c.seq.desc()).limit(1)
    found = await uow.scalar(query)
    return None if found is None else str(found)


async def prune(uow: UnitOfWork, *, older_than_s: float) -> int:
    return await uow.run(delete(jobs).where(jobs.c.ended_at < uow.db.clock.now_us() - int(older_than_s * 1_000_000)))


async def unfinished_by_cluster(uow: UnitOfWork) -> Sequence[Row[Any]]:
    """How many jobs of each cluster and state have not ended, and since when the oldest waits."""
    of = (jobs.c.cluster, jobs.c.state)
    unfinished = jobs.c.state.in_((JobState.QUEUED, *LIVE))
    return await uow.all(select(*of, func.count().label("number"), func.min(jobs.c.created_at).label("oldest")).where(unfinished).group_by(*of))
