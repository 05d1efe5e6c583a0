"""What the auditor reads of the image service: images on their way, counted use."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from synnefo_common.clock import MICROS
from synnefo_image.app.services import Services
from synnefo_image.db.images import images


async def audit_facts(svc: Services) -> dict[str, Any]:
    """See the module. An upload that still gives signs of life is not old."""
    now = svc.clock.now_us()
    async with svc.db.read() as uow:
        rows = await uow.all(select(images.c.id, images.c.status, images.c.updated_at, images.c.upload_until))
        charged = await uow.all(
            select(images.c.charged_project, func.sum(images.c.charged_bytes).label("bytes"))
            .where(images.c.charged_bytes > 0)
            .group_by(images.c.charged_project)
        )
    return {
        "images": [{"id": r.id, "status": r.status, "age_s": max(0, now - max(r.updated_at, r.upload_until or 0)) / MICROS} for r in rows],
        "usage": {row.charged_project: {"image.bytes": int(row.bytes)} for row in charged},
    }
