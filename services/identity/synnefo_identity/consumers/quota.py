"""What services tell the ledger: commissions accepted or rejected, use released."""

from __future__ import annotations

from synnefo_common.bus import Consumers
from synnefo_common.contracts.envelope import Envelope
from synnefo_common.db import UnitOfWork
from synnefo_identity.app import quota


def quota_consumers() -> Consumers:
    """The handlers, all in batches: many small messages in one transaction."""
    consumers = Consumers("identity")

    @consumers.on_batch("quota.commission.accepted", "quota.commission.rejected")
    async def settle_commissions(uow: UnitOfWork, messages: list[Envelope]) -> None:
        accepted = [m.data["commission_id"] for m in messages if m.type == "quota.commission.accepted"]
        rejected = [m.data["commission_id"] for m in messages if m.type == "quota.commission.rejected"]
        await quota.settle(uow, accepted=accepted, rejected=rejected)

    @consumers.on_batch("quota.released")
    async def release_quota(uow: UnitOfWork, messages: list[Envelope]) -> None:
        await quota.release(uow, [(m.data["project_id"], m.data.get("user_id") or "", m.data["provisions"]) for m in messages])

    @consumers.on_batch("quota.adjusted")
    async def adjust_quota(uow: UnitOfWork, messages: list[Envelope]) -> None:
        """Use that is counted by its owner and told as a difference, up or down."""
        await quota.adjust(uow, [(m.data["project_id"], m.data.get("user_id") or "", m.data["provisions"]) for m in messages])

    return consumers
