"""What repairs image rows after a crash: uploads whose process died go back to queued."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from synnefo_common.reconcile import Reconciler
from synnefo_image.app.data import give_up_expired
from synnefo_image.app.services import Services
from synnefo_image.db import images


@dataclass(frozen=True)
class ExpiredUpload:
    """An upload that gave no sign of life in time."""

    image_id: str
    upload_id: str
    status: str


def plan(facts: Sequence[ExpiredUpload]) -> Sequence[ExpiredUpload]:
    """Give up all of them."""
    return facts


def upload_reconciler(svc: Services) -> Reconciler[Sequence[ExpiredUpload], ExpiredUpload]:
    """Saving or uploading without a live upload becomes queued."""

    async def observe() -> Sequence[ExpiredUpload]:
        async with svc.db.read() as uow:
            rows = await images.expired_uploads(uow, now=svc.clock.now_us())
        return [ExpiredUpload(row.id, row.upload_id, row.status) for row in rows]

    async def execute(action: ExpiredUpload) -> None:
        await give_up_expired(svc, action.image_id, upload_id=action.upload_id, status=action.status)

    return Reconciler(
        "image uploads",
        db=svc.db,
        observe=observe,
        plan=plan,
        execute=execute,
        period_s=svc.settings.reconcile_period_s,
    )
