"""What the auditor reads of the object store: bytes by the project that pays for them, as the counters have them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from synnefo_object.app.services import Services
from synnefo_object.db.accounts import accounts
from synnefo_object.db.counters import counters
from synnefo_object.db.payers import difference


async def audit_facts(svc: Services) -> dict[str, Any]:
    """See the module."""
    held = (
        select(accounts.c.project_id, (func.coalesce(func.sum(counters.c.bytes), 0) + difference(accounts.c.id)).label("bytes"))
        .select_from(accounts.outerjoin(counters, counters.c.owner == -accounts.c.id))
        .group_by(accounts.c.id, accounts.c.project_id)
    )
    async with svc.db.read() as uow:
        rows = await uow.all(held)
    return {"usage": {row.project_id: {"object.bytes": int(row.bytes)} for row in rows if row.bytes}}
