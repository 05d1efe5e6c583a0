"""The worker that tells the quota ledger how the bytes of each account changed.

One event for each changed account and turn.

Exact, because what was told is kept with the account and changes in the transaction that emits the event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synnefo_common.contracts.envelope import Event
from synnefo_common.db import UnitOfWork
from synnefo_common.log import get_logger
from synnefo_object.db import accounts
from synnefo_object.domain.limits import RESOURCE

if TYPE_CHECKING:
    from synnefo_object.app.services import Services

log = get_logger(__name__)
_OVERLAP_US = 10_000_000  # a slow transaction commits later than it says
_FULL_EVERY = 60


async def report(uow: UnitOfWork, row: Any, *, reported: int) -> bool:
    """Tell by how much the account's bytes differ from what was `reported`; False if somebody else told meanwhile."""
    held = int(row.bytes)
    if not await accounts.mark_reported(uow, row.id, old=reported, new=held):
        return False
    if held != reported:
        data = {"project_id": row.project_id, "user_id": "*", "provisions": {RESOURCE: held - reported}}
        uow.emit(Event("quota.adjusted", "object_account", row.project_id, data))
    return True


async def report_once(svc: Services, *, changed_since_us: int | None = None) -> int:
    """Emit `quota.adjusted` for every account whose bytes differ from what was told; the number."""
    done = 0
    while True:
        async with svc.db.read() as uow:
            rows = await accounts.unreported(uow, changed_since_us=changed_since_us)
        told = 0
        for row in rows:

            async def work(uow: UnitOfWork, row: Any = row) -> bool:
                return await report(uow, row, reported=row.bytes_reported)

            told += await svc.db.run(work)
        done += told
        if len(rows) < 1000 or not told:
            return done


async def run(svc: Services) -> None:
    """Forever: what changed lately each turn, everything at the start and each minute or so."""
    turn, since_us = 0, 0
    while True:
        started_us = svc.clock.now_us()
        try:
            await report_once(svc, changed_since_us=None if turn % _FULL_EVERY == 0 else since_us - _OVERLAP_US)
            since_us = started_us
            turn += 1
        except Exception:
            turn = 0
            log.warning("usage_report_failed", exc_info=True)
        await svc.clock.sleep(svc.settings.usage_period_s)
