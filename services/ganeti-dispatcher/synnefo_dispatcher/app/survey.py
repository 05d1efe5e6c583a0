"""Looking at a cluster: its capacity for the allocator, and what changed on our instances without a job of ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import DBAPIError

from synnefo_common.db import UnitOfWork
from synnefo_common.db.outbox import Wakeup
from synnefo_common.lease import LeaseLost
from synnefo_common.log import get_logger
from synnefo_dispatcher.app.capacity import EMPTY_REPORT, report_of, survey
from synnefo_dispatcher.app.events import observed_event, reported_event
from synnefo_dispatcher.app.facts import Facts, differ, facts_of
from synnefo_dispatcher.db import clusters as clusters_db
from synnefo_dispatcher.db import instances as instances_db
from synnefo_dispatcher.db import jobs as jobs_db
from synnefo_dispatcher.domain.jobs import server_id_of
from synnefo_dispatcher.rapi import Instance, RapiError

if TYPE_CHECKING:
    from synnefo_dispatcher.app.worker import ClusterWorker

log = get_logger(__name__)


@dataclass
class Changes:
    """What a sweep found."""

    changed: dict[str, Facts] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)


def plan_changes(
    known: Mapping[str, Facts], seen: Sequence[Instance], *, busy: set[str], prefix: str
) -> Changes:
    """What differs from what is known. A server that a job of ours may have changed meanwhile is left to the next sweep."""
    found = Changes()
    present = {server_id: i for i in seen if (server_id := server_id_of(prefix, i.name)) is not None}
    for server_id, instance in present.items():
        facts = facts_of(instance)
        if server_id not in busy and (server_id not in known or differ(known[server_id], facts)):
            found.changed[server_id] = facts
    found.gone = [server_id for server_id in known if server_id not in present and server_id not in busy]
    return found


class Surveyor:
    """Of one cluster, while its worker holds the lease."""

    def __init__(self, worker: ClusterWorker) -> None:
        self.worker = worker
        self.is_online = bool(worker.row.is_online)
        self.report: dict[str, Any] = {**EMPTY_REPORT, **worker.row.report}
        self._bell = Wakeup()

    def nudge(self) -> None:
        """Something changed."""
        self._bell.set()

    async def run(self) -> None:
        """Survey by period and by nudge until cancelled."""
        clock, settings = self.worker.clock, self.worker.settings
        while True:
            began = clock.monotonic()
            try:
                await self.survey()
            except (DBAPIError, OSError) as error:
                log.warning("survey_not_written", cluster=self.worker.name, error=repr(error))
            except LeaseLost:
                return
            took = clock.monotonic() - began
            nudged = await self._bell.wait(settings.report_period_s if self.is_online else settings.retry_s)
            if nudged:
                await clock.sleep(max(settings.report_debounce_s, 3 * took) if self.is_online else 0.05)
                self._bell = Wakeup()  # what rang meanwhile is seen now

    async def survey(self) -> None:
        """Look once and tell. Raises LeaseLost and database errors."""
        worker = self.worker
        began = worker.clock.now_us()  # an instance made after this may not be counted
        try:
            found = await survey(worker.client)
        except RapiError as error:
            await self._offline(str(error))
            return
        report = report_of(found, zone=worker.row.zone, drained=worker.row.drained)
        async with worker.db.begin() as uow:
            await worker.lease.check(uow)
            values = {"is_online": True, "error": None, "report": report, "reported_at": began}
            if not await clusters_db.put_report(uow, worker.name, values, generation=worker.row.generation):
                return
            uow.emit(reported_event(worker.name, report, online=True, reported_at=began))
            await self._sweep(uow, found.instances, since=began)
        self.report = report
        if not self.is_online:
            log.info("cluster_online", cluster=worker.name)
            self.is_online = True
            worker.wake()

    async def first_report(self) -> dict[str, Any]:
        """The figures when a job needs them before the first survey is done. Raises RapiError."""
        found = await survey(self.worker.client)
        self.report = report_of(found, zone=self.worker.row.zone, drained=self.worker.row.drained)
        return self.report

    async def _offline(self, reason: str) -> None:
        worker, now = self.worker, self.worker.clock.now_us()
        was_online, self.is_online = self.is_online, False
        if was_online:
            log.warning("cluster_offline", cluster=worker.name, reason=reason)
        async with worker.db.begin() as uow:
            await worker.lease.check(uow)
            values = {"is_online": False, "error": reason[:1000]}
            if was_online:
                values["reported_at"] = now
                uow.emit(reported_event(worker.name, self.report, online=False, reported_at=now))
            await clusters_db.put_report(uow, worker.name, values, generation=worker.row.generation)

    async def _sweep(self, uow: UnitOfWork, seen: Sequence[Instance], *, since: int) -> None:
        name = self.worker.name
        busy = await jobs_db.busy_servers(uow, name, since=since)
        known = await instances_db.of_cluster(uow, name)
        found = plan_changes(known, seen, busy=busy, prefix=self.worker.settings.instance_prefix)
        if not found.changed and not found.gone:
            return
        order = await jobs_db.last_ganeti_job(uow, name)
        for server_id, facts in found.changed.items():
            uow.emit(observed_event(name, server_id, facts, order=order))
        for server_id in found.gone:
            uow.emit(observed_event(name, server_id, None, order=order))
        await instances_db.put(uow, name, found.changed)
        await instances_db.drop(uow, name, found.gone)
        log.info("instances_changed", cluster=name, changed=len(found.changed), gone=len(found.gone))
