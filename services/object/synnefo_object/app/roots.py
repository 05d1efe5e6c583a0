"""The roots of all objects, for the block store's collector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from synnefo_object.app.services import Services
from synnefo_object.db import objects


async def page(svc: Services, *, after: tuple[int, int, str] | None, limit: int) -> Sequence[Any]:
    """In the order of the data's time.

    A copy is always younger than what it copies: a walk to the end meets one of the two.
    """
    async with svc.db.read() as uow:
        return await objects.roots(uow, after=after, limit=limit)
