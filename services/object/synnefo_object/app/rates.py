"""How often accounts and containers may be written, and containers listed: Swift's rate limits, kept over all processes.

A call that comes too early waits for its turn; one that would wait too long is refused.
"""

from __future__ import annotations

from bisect import bisect_right
from hashlib import sha256

from synnefo_common.db import UnitOfWork
from synnefo_object.app.services import Services
from synnefo_object.db import containers
from synnefo_object.db import rates as rows
from synnefo_object.domain.errors import SwiftFault
from synnefo_object.domain.paths import Target
from synnefo_object.settings import Settings

_BUFFER_US = 5_000_000
_OBJECT_WRITES = frozenset(("PUT", "POST", "DELETE", "COPY", "MOVE"))


def rate_of(limits: dict[int, float], objects: int) -> float | None:
    """Calls a second for a container of so many objects, in a straight line between two sizes; None below the smallest."""
    sizes = sorted(limits)
    i = bisect_right(sizes, objects) - 1
    if i < 0:
        return None
    low = sizes[i]
    if i + 1 == len(sizes):
        return limits[low]
    high = sizes[i + 1]
    return limits[low] + (limits[high] - limits[low]) * (objects - low) / (high - low)


def limited(settings: Settings, method: str, target: Target) -> tuple[str, float | dict[int, float]] | None:
    """What is counted (the start of its key), and the limit or limits by size; None: nothing."""
    if target.project_id is None or not target.container:
        return None
    if target.object:
        found: tuple[str, float | dict[int, float]] = ("object", settings.container_rates)
        is_limited = method in _OBJECT_WRITES
    elif method == "GET":
        found, is_limited = ("listing", settings.listing_rates), True
    else:
        found, is_limited = ("container", settings.account_rate), method in ("PUT", "DELETE")
    return found if is_limited and found[1] else None


async def wait_for_turn(svc: Services, method: str, target: Target) -> None:
    """Come back when the call may go on. Raises 498 if that would take too long."""
    found = limited(svc.settings, method, target)
    if found is None:
        return
    kind, limit = found
    longest_us = int(svc.settings.longest_wait_s * 1_000_000)

    async def work(uow: UnitOfWork) -> int | None:
        rate, place = limit, target.project_id or ""
        if isinstance(rate, dict):
            container = await containers.totals(uow, place, target.container)
            of_size = rate_of(rate, container.objects) if container is not None else None
            if of_size is None:
                return 0
            rate, place = of_size, f"{place}/{target.container}"
        key = f"{kind}/{sha256(place.encode(errors='surrogateescape')).hexdigest()[:48]}"
        step_us = max(int(1_000_000 / rate), 1)
        return await rows.take(uow, key, now_us=svc.clock.now_us(), step_us=step_us, buffer_us=_BUFFER_US, longest_us=longest_us)

    wait_us = await svc.db.run(work)
    if wait_us is None:
        raise SwiftFault(498)
    if wait_us:
        await svc.clock.sleep(wait_us / 1_000_000)
