"""What every use case of the dispatcher has at hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import func, select

from synnefo_common.clock import Clock
from synnefo_common.db import Database, UnitOfWork
from synnefo_common.db.outbox import Wakeup
from synnefo_dispatcher.clients.connections import Connections
from synnefo_dispatcher.clients.vault import Vault
from synnefo_dispatcher.settings import Settings

CHANNEL = "synnefo_dispatcher"  # PostgreSQL NOTIFY: jobs or clusters changed, look now


@dataclass
class Dispatcher:
    """The parts, and the bell at which the fleet's loops wait."""

    settings: Settings
    db: Database
    clock: Clock
    vault: Vault
    connections: Connections
    clusters_changed: Wakeup = field(default_factory=Wakeup)
    wake_jobs: Callable[[str], None] = lambda _cluster: None  # set by the fleet where there is one
    cancel_waiting: Callable[[str], None] = lambda _server_id: None

    async def notify(self, uow: UnitOfWork) -> None:
        """Wake the other processes at the commit (PostgreSQL; SQLite has one process)."""
        if uow.dialect == "postgresql":
            await uow.all(select(func.pg_notify(CHANNEL, "")))
