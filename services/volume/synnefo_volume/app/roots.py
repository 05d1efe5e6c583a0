"""What the collector asks: the roots of snapshots, and those that volumes to be made still need."""

from __future__ import annotations

from typing import Any

from synnefo_volume.app.services import Services
from synnefo_volume.app.store import root_text
from synnefo_volume.db import snapshots, volumes


async def list_roots(svc: Services, *, after: str, limit: int) -> dict[str, Any]:
    """A page: snapshots first (`s:<id>`), then pending volumes (`v:<id>`); `next` is the next page's `after`."""
    kind, _, last = after.replace("\x00", "").partition(":")
    found: list[dict[str, str]] = []
    async with svc.db.read() as uow:
        if kind != "v":
            rows = await snapshots.roots(uow, after_id=last, limit=limit)
            found += [{"id": f"s:{r.id}", "root": root_text(r.root)} for r in rows]
            last = ""
        if len(found) < limit:
            rows = await volumes.origins(uow, after_id=last, limit=limit - len(found))
            found += [{"id": f"v:{r.id}", "root": root_text(r.origin_root)} for r in rows]
    is_last = len(found) < limit
    return {"roots": found, "next": None if is_last else found[-1]["id"], "complete": is_last}
