"""Work without a request: expired commissions, old keys, revocations and commissions that nobody needs any more."""

from __future__ import annotations

from synnefo_common.clock import MICROS
from synnefo_common.db import UnitOfWork
from synnefo_common.log import get_logger
from synnefo_identity.app import quota
from synnefo_identity.app.bootstrap import rotate_key
from synnefo_identity.app.services import Services
from synnefo_identity.db import quota as ledger
from synnefo_identity.db import tokens

log = get_logger(__name__)


async def clean(svc: Services) -> None:
    """One round."""
    await rotate_key(svc)
    now = svc.clock.now_us()
    longest = int((svc.settings.token_ttl_s + svc.settings.expired_token_window_s) * MICROS)

    async def work(uow: UnitOfWork) -> None:
        await tokens.purge(uow, issued_before=now - longest)
        await ledger.purge_commissions(uow, now - int(svc.settings.commission_keep_s * MICROS))

    await svc.db.run(work)


async def run_cleaning(svc: Services) -> None:
    """For ever."""
    while True:
        await svc.clock.sleep(svc.settings.housekeeping_period_s)
        try:
            await clean(svc)
        except Exception:
            log.exception("housekeeping_failed")


async def run_expiry(svc: Services) -> None:
    """For ever: settle commissions whose lease is over."""
    while True:
        await svc.clock.sleep(svc.settings.expiry_period_s)
        try:
            await quota.expire(svc)
        except Exception:
            log.exception("expiry_failed")
