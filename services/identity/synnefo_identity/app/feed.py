"""The revocation log and the keys as this process sees them, and who waits for news of them.

A revocation committed here wakes the waiters at once; one committed by another worker is found by a look at the head.
"""

from __future__ import annotations

import asyncio
from typing import Any

from synnefo_common.auth import Claims, LocalVerifier, RevocationLog
from synnefo_common.clock import MICROS, Clock
from synnefo_common.db import Database
from synnefo_common.errors import Unauthorized
from synnefo_common.log import get_logger
from synnefo_identity.db import tokens
from synnefo_identity.domain.errors import UNAUTHORIZED

log = get_logger(__name__)


class Feed:
    """`auth.KeySource` and `auth.RevocationSource` from identity's own database."""

    def __init__(self, db: Database, *, clock: Clock, poll_s: float) -> None:
        self._db = db
        self._clock = clock
        self._poll_s = poll_s
        self._news = asyncio.Event()
        self._waiting = 0
        self._poller: asyncio.Task[None] | None = None
        self.head = 0

    async def fetch_keys(self) -> dict[str, str]:
        """Key id → public key."""
        async with self._db.read() as uow:
            return {row.kid: row.public for row in await tokens.keys(uow)}

    def advance(self, head: int) -> None:
        """The log reaches to `head`: wake who waits."""
        if head > self.head:
            self.head = head
            self._news.set()
            self._news = asyncio.Event()

    async def fetch_revocations(self, after: int, wait_s: float) -> dict[str, Any]:
        """Entries after `after`, waiting up to `wait_s` for the first."""
        end = self._clock.monotonic() + wait_s
        while True:
            async with self._db.read() as uow:
                head = await tokens.head_seq(uow)
                entries = await tokens.entries_after(uow, after if after <= head else 0) if after != head else []
            if entries:
                head = max(head, int(entries[-1]["seq"]))
            self.advance(head)
            left = end - self._clock.monotonic()
            if entries or left <= 0:
                return {"seq": head, "now": self._clock.now_us(), "entries": entries}
            await self._wait_beyond(head, left)

    async def _wait_beyond(self, seq: int, timeout_s: float) -> None:
        news = self._news
        if self.head > seq:
            return
        self._waiting += 1
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll(), name="identity: look for revocations")
        waiter = asyncio.ensure_future(news.wait())
        timer = asyncio.ensure_future(self._clock.sleep(timeout_s))
        try:
            await asyncio.wait({waiter, timer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._waiting -= 1
            waiter.cancel()
            timer.cancel()

    async def _poll(self) -> None:
        while self._waiting:
            await self._clock.sleep(self._poll_s)
            try:
                async with self._db.read() as uow:
                    self.advance(await tokens.head_seq(uow))
            except Exception as error:  # noqa: BLE001 - the next look may succeed
                log.warning("revocation_poll_failed", error=repr(error))

    async def close(self) -> None:
        """Stop looking."""
        if self._poller is not None:
            self._poller.cancel()
            await asyncio.gather(self._poller, return_exceptions=True)


class OwnVerifier(LocalVerifier):
    """As every service's verifier, but never behind what this process itself has committed."""

    def __init__(self, feed: Feed, *, clock: Clock, max_age_s: float) -> None:
        self.revocations = RevocationLog(feed, clock=clock, wait_s=min(20.0, max_age_s / 3))
        super().__init__(feed, self.revocations, clock=clock, max_age_s=max_age_s)
        self._feed = feed

    @property
    def seq(self) -> int:
        """How far the log has been applied."""
        return self.revocations.seq

    async def verify(self, token: str) -> Claims:
        """See `TokenVerifier.verify`."""
        if self._feed.head > self.revocations.seq:
            await self.revocations.sync()
        return await super().verify(token)

    async def verify_expired(self, token: str, *, window_s: float) -> Claims:
        """As `verify`, but a token that ended within the window still passes: services finish long jobs with it."""
        if self._feed.head > self.revocations.seq or self._log.age_s() > self._max_age_s:
            await self.revocations.sync()
        claims = await self._verify_signature(token)
        if self._log.revoked(claims) or claims.expires_at + int(window_s * MICROS) <= self._clock.now_us():
            raise Unauthorized(UNAUTHORIZED)
        return claims
