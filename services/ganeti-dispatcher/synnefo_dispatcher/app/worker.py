"""A cluster's worker: where it holds the lease it claims jobs, runs them, and surveys the cluster. One task each."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from sqlalchemy import Row
from sqlalchemy.exc import DBAPIError

from synnefo_common.db.outbox import Wakeup
from synnefo_common.lease import Lease, LeaseLost
from synnefo_common.log import get_logger
from synnefo_dispatcher.app.capacity import hypervisor_of
from synnefo_dispatcher.app.core import Dispatcher
from synnefo_dispatcher.app.follow import BulkPoll
from synnefo_dispatcher.app.run import JobRun
from synnefo_dispatcher.app.submit import Target
from synnefo_dispatcher.app.survey import Surveyor
from synnefo_dispatcher.db import jobs as jobs_db
from synnefo_dispatcher.domain.jobs import DELETE
from synnefo_dispatcher.rapi import RapiError

log = get_logger(__name__)

_RESCAN_S = 5.0  # a job whose task failed (database away) is taken up again by then


class ClusterWorker:
    """All that one dispatcher does about one cluster."""

    def __init__(self, dispatcher: Dispatcher, row: Row[Any]) -> None:
        self.dispatcher = dispatcher
        self.settings = dispatcher.settings
        self.db = dispatcher.db
        self.clock = dispatcher.clock
        self.row = row
        self.name = str(row.name)
        self.client = dispatcher.connections.client(row)
        self.lease = Lease(
            self.db, f"cluster {row.name}", holder=self.settings.worker_name or None, ttl_s=self.settings.lease_s
        )
        self.bell = Wakeup()
        self.polls = asyncio.Semaphore(self.settings.long_polls)
        self.bulk = BulkPoll(self.client, period_s=self.settings.bulk_poll_s)
        self.surveyor = Surveyor(self)
        self._runs: dict[int, tuple[JobRun, asyncio.Task[None]]] = {}
        self._cancels: set[asyncio.Task[None]] = set()
        self._active_epoch = 0
        self._rescan_at = 0.0
        self._has_news = True
        self._may_wait = True  # jobs that could not be claimed when they came: an end may have made room for them
        self._claim_at = 0.0
        self._surveying: asyncio.Task[None] | None = None

    # what runs ask
    def holds(self, epoch: int) -> bool:
        """Whether we may still act under this epoch."""
        return self.lease.is_held and self.lease.epoch == epoch

    def look_again(self) -> None:
        """A call failed: see whether the cluster is there."""
        if self.surveyor.is_online:
            self.surveyor.nudge()

    def wake(self) -> None:
        """Jobs were entered, here or elsewhere, or the cluster is back."""
        self._has_news = True
        self.bell.set()

    def jobs_ended(self) -> None:
        """Other figures. (The end of the job's task rings for what waits behind it.)"""
        self.surveyor.nudge()

    async def target(self) -> Target:
        """What new instances need to know of the cluster. Raises RapiError."""
        report = self.surveyor.report
        if not report.get("hypervisors"):
            report = await self.surveyor.first_report()
        settings = self.settings
        return Target(
            hypervisor=hypervisor_of(self.name, report["hypervisors"], settings.hypervisor),
            nodes=report["node_names"], group_nodes={group["name"]: group["node_names"] for group in report["groups"]},
            allocator=settings.default_iallocator or None,
            opportunistic=settings.opportunistic_locking,
        )  # fmt: skip

    def cancel_waiting(self, server_id: str) -> None:
        """A deletion came: what Ganeti has not begun for the server need not be done."""
        for run, _ in self._runs.values():
            if run.job.server_id == server_id and run.job.verb != DELETE and run.ganeti_job_id is not None:
                task = asyncio.create_task(self._cancel(run.ganeti_job_id))
                self._cancels.add(task)
                task.add_done_callback(self._cancels.discard)

    async def _cancel(self, ganeti_job_id: int) -> None:
        try:
            done, text = await self.client.cancel_job(ganeti_job_id)
            log.info("job_cancel_asked", cluster=self.name, ganeti_job_id=ganeti_job_id, done=done, text=text)
        except RapiError as error:
            log.warning("job_cancel_failed", cluster=self.name, ganeti_job_id=ganeti_job_id, error=str(error))

    # the loop
    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                pause = min(self.settings.poll_s, self.settings.lease_s / 3)
                try:
                    if await self.lease.hold():
                        await self._work()
                    else:
                        await self._rest()
                        pause = min(pause, 0.5)
                except LeaseLost:
                    await self._rest()
                except (DBAPIError, OSError) as error:
                    log.warning("worker_database_error", cluster=self.name, error=repr(error))
                    await self.clock.sleep(0.5)
                    if not self.lease.is_held:
                        await self._rest()
                await self.bell.wait(pause)
        finally:
            await self._rest()
            with contextlib.suppress(DBAPIError, OSError):
                await self.lease.release()

    async def _work(self) -> None:
        if self._active_epoch != self.lease.epoch:
            await self._rest()
            await self._take_over()
        now = self.clock.monotonic()
        if now >= self._rescan_at:
            self._rescan_at = now + _RESCAN_S
            async with self.db.read() as uow:
                for job in await jobs_db.live_of(uow, self.name):
                    if job.epoch == self.lease.epoch:
                        self._start(job, is_claimed=False)
        room = self.settings.max_jobs_in_flight - len(self._runs)
        if room <= 0 or not self.surveyor.is_online:
            return
        has_news, self._has_news = self._has_news, False
        if not has_news and not self._may_wait and now < self._claim_at:
            return
        self._claim_at = now + self.settings.poll_s
        async with self.db.begin() as uow:
            claimed = await jobs_db.claim(uow, self.name, epoch=self.lease.epoch, limit=room)
        self._may_wait = len(claimed) == room or has_news != bool(claimed)
        for job in sorted(claimed, key=lambda row: row.seq):
            self._start(job, is_claimed=True)

    async def _take_over(self) -> None:
        """The lease is newly ours: so is what its last holder left."""
        self._active_epoch = self.lease.epoch
        async with self.db.begin() as uow:
            await self.lease.check(uow)
            left = await jobs_db.take_over(uow, self.name, epoch=self.lease.epoch)
        log.info("cluster_taken", cluster=self.name, epoch=self.lease.epoch, jobs=len(left))
        for job in left:
            self._start(job, is_claimed=False)
        self._surveying = asyncio.create_task(self.surveyor.run(), name=f"survey {self.name}")

    def _start(self, job: Row[Any], *, is_claimed: bool) -> None:
        if job.seq in self._runs and not is_claimed:  # a run that queued the row again may not have left yet
            return
        run = JobRun(self, job, is_claimed=is_claimed)
        task = asyncio.create_task(run.run(), name=f"job {job.job_token}")
        self._runs[job.seq] = (run, task)

        def ended(done: asyncio.Task[None]) -> None:
            if self._runs.get(job.seq, (None, None))[1] is done:
                del self._runs[job.seq]
            if done.cancelled():
                return
            if done.exception() is not None:
                log.error("job_run_failed", job_token=job.job_token, cluster=self.name, exc_info=done.exception())
                return
            self.bell.set()

        task.add_done_callback(ended)

    async def _rest(self) -> None:
        """Stop all that is done under the lease. What is half done is found again by whoever has it next."""
        self._active_epoch = 0
        tasks = [*self._cancels, *(task for _, task in self._runs.values())]
        if self._surveying is not None:
            tasks.append(self._surveying)
            self._surveying = None
        self._runs.clear()
        self.bulk.stop()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
