"""The roots of all objects, their kept versions and parts of uploads under way, for the block store's collector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from synnefo_archipelago import store_mark
from synnefo_common.errors import Unavailable
from synnefo_object.app.services import Services
from synnefo_object.db import roots
from synnefo_object.db.roots import Cursor
from synnefo_object.domain.policies import StoragePolicy
from synnefo_object.domain.s3.parts import Parts

__all__ = ["page", "store_mark"]


async def page(svc: Services, policy: StoragePolicy, *, after: Cursor | None, limit: int) -> tuple[Sequence[tuple[str, bytes]], Cursor | None]:
    """A page of (name, root) in the policy's pool, and where the next one begins; None when this was the last.

    Raises Unavailable when it meets a pool that the settings have no name for: a pool that was renamed without an alias
    might be any, and be taken for empty.

    In the order of the data's time, whichever table it is in. A copy is always younger than what it copies, and a row that
    becomes a version or is made current again keeps its time: a walk to the end meets all that was there when it began.
    """
    async with svc.db.read() as uow:
        others = [pool for other in svc.stores.policies.all if other is not policy for pool in other.pools]
        rows = await roots.page(uow, but_pools=others, after=after, limit=limit)
    for row in rows:
        if row.pool not in policy.pools:
            raise Unavailable(f"There is data in a pool {row.pool!r} that no storage policy of the settings is named by.")
    listed = [(f"{row.container_id}/{row.name}", root) for row in rows for root in _roots_of(row)]
    if len(rows) < limit:
        return listed, None
    last = rows[-1]
    return listed, (last.created_us, last.container_id, last.name)


def _roots_of(row: Any) -> Sequence[bytes]:
    return (row.extra and Parts.read(row.extra).roots) or (row.root,)
