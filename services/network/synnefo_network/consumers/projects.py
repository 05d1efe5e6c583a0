"""Events of identity about projects."""

from __future__ import annotations

from synnefo_common.bus import Consumers
from synnefo_common.contracts.envelope import Envelope
from synnefo_common.db import UnitOfWork
from synnefo_network.app.projects import forget_project


def register(consumers: Consumers) -> None:
    """Add this module's handlers."""

    @consumers.on("identity.project.deleted")
    async def project_deleted(uow: UnitOfWork, message: Envelope) -> None:
        await forget_project(uow, str(message.data["project_id"]))
