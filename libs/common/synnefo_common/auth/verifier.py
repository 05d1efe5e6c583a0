"""Verify a token inside the service: signature, expiry, revocation; a repeat is a dictionary look-up."""

from __future__ import annotations

from collections import OrderedDict
from typing import Protocol

from synnefo_common.auth.claims import Claims
from synnefo_common.auth.keys import KeySource, VerifyKeys
from synnefo_common.auth.revocation import RevocationLog
from synnefo_common.clock import Clock
from synnefo_common.errors import Unauthorized, Unavailable

_MESSAGE = "The request you have made requires authentication."


class TokenVerifier(Protocol):
    """What the auth dependency asks."""

    async def verify(self, token: str) -> Claims:
        """Raises Unauthorized, or Unavailable when the revocation log is too old to tell."""
        ...

    async def follow(self) -> None:
        """Keep up with identity; runs as long as the service."""
        ...


class LocalVerifier:
    """Keys and revocation log kept in this process."""

    def __init__(
        self, keys: KeySource, revocations: RevocationLog, *, clock: Clock, max_age_s: float = 60.0, cache_size: int = 10_000
    ) -> None:
        self._keys = VerifyKeys(keys)
        self._log = revocations
        self._clock = clock
        self._max_age_s = max_age_s
        self._cache_size = cache_size
        self._cache: OrderedDict[str, tuple[int, Claims]] = OrderedDict()  # token → (log sequence when checked, claims)

    async def verify(self, token: str) -> Claims:
        """See `TokenVerifier.verify`. Costs 0.1 ms for a new token, a look-up for a known one."""
        if self._log.age_s() > self._max_age_s:
            await self._catch_up()
        cached = self._cache.get(token)
        if cached is not None and cached[0] == self._log.seq:
            claims = cached[1]
        else:
            claims = cached[1] if cached is not None else await self._verify_signature(token)
            if self._log.revoked(claims):
                self._cache.pop(token, None)
                raise Unauthorized(_MESSAGE)
            self._cache[token] = (self._log.seq, claims)
            self._cache.move_to_end(token)
            if len(self._cache) > self._cache_size:
                self._cache.popitem(last=False)
        if claims.expires_at <= self._clock.now_us():
            self._cache.pop(token, None)
            raise Unauthorized(_MESSAGE)
        return claims

    async def _verify_signature(self, token: str) -> Claims:
        try:
            return await self._keys.verify(token)
        except Unauthorized:
            raise
        except Exception as error:
            raise Unavailable("The identity service cannot be reached to verify the token; try again.") from error

    async def _catch_up(self) -> None:
        try:
            await self._log.sync()
        except Exception as error:
            raise Unavailable(
                "Tokens cannot be verified: the identity service has not answered for a minute; try again.", retry_after_s=5
            ) from error

    async def follow(self) -> None:
        await self._log.follow()

    def ready(self) -> bool:
        """True when the revocation log is fresh."""
        return self._log.age_s() <= self._max_age_s
