"""What happens to sagas when processes come and go.

There is no special path: a dead holder's claim runs out and the row is due again. These functions only make it
quicker, and answer operators.
"""

from __future__ import annotations

from sqlalchemy import select, update

from synnefo_common.clock import MICROS
from synnefo_common.db import Database
from synnefo_common.db.tables import sagas
from synnefo_common.saga import store
from synnefo_common.saga.model import SagaState


async def take_back(db: Database, *, owner: str) -> int:
    """Make due what an earlier process of this name held; how many. Called when an engine starts and stops."""
    async with db.begin() as uow:
        return await store.release_own(uow, owner=owner)


async def retry_undo(db: Database, saga_id: str, *, give_up_s: float = 24 * 3600) -> bool:
    """An operator has mended the cause: undo again. False if the saga is not in `undo_failed`."""
    now = db.clock.now_us()
    async with db.begin() as uow:
        count = await uow.run(
            update(sagas)
            .where(sagas.c.id == saga_id, sagas.c.state == SagaState.UNDO_FAILED)
            .values(
                state=SagaState.UNWINDING.value, attempts=0, next_at=now, deadline_at=now + int(give_up_s * MICROS),
                epoch=sagas.c.epoch + 1,
            )
        )  # fmt: skip
    return count > 0


async def stuck(db: Database, *, older_than_s: float = 120) -> list[str]:
    """Ids of sagas due for so long that no engine can be at work, and of those in `undo_failed` (audit)."""
    before = db.clock.now_us() - int(older_than_s * MICROS)
    async with db.read() as uow:
        rows = await uow.all(
            select(sagas.c.id).where((sagas.c.next_at < before) | (sagas.c.state == SagaState.UNDO_FAILED))
        )
    return [row.id for row in rows]
