"""What is under way in a service: sagas, outbox, dead letters. For the auditor and for operators."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from synnefo_common.clock import MICROS
from synnefo_common.db.engine import Database
from synnefo_common.db.tables import dead_letters, outbox, sagas

LIVE_SAGAS = ("running", "waiting", "unwinding")


async def work_under_way(db: Database) -> dict[str, Any]:
    """`{"sagas": [{id, name, state, step, age_s}], "undo_failed": n, "outbox": n, "outbox_age_s": s, "dead_letters": n}`."""
    now = db.clock.now_us()
    async with db.read() as uow:
        live = await uow.all(
            select(sagas.c.id, sagas.c.name, sagas.c.state, sagas.c.step, sagas.c.updated_at)
            .where(sagas.c.state.in_((*LIVE_SAGAS, "undo_failed")))
            .order_by(sagas.c.updated_at)
            .limit(1000)
        )
        queue = await uow.one(select(func.count().label("rows"), func.min(outbox.c.occurred_at).label("oldest")))
        dead = await uow.scalar(select(func.count()).select_from(dead_letters))
    assert queue is not None
    return {
        "sagas": [
            {"id": r.id, "name": r.name, "state": r.state, "step": r.step, "age_s": (now - r.updated_at) / MICROS}
            for r in live
            if r.state in LIVE_SAGAS
        ],
        "undo_failed": sum(1 for r in live if r.state == "undo_failed"),
        "outbox": queue.rows,
        "outbox_age_s": (now - queue.oldest) / MICROS if queue.oldest else 0.0,
        "dead_letters": dead,
    }  # fmt: skip
