"""What the collector asks: which roots images hold."""

from __future__ import annotations

import base64
from typing import Any

from synnefo_image.app.services import Services
from synnefo_image.db import images


async def list_roots(svc: Services, *, after: str, limit: int) -> dict[str, Any]:
    """A page of roots; `next` is the `after` of the following one."""
    async with svc.db.read() as uow:
        rows = await images.list_roots(uow, after_id=after.replace("\x00", ""), limit=limit)
    found = [{"id": row.id, "root": base64.b64encode(row.root).decode()} for row in rows]
    is_last = len(found) < limit
    return {"roots": found, "next": None if is_last else found[-1]["id"], "complete": is_last}
