"""Keys that check S3 signatures, from identity. Remembered for some seconds; a credential's end is seen at once by its token."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from synnefo_common.clock import Clock
from synnefo_common.errors import Conflict, Fault
from synnefo_common.http import ServiceClient

_MOST = 10_000


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The key of one day, region and service, and a token of who holds the access key."""

    key: bytes
    token: str


class SigningKeys:
    """By access key and scope."""

    def __init__(self, identity: ServiceClient, *, clock: Clock, cache_s: float) -> None:
        self._identity = identity
        self._clock = clock
        self._cache_s = cache_s
        self._known: OrderedDict[tuple[str, str], tuple[float, SigningKey]] = OrderedDict()

    async def find(self, access: str, scope: str) -> SigningKey | None:
        """None if there is no such access key. Raises Unavailable."""
        now = self._clock.monotonic()
        known = self._known.get((access, scope))
        if known is not None and known[0] > now:
            return known[1]
        try:
            query = urlencode({"access": access, "scope": scope}, errors="surrogateescape")
            answer = await self._identity.get(f"/internal/v1/signing-keys?{query}")
        except Fault as fault:
            if fault.http_status not in (400, 404):
                raise
            self._known.pop((access, scope), None)
            return None
        found = SigningKey(bytes.fromhex(answer["key"]), answer["token"])
        self._known[access, scope] = (now + self._cache_s, found)
        self._known.move_to_end((access, scope))
        if len(self._known) > _MOST:
            self._known.popitem(last=False)
        return found

    def forget(self, access: str, scope: str) -> None:
        """It is no longer good."""
        self._known.pop((access, scope), None)

    async def check(self, access: str, texts: Sequence[str], signature: str) -> str | None:
        """A token of who signed one of the texts with the secret itself (version 2); None if nobody did. Raises NotFound, Unavailable."""
        try:
            answer = await self._identity.post("/internal/v1/signatures", {"access": access, "texts": list(texts), "signature": signature})
        except Conflict:
            return None
        return str(answer["token"])
