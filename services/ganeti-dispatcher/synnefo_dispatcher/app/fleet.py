"""All clusters' workers in this process: started, restarted and ended as the clusters table says; their queues opened."""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy import Row
from sqlalchemy.exc import DBAPIError

from synnefo_common.bus import ConsumerRunner, cluster_queue
from synnefo_common.log import get_logger
from synnefo_dispatcher.app.clusters import renew_passwords
from synnefo_dispatcher.app.core import CHANNEL, Dispatcher
from synnefo_dispatcher.app.worker import ClusterWorker
from synnefo_dispatcher.clients.vault import VaultError
from synnefo_dispatcher.db import clusters as clusters_db

log = get_logger(__name__)


class Fleet:
    """Runs where the worker runs."""

    def __init__(self, dispatcher: Dispatcher, runner: ConsumerRunner) -> None:
        self.dispatcher = dispatcher
        self.runner = runner
        self.workers: dict[str, tuple[ClusterWorker, asyncio.Task[None]]] = {}
        self._open: set[str] = set()
        dispatcher.wake_jobs = self.wake_jobs
        dispatcher.cancel_waiting = self.cancel_waiting

    def wake_jobs(self, cluster: str) -> None:
        """Jobs were entered."""
        if cluster in self.workers:
            self.workers[cluster][0].wake()

    def cancel_waiting(self, server_id: str) -> None:
        """A server is to be deleted."""
        for worker, _ in self.workers.values():
            worker.cancel_waiting(server_id)

    async def declare(self) -> None:
        """Make the queues of all known clusters exist, so that nothing published before the worker runs is lost."""
        async with self.dispatcher.db.read() as uow:
            rows = await clusters_db.list_clusters(uow)
        for row in rows:
            await self.runner.bus.declare(cluster_queue(row.name))

    async def run(self) -> None:
        """Until cancelled."""
        db, unlisten = self.dispatcher.db, None
        try:
            await self._renew_passwords()
            while True:
                try:
                    if unlisten is None:
                        unlisten = await db.listen(CHANNEL, self._wake_all)
                    await self.sync()
                except (DBAPIError, OSError) as error:
                    log.warning("fleet_database_error", error=repr(error))
                    if unlisten is not None:
                        await unlisten()
                        unlisten = None
                await self.dispatcher.clusters_changed.wait(self.dispatcher.settings.poll_s)
        finally:
            for name in list(self.workers):
                await self._end(name)
            if unlisten is not None:
                await unlisten()

    async def _renew_passwords(self) -> None:
        try:
            await renew_passwords(self.dispatcher)
        except (DBAPIError, OSError) as error:
            log.warning("passwords_not_renewed", error=repr(error))

    def _wake_all(self) -> None:
        self.dispatcher.clusters_changed.set()
        for worker, _ in self.workers.values():
            worker.wake()

    async def sync(self) -> None:
        """Compare what runs with the table."""
        async with self.dispatcher.db.read() as uow:
            rows = {row.name: row for row in await clusters_db.list_clusters(uow)}
        for name in [name for name in self.workers if name not in rows or self._is_other(rows[name])]:
            await self._end(name)
        for name in [name for name in self._open if name not in rows]:
            await self.runner.shut(cluster_queue(name))
            self._open.discard(name)
            await self.dispatcher.connections.forget(name)
        for name, row in rows.items():
            if name not in self._open:
                await self.runner.open(cluster_queue(name), self.runner.consumers)
                self._open.add(name)
            if name not in self.workers and not row.offline:
                self._begin(row)

    def _is_other(self, row: Row[Any]) -> bool:
        worker, task = self.workers[row.name]
        return bool(task.done() or row.offline or worker.row.generation != row.generation)

    def _begin(self, row: Row[Any]) -> None:
        try:
            worker = ClusterWorker(self.dispatcher, row)
        except (VaultError, ValueError) as error:
            log.error("cluster_not_usable", cluster=row.name, error=str(error))  # noqa: TRY400 - the text says all
            return
        task = asyncio.create_task(worker.run(), name=f"cluster {row.name}")
        self.workers[row.name] = (worker, task)

        def ended(done: asyncio.Task[None]) -> None:
            if not done.cancelled() and done.exception() is not None:
                log.error("cluster_worker_died", cluster=row.name, exc_info=done.exception())

        task.add_done_callback(ended)

    async def _end(self, name: str) -> None:
        _, task = self.workers.pop(name)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
