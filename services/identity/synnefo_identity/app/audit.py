"""What the auditor reads of identity: the ledger."""

from __future__ import annotations

from typing import Any

from synnefo_common.clock import MICROS
from synnefo_identity.app.services import Services
from synnefo_identity.db import quota


async def audit_facts(svc: Services) -> dict[str, Any]:
    """All holdings, and the commissions that nobody has decided yet. What a user holds is shown under the user's project-less key."""
    now = svc.clock.now_us()
    async with svc.db.read() as uow:
        holdings = await quota.all_holdings(uow)
        pending = await quota.undecided(uow)
    return {
        "holdings": [
            {"project_id": h.project_id, "user_id": h.user_id, "resource": h.resource, "used": h.used, "pending": h.pending} for h in holdings
        ],
        "commissions": [
            {"id": c.id, "issuer": c.issuer, "project_id": c.project_id, "age_s": (now - c.created_at) / MICROS} for c in pending
        ],
    }
