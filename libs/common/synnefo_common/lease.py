"""Leadership by a row: a named lease with an epoch. One process at a time does a thing, and a late one is fenced.

Sagas have leases of their own in their rows (`saga.store`).
"""

from __future__ import annotations

from sqlalchemy import update

from synnefo_common.clock import MICROS
from synnefo_common.db import Database, UnitOfWork, upsert_ignore
from synnefo_common.db.tables import leases
from synnefo_common.holder import default_holder


class LeaseLost(Exception):
    """Another holder has the lease: what was being done must not be written."""


class Lease:
    """One holder's view of a named lease."""

    def __init__(self, db: Database, name: str, *, holder: str | None = None, ttl_s: float = 10.0) -> None:
        self.db = db
        self.name = name
        self.holder = holder or default_holder(db)
        self.ttl_s = ttl_s
        self.epoch = 0
        self._valid_until = 0.0  # by our monotonic clock, a tenth of the term early
        self._renew_at = 0.0

    @property
    def is_held(self) -> bool:
        """True while nobody else can have it, as far as this process can know without asking."""
        return self.epoch > 0 and self.db.clock.monotonic() < self._valid_until

    async def hold(self) -> bool:
        """Acquire or, after a third of the term, renew; one statement at most every third of the term. True if held."""
        if self.is_held and self.db.clock.monotonic() < self._renew_at:
            return True
        if self.is_held and await self.renew():
            return True
        return await self.acquire()

    async def acquire(self) -> bool:
        """Take the lease if it is free, expired or ours; the epoch goes up. False if another has it."""
        started, now = self.db.clock.monotonic(), self.db.clock.now_us()
        expires = now + int(self.ttl_s * MICROS)
        async with self.db.begin() as uow:
            epoch = await uow.scalar(
                update(leases)
                .where(leases.c.name == self.name, (leases.c.expires_at <= now) | (leases.c.holder == self.holder))
                .values(holder=self.holder, epoch=leases.c.epoch + 1, expires_at=expires)
                .returning(leases.c.epoch)
            )
            if epoch is None:
                row = {"name": self.name, "holder": self.holder, "epoch": 1, "expires_at": expires}
                epoch = 1 if await uow.run(upsert_ignore(uow.dialect, leases, row)) else None
        self.epoch = int(epoch or 0)
        if self.epoch:
            self._extend(started)
        return self.epoch > 0

    async def renew(self) -> bool:
        """Extend the term. False (and no longer held) if another has taken it."""
        started = self.db.clock.monotonic()
        async with self.db.begin() as uow:
            count = await uow.run(
                update(leases)
                .where(leases.c.name == self.name, leases.c.holder == self.holder, leases.c.epoch == self.epoch)
                .values(expires_at=self.db.clock.now_us() + int(self.ttl_s * MICROS))
            )
        if count:
            self._extend(started)
        else:
            self.epoch = 0
        return count > 0

    async def check(self, uow: UnitOfWork) -> None:
        """Fence a transaction: it commits only if the lease is still ours. Raises LeaseLost."""
        count = await uow.run(
            update(leases)
            .where(leases.c.name == self.name, leases.c.holder == self.holder, leases.c.epoch == self.epoch)
            .values(epoch=self.epoch)  # no change: it locks the row against a new holder until we commit
        )
        if not count:
            self.epoch = 0
            raise LeaseLost(self.name)

    async def release(self) -> None:
        """Give it back at once, so that another need not wait for the end of the term."""
        if not self.epoch:
            return
        async with self.db.begin() as uow:
            await uow.run(
                update(leases)
                .where(leases.c.name == self.name, leases.c.holder == self.holder, leases.c.epoch == self.epoch)
                .values(expires_at=0)
            )
        self.epoch = 0

    def _extend(self, started: float) -> None:
        self._valid_until = started + self.ttl_s * 0.9
        self._renew_at = started + self.ttl_s / 3
