"""What the use cases share: database, clock, ids, password hashing, the feed, and caches with an end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Generic, TypeVar

from cryptography.fernet import MultiFernet

from synnefo_common.auth import SigningKey
from synnefo_common.clock import Clock
from synnefo_common.db import Database, UnitOfWork
from synnefo_common.errors import Unavailable
from synnefo_common.http import ServiceClient
from synnefo_common.ids import IdSource
from synnefo_identity.app.bodies import TokenBodies
from synnefo_identity.app.encryption import load_cipher
from synnefo_identity.app.feed import Feed, OwnVerifier
from synnefo_identity.app.passwords import Passwords
from synnefo_identity.db import catalog, roles, tokens
from synnefo_identity.domain.catalog import CatalogService
from synnefo_identity.domain.roles import RoleGraph
from synnefo_identity.settings import Settings

T = TypeVar("T")


class Cached(Generic[T]):
    """A value of the database, kept until this process changes something or its time is over (others may change it)."""

    def __init__(self, load: Callable[[UnitOfWork], Awaitable[T]], svc: Services, *, ttl_s: float) -> None:
        self._load = load
        self._svc = svc
        self._ttl_s = ttl_s
        self._value: tuple[T, int, float] | None = None

    async def get(self) -> T:
        """The value, read again if it is old."""
        svc = self._svc
        now = svc.clock.monotonic()
        if self._value is not None and self._value[1] == svc.generation and self._value[2] > now:
            return self._value[0]
        generation = svc.generation
        async with svc.db.read() as uow:
            value = await self._load(uow)
        self._value = (value, generation, now + self._ttl_s)
        return value


class Services:
    """Made once by `main.build` and handed to every handler."""

    def __init__(
        self,
        *,
        settings: Settings,
        db: Database,
        clock: Clock,
        ids: IdSource,
        feed: Feed,
        own_verifier: OwnVerifier,
        peers: Mapping[str, ServiceClient],
    ) -> None:
        self.settings = settings
        self.db = db
        self.clock = clock
        self.ids = ids
        self.feed = feed
        self.own_verifier = own_verifier
        self.peers = peers
        self.base_url = settings.common.public_urls["identity"].rstrip("/") + "/v3"
        self.passwords = Passwords(time_cost=settings.hash_time_cost, memory_kib=settings.hash_memory_kib, threads=settings.hash_threads)
        self.generation = 0
        self.bodies = TokenBodies()
        self.role_graph: Cached[RoleGraph] = Cached(roles.graph, self, ttl_s=settings.cache_ttl_s)
        self.catalog: Cached[tuple[CatalogService, ...]] = Cached(catalog.enabled, self, ttl_s=settings.cache_ttl_s)
        self.cipher: Cached[MultiFernet] = Cached(partial(load_cipher, first=settings.credential_key), self, ttl_s=60.0)
        self.signing_key: Cached[SigningKey] = Cached(_newest_key, self, ttl_s=30.0)

    def changed(self, uow: UnitOfWork) -> None:
        """Names, roles or catalogue change with this transaction: what was cached is void."""
        uow.after_commit(self._bump)

    def _bump(self) -> None:
        self.generation += 1

    async def revoke(self, uow: UnitOfWork, *entries: Mapping[str, Any]) -> None:
        """Void all tokens issued up to now that match an entry. Must be the last statement of the transaction."""
        if not entries:
            return
        last = await tokens.append(uow, entries, issued_before=self.clock.now_us())
        uow.after_commit(lambda: self.feed.advance(last))
        self.changed(uow)


async def _newest_key(uow: UnitOfWork) -> SigningKey:
    for row in await tokens.keys(uow):
        if row.state == "active":
            return SigningKey(row.kid, row.private)
    raise Unavailable("The identity service has no signing key yet; try again.")
