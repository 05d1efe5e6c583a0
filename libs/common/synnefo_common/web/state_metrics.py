"""Gauges of what every service's database holds: outbox, dead letters, sagas.

They are read at the scrape and not kept by whoever does the work, so that they are true also when nobody does it. Each API
process of a service shows the same values: take the maximum by service, not the sum.
"""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import func, literal, select

from synnefo_common.clock import MICROS
from synnefo_common.db import Database
from synnefo_common.db.tables import dead_letters, outbox, sagas
from synnefo_common.saga import SagaEngine
from synnefo_common.saga.model import LIVE, SagaState
from synnefo_common.web.metrics import Reader

_COUNTED = 10_000
_SHOWN = (*(s.value for s in LIVE), SagaState.UNDO_FAILED.value)


def work_reader(db: Database, *, service: str, sagas: SagaEngine | None) -> Reader:
    """Reads the gauges of one service."""

    async def read() -> Sequence[GaugeMetricFamily]:
        return await _read(db, service, sagas)

    return read


async def _read(db: Database, service: str, engine: SagaEngine | None) -> Sequence[GaugeMetricFamily]:
    waiting = select(literal(1)).select_from(outbox).limit(_COUNTED).subquery()
    oldest = select(outbox.c.occurred_at).order_by(outbox.c.seq).limit(1)
    s = sagas.c
    async with db.read() as uow:
        rows = await uow.scalar(select(func.count()).select_from(waiting))
        since = await uow.scalar(oldest)
        dead = await uow.all(select(dead_letters.c.queue, func.count().label("number")).group_by(dead_letters.c.queue))
        live = await uow.all(
            select(s.name, s.step, s.state, func.count().label("number"), func.min(s.created_at).label("oldest"))
            .where(s.state.in_(_SHOWN)).group_by(s.name, s.step, s.state)
        )  # fmt: skip
    now = db.clock.now_us()
    outbox_rows = GaugeMetricFamily("synnefo_outbox_rows", f"Events that wait to be published, counted up to {_COUNTED}.", labels=["service"])
    outbox_rows.add_metric([service], rows or 0)
    outbox_age = GaugeMetricFamily("synnefo_outbox_oldest_seconds", "Age of the oldest event that waits to be published.", labels=["service"])
    outbox_age.add_metric([service], (now - since) / MICROS if since else 0.0)
    letters = GaugeMetricFamily("synnefo_dead_letters", "Messages put aside for an operator.", labels=["service", "queue"])
    for row in dead:
        letters.add_metric([service, row.queue], row.number)
    labels = ["service", "saga", "step", "state"]
    count = GaugeMetricFamily("synnefo_sagas", "Sagas under way, or given up while unwinding (undo_failed).", labels=labels)
    age = GaugeMetricFamily("synnefo_saga_oldest_seconds", "Age of the oldest saga at this step, since it began.", labels=labels)
    for row in live:
        values = [service, row.name, _step_name(engine, row.name, row.step), row.state]
        count.add_metric(values, row.number)
        age.add_metric(values, (now - row.oldest) / MICROS)
    return [outbox_rows, outbox_age, letters, count, age]


def _step_name(engine: SagaEngine | None, saga: str, step: int) -> str:
    """By its number where this code knows no such saga or step: another release's."""
    known = engine.sagas.get(saga) if engine else None
    return known.steps[step].name if known and 0 <= step < len(known.steps) else str(step)
