"""Forget what is kept only for a while: inbox rows, stored answers, ended sagas, decided commissions."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError

from synnefo_common import idempotency, quota
from synnefo_common.bus.inbox import prune_inbox
from synnefo_common.db import Database
from synnefo_common.log import get_logger
from synnefo_common.saga import store as saga_store

log = get_logger(__name__)


async def prune(db: Database) -> dict[str, int]:
    """One turn; the rows deleted by table."""
    pruners = {
        "inbox": prune_inbox,
        "idempotency": idempotency.prune,
        "sagas": saga_store.prune,
        "quota_commissions_seen": quota.prune,
    }
    counts = {}
    for name, pruner in pruners.items():
        async with db.begin() as uow:
            counts[name] = await pruner(uow)
    return counts


async def keep_house(db: Database, *, period_s: float = 3600.0) -> None:
    """Prune until cancelled. Two processes may do so: deleting twice does no harm."""
    await db.clock.sleep(60 * (0.5 + db.ids.random()))  # not while everything starts
    while True:
        try:
            log.info("housekeeping_done", **await prune(db))
        except (DBAPIError, OSError) as error:
            log.warning("housekeeping_failed", error=repr(error))
        await db.clock.sleep(period_s * (0.9 + 0.2 * db.ids.random()))
