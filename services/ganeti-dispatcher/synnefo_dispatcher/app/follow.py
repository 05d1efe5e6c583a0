"""Following a Ganeti job to its end: a few by long poll, which sees each change at once, the others by the list of jobs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row

from synnefo_common.log import get_logger
from synnefo_dispatcher.app.events import job_event
from synnefo_dispatcher.db import jobs as jobs_db
from synnefo_dispatcher.domain.jobs import CREATE, PROGRESS_RANK, JobState, percent_in
from synnefo_dispatcher.rapi import JobChange, JobFailure, JobNotFound, RapiClient, RapiError

if TYPE_CHECKING:
    from synnefo_dispatcher.app.worker import ClusterWorker

log = get_logger(__name__)


@dataclass(frozen=True)
class Ending:
    """How a Ganeti job ended. Not `is_known`: it was purged before anybody looked."""

    is_known: bool
    status: str = ""
    failure: JobFailure | None = None
    node: str | None = None
    op_index: int = 0


class BulkPoll:
    """One list of a cluster's jobs for all who wait for one, while there are any."""

    def __init__(self, client: RapiClient, *, period_s: float) -> None:
        self.client = client
        self.period_s = period_s
        self._waiting: dict[int, asyncio.Event] = {}
        self._task: asyncio.Task[None] | None = None

    async def ended(self, job_id: int) -> None:
        """Return when the job has ended or is not in the list."""
        event = self._waiting.setdefault(job_id, asyncio.Event())
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._poll())
        try:
            await event.wait()
        finally:
            self._waiting.pop(job_id, None)

    async def _poll(self) -> None:
        while self._waiting:
            try:
                alive = {job.job_id for job in await self.client.jobs() if not job.is_final}
            except RapiError as error:
                log.warning("job_list_failed", error=str(error))
            else:
                for job_id, event in self._waiting.items():
                    if job_id not in alive:
                        event.set()
            await asyncio.sleep(self.period_s)

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()


class Follower:
    """Of one job."""

    def __init__(self, worker: ClusterWorker, job: Row[Any], ganeti_job_id: int) -> None:
        self.worker = worker
        self.job = job
        self.ganeti_job_id = ganeti_job_id
        self._percent = -1
        self._is_running = job.state == JobState.RUNNING

    async def follow(self) -> Ending:
        """Wait for the end, through outages of the cluster."""
        worker = self.worker
        previous: JobChange | None = JobChange("queued", ("queued",), (None,), (), None)
        while True:
            try:
                if worker.polls.locked():
                    await worker.bulk.ended(self.ganeti_job_id)
                    ending = await self._final()
                    if ending is not None:
                        return ending
                    continue
                async with worker.polls:
                    change = await worker.client.wait_job(self.ganeti_job_id, previous)
            except JobNotFound:
                ending = await self._archived()
                if ending is not None:
                    return ending
                continue
            except RapiError as error:
                worker.look_again()
                log.warning("following_waits", job_token=self.job.job_token, error=str(error))
                await worker.clock.sleep(min(1.0, worker.settings.retry_s))
                continue
            if change is None:
                continue
            previous = change
            if change.is_final:
                return self._ending(change.status, change.failure(), change.opresult, change.opstatus)
            await self._tell(change)

    async def _final(self) -> Ending | None:
        """The job by its number; None if it goes on after all. Raises RapiError, JobNotFound."""
        found = await self.worker.client.job(self.ganeti_job_id)
        if not found.is_final:
            return None
        return self._ending(found.status, found.failure(), found.opresult or (), found.opstatus)

    async def _archived(self) -> Ending | None:
        """Ganeti's long poll does not read the archive; its plain call does."""
        try:
            return await self._final()
        except JobNotFound:
            return Ending(is_known=False)
        except RapiError as error:
            log.warning("following_waits", job_token=self.job.job_token, error=str(error))
            await self.worker.clock.sleep(min(1.0, self.worker.settings.retry_s))
            return None

    def _ending(self, status: str, failure: JobFailure | None, results: Any, opstatus: tuple[str, ...]) -> Ending:
        last = next((i for i, state in enumerate(opstatus) if state != "success"), max(0, len(opstatus) - 1))
        node = None
        if failure is None and self.job.verb == CREATE and results and isinstance(results[0], list | tuple):
            node = next((str(item) for item in results[0]), None)
        return Ending(True, status, failure, node, last)

    async def _tell(self, change: JobChange) -> None:
        """What happens meanwhile, as far as anybody wants to know."""
        percents = [p for _, line in change.log if (p := percent_in(line)) is not None]
        progress = max(percents, default=-1)
        starts = change.status == "running" and not self._is_running and self.worker.settings.emit_all_states
        if progress <= self._percent and not starts:
            return
        async with self.worker.db.begin() as uow:
            if starts:
                self._is_running = await jobs_db.move(uow, self.job, {"state": JobState.RUNNING})
                uow.emit(job_event(self.job, JobState.RUNNING, ganeti_job_id=self.ganeti_job_id))
            if progress > self._percent:
                self._percent = progress
                uow.emit(
                    job_event(
                        self.job, JobState.RUNNING, rank=PROGRESS_RANK, ganeti_job_id=self.ganeti_job_id,
                        progress=progress, log=[line for _, line in change.log][-5:],
                    )
                )  # fmt: skip
