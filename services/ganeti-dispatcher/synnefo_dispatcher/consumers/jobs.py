"""The queues of the clusters: every message becomes a row, nothing more."""

from __future__ import annotations

from synnefo_common.bus import Consumers
from synnefo_common.contracts.envelope import Envelope
from synnefo_common.db import UnitOfWork
from synnefo_dispatcher.app import jobs
from synnefo_dispatcher.app.core import Dispatcher


def cluster_consumers(dispatcher: Dispatcher) -> Consumers:
    """The handlers of each cluster's queue."""
    consumers = Consumers("dispatcher")

    # Repeatable: a job's token makes one row.
    @consumers.on_batch("ganeti.#", is_repeatable=True)
    async def job_requested(uow: UnitOfWork, messages: list[Envelope]) -> None:
        await jobs.accept(uow, dispatcher, messages)

    return consumers
