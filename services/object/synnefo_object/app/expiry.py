"""The worker that deletes what X-Delete-At says. Readers treat it as gone at once; this frees the room."""

from __future__ import annotations

from typing import Any

from synnefo_common.db import UnitOfWork
from synnefo_common.log import get_logger
from synnefo_object.app.services import Services
from synnefo_object.app.versions import Keeping, delete, keeping
from synnefo_object.db import counters, objects

log = get_logger(__name__)


async def expire_once(svc: Services) -> int:
    """Delete what has expired; the number."""
    done = 0
    while True:
        async with svc.db.read() as uow:
            rows = await objects.expired(uow, now_s=svc.now_s())
        for row in rows:

            async def work(uow: UnitOfWork, row: Any = row) -> bool:
                mode = keeping(row.container_headers)
                if mode is not Keeping.NEVER:
                    current = await objects.locked(uow, row.container_id, row.name)
                    if current is None or current.delete_at != row.delete_at:
                        return False
                    return bool(await delete(uow, svc, row, row.name, mode, by="", marker=False))
                size = await objects.remove_expired(uow, row.container_id, row.name, delete_at=row.delete_at)
                if size is None:
                    return False
                await counters.add(
                    uow,
                    account_id=row.account_id,
                    container_id=row.container_id,
                    objects=-1,
                    bytes_=-size,
                    now_us=svc.clock.now_us(),
                )
                return True

            done += await svc.db.run(work)
        if len(rows) < 200:
            return done


async def run(svc: Services) -> None:
    """Forever."""
    while True:
        try:
            count = await expire_once(svc)
            if count:
                log.info("objects_expired", count=count)
        except Exception:
            log.warning("expirer_failed", exc_info=True)
        await svc.clock.sleep(svc.settings.expirer_period_s)
