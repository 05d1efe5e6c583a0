"""One job on its way: submitted once, found again if that is in doubt, followed to its end, told.

Every write is fenced by the lease's epoch in the row. Crash points are where a kill must leave nothing done twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row

from synnefo_common.clock import MICROS
from synnefo_common.crashpoint import crashpoint
from synnefo_common.log import get_logger
from synnefo_dispatcher.app import facts as facts_rules
from synnefo_dispatcher.app.events import job_event
from synnefo_dispatcher.app.follow import Ending, Follower
from synnefo_dispatcher.app.submit import BadJob, prepare
from synnefo_dispatcher.db import instances as instances_db
from synnefo_dispatcher.db import jobs as jobs_db
from synnefo_dispatcher.domain import jobs as j
from synnefo_dispatcher.domain.jobs import JobState
from synnefo_dispatcher.rapi import (
    Instance,
    Job,
    JobFailure,
    NotFound,
    RapiError,
    RapiRefused,
    RapiUnauthorized,
    RapiUnreachable,
)

if TYPE_CHECKING:
    from synnefo_dispatcher.app.worker import ClusterWorker

log = get_logger(__name__)

CRASH_POINTS = tuple(
    f"dispatcher.job.{where}" for where in ("row_written", "before_submit", "after_rapi_accepted", "after_record")
)
_TEMPORARY = "temp_insufficient_resources"


@dataclass(frozen=True)
class Outcome:
    """How a job ended. `is_certain`: the facts that follow from it may be taken as known."""

    state: JobState
    error: dict[str, Any] | None = None
    node: str | None = None
    op_index: int = 0
    is_certain: bool = True


def _error(kind: str, message: str, code: str | None = None) -> dict[str, Any]:
    return {"type": kind, "message": message, "code": code}


class JobRun:
    """A claimed or taken-over row in the hands of its cluster's worker."""

    def __init__(self, worker: ClusterWorker, job: Row[Any], *, is_claimed: bool) -> None:
        self.worker = worker
        self.job = job
        self.is_claimed = is_claimed  # by us just now: Ganeti cannot have it yet
        self.ganeti_job_id: int | None = None
        prefix = worker.settings.instance_prefix
        self.name = j.instance_name(prefix, job.server_id)
        self.tag = j.tag_of(job.server_id)
        self.reason = j.reason_of(job.job_token)
        self.mark = j.mark_of(job.job_token)

    async def run(self) -> None:
        """To its end, or until it is queued again or another dispatcher has it."""
        if self.job.state == JobState.SUBMITTING:
            accepted = await self._submit() if self.is_claimed else await self._recover()
            if not accepted:
                return
        else:
            self.ganeti_job_id = self.job.ganeti_job_id
        assert self.ganeti_job_id is not None
        ending = await Follower(self.worker, self.job, self.ganeti_job_id).follow()
        outcome = await self._judge(ending)
        if outcome is not None:
            await self._finish(outcome)

    # handing it to Ganeti
    async def _submit(self) -> bool:
        """True if it is Ganeti's now."""
        crashpoint("dispatcher.job.row_written")
        job, worker = self.job, self.worker
        try:
            call = await prepare(
                worker.client, job.verb, job.params, name=self.name, tag=self.tag, reason=self.reason,
                mark=self.mark, target=await worker.target(),
            )  # fmt: skip
        except BadJob as error:
            return await self._unsubmitted(_error("BadJob", str(error), "wrong_input"))
        except NotFound:
            return await self._unsubmitted(_error("OpPrereqError", f"Instance {self.name} not known", "unknown_entity"))
        except RapiError as error:
            return await self._later(error)
        crashpoint("dispatcher.job.before_submit")
        if not worker.holds(job.epoch):
            return False  # paused for too long: the cluster is another dispatcher's
        try:
            self.ganeti_job_id = await call()
        except (RapiUnreachable, RapiUnauthorized) as error:
            return await self._later(error)
        except NotFound as error:
            return await self._unsubmitted(_error("OpPrereqError", error.message, "unknown_entity"))
        except RapiRefused as error:
            if error.is_queue_closed or error.code == 503:
                return await self._later(error)
            if not error.is_outcome_unknown:
                return await self._unsubmitted(_error("RapiRefused", str(error), "wrong_input"))
            log.warning("submission_in_doubt", job_token=job.job_token, error=str(error))
            return await self._recover()
        except RapiError as error:
            log.warning("submission_in_doubt", job_token=job.job_token, error=str(error))
            return await self._recover()
        crashpoint("dispatcher.job.after_rapi_accepted")
        return await self._record()

    async def _record(self) -> bool:
        job, number = self.job, self.ganeti_job_id
        async with self.worker.db.begin() as uow:
            is_ours = await jobs_db.move(
                uow, job, {"state": JobState.SUBMITTED, "ganeti_job_id": number}, states=(JobState.SUBMITTING,)
            )
            if is_ours and self.worker.settings.emit_all_states:
                uow.emit(job_event(job, JobState.SUBMITTED, ganeti_job_id=number))
        crashpoint("dispatcher.job.after_record")
        log.info("job_submitted", job_token=job.job_token, verb=job.verb, cluster=job.cluster, ganeti_job_id=number)
        return is_ours

    async def _unsubmitted(self, error: dict[str, Any]) -> bool:
        """It will never be Ganeti's: a failure, unless nothing was to be done."""
        if error["code"] == "unknown_entity" and self.job.verb in j.REMOVALS:
            await self._finish(Outcome(JobState.SUCCEEDED))
        else:
            await self._finish(Outcome(JobState.FAILED, error))
        return False

    async def _later(self, error: RapiError) -> bool:
        """Surely not submitted, and not the job's fault: it waits in the queue until the cluster is well."""
        is_queue_closed = isinstance(error, RapiRefused)
        if not is_queue_closed:
            self.worker.look_again()
        log.warning("submission_postponed", job_token=self.job.job_token, cluster=self.job.cluster, error=str(error))
        await self._requeue(self.worker.settings.retry_s if is_queue_closed else 0.05, attempts=self.job.attempts - 1)
        return False

    async def _requeue(self, delay_s: float, **values: Any) -> None:
        not_before = self.worker.clock.now_us() + int(delay_s * MICROS)
        async with self.worker.db.begin() as uow:
            await jobs_db.move(uow, self.job, {"state": JobState.QUEUED, "not_before": not_before, **values})
        self.worker.wake()

    # finding it again
    async def _recover(self) -> bool:
        """Whether Ganeti has it is unknown: look for the token among its jobs. Only what is not there, and cannot be on
        its way any more, is submitted again."""
        job, worker = self.job, self.worker
        pause = 0.1
        while worker.holds(job.epoch):
            try:
                listed = await worker.client.jobs()
                found = self._find(listed)
                if found:
                    self.ganeti_job_id = max(found)
                    log.info("job_adopted", job_token=job.job_token, ganeti_job_id=self.ganeti_job_id)
                    return await self._record()
                age_s = (worker.clock.now_us() - (job.submitting_at or 0)) / MICROS
                if age_s > worker.settings.resubmit_after_s:
                    await self._untraced()
                    return False
            except RapiError as error:
                worker.look_again()
                log.warning("recovery_waits", job_token=job.job_token, cluster=job.cluster, error=str(error))
            await worker.clock.sleep(pause)
            pause = min(2.0, pause * 2)
        return False

    def _find(self, listed: Sequence[Job]) -> list[int]:
        """Our jobs among them: by the token. One of a new installation carries none, but comes after a job with its mark."""
        if self.job.verb != j.REINSTALL:
            return [found.job_id for found in listed if self.reason in found.tokens and found.job_id > (self.job.ganeti_job_id or 0)]
        mark = max((found.job_id for found in listed if self.mark in found.tokens), default=None)
        if mark is None:
            return []
        later = [found for found in listed if found.job_id > mark and found.instance_name == self.name]
        return [found.job_id for found in later if any(op.get("OP_ID") == "OP_INSTANCE_REINSTALL" for op in found.ops)]

    async def _untraced(self) -> None:
        """No job has the token. The instance says whether there is still something to do."""
        instance = await self._instance()
        if facts_rules.is_fulfilled(self.job.verb, self.job.params, instance, tag=self.tag):
            node = None if instance is None else instance.node
            await self._finish(Outcome(JobState.SUCCEEDED, node=node, is_certain=self.job.verb != j.CREATE))
        elif self.job.attempts >= self.worker.settings.max_attempts:
            text = f"Ganeti did not take the job in {self.job.attempts} attempts"
            await self._finish(Outcome(JobState.FAILED, _error("RapiError", text)))
        else:
            await self._requeue(0.0)

    async def _instance(self) -> Instance | None:
        """Raises RapiError."""
        try:
            return await self.worker.client.instance(self.name)
        except NotFound:
            return None

    # its end
    async def _judge(self, ending: Ending) -> Outcome | None:
        """What the end of the Ganeti job means for ours; None if it was queued again."""
        job, failure = self.job, ending.failure
        if ending.is_known and failure is None:
            return Outcome(JobState.SUCCEEDED, node=ending.node, op_index=ending.op_index)
        if failure is not None and failure.code == _TEMPORARY and job.verb == j.CREATE and self._was_opportunistic():
            values = {"ganeti_job_id": self.ganeti_job_id, "params": {**job.params, "opportunistic": False}}
            await self._requeue(0.0, **values)
            return None
        if failure is not None and failure.is_missing and job.verb == j.DELETE:
            return Outcome(JobState.SUCCEEDED, op_index=ending.op_index)
        if failure is not None and failure.is_hotplug:
            return _failed(failure, ending)  # the configuration has it all the same: that proves nothing here
        instance = await self._instance_at_last()
        done = facts_rules.is_fulfilled(job.verb, job.params, instance, tag=self.tag)
        if job.verb == j.CREATE and ending.is_known:
            done = done and failure is not None and failure.is_duplicate
        elif not ending.is_known and job.verb == j.CREATE:
            done = done and instance is not None and (instance.is_running is True or not job.params.get("start", True))
        elif not ending.is_known and job.verb == j.REBOOT:
            done = instance is not None and instance.is_running is True
        if done:
            node = None if instance is None else instance.node
            certain = job.verb != j.CREATE
            return Outcome(JobState.SUCCEEDED, node=node, op_index=ending.op_index, is_certain=certain)
        return _failed(failure, ending)

    def _was_opportunistic(self) -> bool:
        return bool(self.job.params.get("opportunistic", True))

    async def _instance_at_last(self) -> Instance | None:
        """The instance, however long the cluster takes to answer."""
        while True:
            try:
                return await self._instance()
            except RapiError as error:
                self.worker.look_again()
                log.warning("judgement_waits", job_token=self.job.job_token, error=str(error))
            await self.worker.clock.sleep(self.worker.settings.retry_s)

    async def _finish(self, outcome: Outcome) -> None:
        job, state = self.job, outcome.state
        values = {
            "state": state, "error": outcome.error, "node": outcome.node, "op_index": outcome.op_index,
            "ended_at": self.worker.clock.now_us(),
        }  # fmt: skip
        extra: dict[str, Any] = {"error": outcome.error, "node": outcome.node, "op_index": outcome.op_index}
        async with self.worker.db.begin() as uow:
            if not await jobs_db.move(uow, job, values):
                return
            if state == JobState.SUCCEEDED and outcome.is_certain:
                await self._learn(uow, outcome)
            number = self.ganeti_job_id or job.ganeti_job_id
            uow.emit(job_event(job, state, **extra, ganeti_job_id=number))
        log.info("job_ended", job_token=job.job_token, verb=job.verb, cluster=job.cluster, state=str(state), error=outcome.error)
        self.worker.jobs_ended()

    async def _learn(self, uow: Any, outcome: Outcome) -> None:
        job = self.job
        if job.verb == j.CREATE:
            await instances_db.put(uow, job.cluster, {job.server_id: facts_rules.created(job.params, outcome.node)})
        elif job.verb == j.DELETE:
            await instances_db.drop(uow, job.cluster, [job.server_id])
        else:
            rows = await instances_db.of_server(uow, job.server_id)
            known = next((row.facts for row in rows if row.cluster == job.cluster), None)
            if known is not None:
                new = facts_rules.after(known, job.verb, job.params)
                await instances_db.change(uow, job.cluster, job.server_id, new)


def _failed(failure: JobFailure | None, ending: Ending) -> Outcome:
    if failure is None:
        text = "Ganeti does not know the job any more, and its effect is not there"
        return Outcome(JobState.FAILED, _error("JobLost", text), op_index=ending.op_index)
    state = JobState.CANCELED if ending.status == "canceled" else JobState.FAILED
    return Outcome(state, _error(failure.error_type, failure.message, failure.code), op_index=ending.op_index)
