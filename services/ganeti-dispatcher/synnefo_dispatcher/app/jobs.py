"""Jobs as they are asked for: a message becomes a row, once. What is done with the row is `run`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Row

from synnefo_common.clock import iso
from synnefo_common.contracts.envelope import Envelope
from synnefo_common.db import UnitOfWork
from synnefo_common.errors import BadRequest
from synnefo_common.log import get_logger
from synnefo_dispatcher.app.core import Dispatcher
from synnefo_dispatcher.app.events import job_event
from synnefo_dispatcher.db import jobs as db
from synnefo_dispatcher.domain.jobs import DELETE, ENDED, VERBS, JobState

log = get_logger(__name__)

DELETED = {
    "type": "Deleted", "message": "the server is being deleted", "code": "deleted",
}  # fmt: skip


async def accept(uow: UnitOfWork, dispatcher: Dispatcher, messages: Sequence[Envelope]) -> None:
    """Enter the jobs of these messages. A token that is known is no new job; if its job has ended, that is told again."""
    clusters = set()
    for message in messages:
        await _accept_one(uow, dispatcher, message.data)
        clusters.add(str(message.data["cluster"]))
    for cluster in clusters:
        uow.after_commit(partial(dispatcher.wake_jobs, cluster))
    await dispatcher.notify(uow)


async def _accept_one(uow: UnitOfWork, dispatcher: Dispatcher, data: Mapping[str, Any]) -> None:
    token, server_id, verb = str(data["job_token"]), str(data["server_id"]), str(data["verb"])
    known = await db.relevant(uow, server_id, token)
    same = next((row for row in known if row.job_token == token), None)
    if same is not None:
        if same.state in ENDED:
            uow.emit(job_event(same, same.state))
        return
    now = uow.db.clock.now_us()
    row = {
        "job_token": token, "server_id": server_id, "cluster": str(data["cluster"]), "verb": verb,
        "params": dict(data.get("params") or {}), "state": JobState.QUEUED, "ganeti_job_id": None, "epoch": 0, "attempts": 0,
        "not_before": 0, "error": None, "node": None, "op_index": 0, "created_at": now, "updated_at": now,
        "submitting_at": None, "ended_at": None,
    }  # fmt: skip
    if verb == DELETE:
        for canceled in await db.cancel_queued(uow, server_id, DELETED):
            uow.emit(job_event(canceled, JobState.CANCELED))
        if any(other.state != JobState.QUEUED and other.state not in ENDED for other in known):
            uow.after_commit(lambda: dispatcher.cancel_waiting(server_id))
    elif verb not in VERBS:
        error = {"type": "BadJob", "message": f"unknown verb {verb}", "code": "wrong_input"}
        row |= {"state": JobState.FAILED, "error": error, "ended_at": now}
    elif any(o.verb == DELETE and o.state not in (JobState.FAILED, JobState.CANCELED) for o in known):
        row |= {"state": JobState.CANCELED, "error": DELETED, "ended_at": now}
    await db.add_job(uow, row)
    if row["state"] in ENDED:
        uow.emit(job_event(row, str(row["state"])))
    log.info("job_accepted", job_token=token, server_id=server_id, cluster=row["cluster"], verb=verb, state=str(row["state"]))


async def list_jobs(
    dispatcher: Dispatcher, *, filters: Mapping[str, str], limit: int, marker: str | None
) -> tuple[list[dict[str, Any]], bool]:
    """A page, newest first, and whether there is more. Raises BadRequest for a marker that is not known."""
    async with dispatcher.db.read() as uow:
        before = None
        if marker is not None:
            row = await db.get_job(uow, marker)
            if row is None:
                raise BadRequest(f"marker {marker[:100]!r} is not known")
            before = row.seq
        rows = await db.list_jobs(uow, filters=filters, limit=limit + 1, before_seq=before)
    return [view(row) for row in rows[:limit]], len(rows) > limit


def view(row: Row[Any]) -> dict[str, Any]:
    """A job as the admin API shows it."""

    def stamp(value: int | None) -> str | None:
        return None if value is None else iso(value, micros=True)

    return {
        "job_token": row.job_token, "server_id": row.server_id, "cluster": row.cluster, "verb": row.verb, "params": row.params,
        "state": row.state, "ganeti_job_id": row.ganeti_job_id, "attempts": row.attempts, "error": row.error, "node": row.node,
        "created_at": stamp(row.created_at), "updated_at": stamp(row.updated_at), "submitted_at": stamp(row.submitting_at),
        "ended_at": stamp(row.ended_at),
    }  # fmt: skip
