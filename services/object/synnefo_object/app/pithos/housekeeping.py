"""The worker that forgets: uploaded blocks that no object came for, the sharing of objects that are gone, turns long past."""

from __future__ import annotations

from synnefo_common.db import UnitOfWork
from synnefo_common.log import get_logger
from synnefo_object.app.pithos.hashmaps import INDEX_LIFE_US
from synnefo_object.app.services import Services
from synnefo_object.db import grants, held_blocks, rates

log = get_logger(__name__)
_PERIOD_S = 600.0


async def tidy_once(svc: Services) -> None:
    now_us = svc.clock.now_us()
    uploaded_before_us = now_us - int(svc.settings.staging_hours * 3600 * 1_000_000)

    async def work(uow: UnitOfWork) -> None:
        await held_blocks.expire(uow, uploaded_before_us=uploaded_before_us, before_us=now_us - 3 * INDEX_LIFE_US)
        await grants.sweep(uow)
        await rates.forget(uow, before_us=now_us - 60_000_000)

    await svc.db.run(work)


async def run(svc: Services) -> None:
    """Forever."""
    while True:
        try:
            await tidy_once(svc)
        except Exception:
            log.warning("pithos_housekeeping_failed", exc_info=True)
        await svc.clock.sleep(_PERIOD_S)
