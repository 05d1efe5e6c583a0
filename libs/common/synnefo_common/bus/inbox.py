"""The inbox and the dead letters: statements on the receiving side's tables."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete

from synnefo_common.bus.api import Delivery
from synnefo_common.clock import MICROS
from synnefo_common.db import UnitOfWork, upsert_ignore
from synnefo_common.db.sql import insert_for
from synnefo_common.db.tables import dead_letters, inbox

RETENTION_S = 7 * 24 * 3600  # a message can come twice only within the broker's and our own retries: far less


async def receive(uow: UnitOfWork, *, queue: str, message_id: str) -> bool:
    """Enter a message; False if it was there already."""
    row = {"message_id": message_id, "queue": queue, "received_at": uow.db.clock.now_us()}
    statement = insert_for(uow.dialect, inbox).on_conflict_do_nothing()
    return await uow.run(statement, row) == 1


async def receive_many(uow: UnitOfWork, *, queue: str, message_ids: Sequence[str]) -> set[str]:
    """Enter messages in one statement; the ids that are new."""
    now = uow.db.clock.now_us()
    rows = [{"message_id": i, "queue": queue, "received_at": now} for i in dict.fromkeys(message_ids)]
    statement = insert_for(uow.dialect, inbox).values(rows).on_conflict_do_nothing().returning(inbox.c.message_id)
    return {row.message_id for row in await uow.all(statement)}


async def bury(uow: UnitOfWork, delivery: Delivery, *, error: Exception) -> None:
    """Put a message aside for an operator and never handle it again by itself."""
    await receive(uow, queue=delivery.queue, message_id=delivery.message_id)
    row = {
        "message_id": delivery.message_id,
        "queue": delivery.queue,
        "routing_key": delivery.routing_key,
        "body": delivery.body.decode(errors="replace").replace("\0", "\ufffd"),
        "error": repr(error)[:10_000],
        "attempts": delivery.attempts + 1,
        "died_at": uow.db.clock.now_us(),
    }
    await uow.run(upsert_ignore(uow.dialect, dead_letters, row))


async def prune_inbox(uow: UnitOfWork, *, older_than_s: float = RETENTION_S) -> int:
    """Forget messages received long ago; how many."""
    return await uow.run(delete(inbox).where(inbox.c.received_at < uow.db.clock.now_us() - int(older_than_s * MICROS)))
