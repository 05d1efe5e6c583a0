"""The revocation log, followed from identity: predicates over claims with an issued-before time."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Protocol

from synnefo_common.auth.claims import Claims
from synnefo_common.clock import Clock
from synnefo_common.log import get_logger

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Revocation:
    """Tokens that match every given field and were issued at or before `issued_before` (µs) are void."""

    seq: int
    issued_before: int
    user_id: str | None = None
    project_id: str | None = None
    domain_id: str | None = None
    role_id: str | None = None
    audit_id: str | None = None
    audit_chain_id: str | None = None
    credential_id: str | None = None
    trust_id: str | None = None
    system: bool | None = None

    @property
    def index_key(self) -> tuple[str, str]:
        """The most selective field, under which the log files this entry."""
        for name in ("audit_id", "audit_chain_id", "credential_id", "trust_id", "user_id", "project_id", "role_id", "domain_id"):
            value = getattr(self, name)
            if value is not None:
                return name, value
        return "system", str(self.system)

    def matches(self, claims: Claims) -> bool:
        """True if the claims fall under this entry."""
        return (
            claims.issued_at <= self.issued_before
            and (self.user_id is None or self.user_id == claims.user_id)
            and (self.project_id is None or self.project_id == claims.project_id)
            and (
                self.domain_id is None
                or self.domain_id in (claims.domain_id, claims.user_domain_id, claims.project_domain_id)
            )
            and (self.role_id is None or any(role[0] == self.role_id for role in claims.roles))
            and (self.audit_id is None or claims.audit_ids[0] == self.audit_id)
            and (self.audit_chain_id is None or claims.audit_ids[-1] == self.audit_chain_id)
            and (self.credential_id is None or self.credential_id == claims.credential_id)
            and (self.trust_id is None or self.trust_id == claims.trust_id)
            and (self.system is None or self.system == claims.system)
        )


class RevocationSource(Protocol):
    """Where the log comes from."""

    async def fetch_revocations(self, after: int, wait_s: float) -> dict[str, Any]:
        """`{"seq": last, "entries": [{…}]}`: entries after `after`, waiting up to `wait_s` for the first."""
        ...


class RevocationLog:
    """This process's copy of the log."""

    def __init__(self, source: RevocationSource, *, clock: Clock, wait_s: float = 20.0) -> None:
        self._source = source
        self._clock = clock
        self._wait_s = wait_s
        self._index: dict[tuple[str, str], list[Revocation]] = defaultdict(list)
        self.seq = -1
        self.synced_at: float | None = None

    def age_s(self) -> float:
        """Seconds since identity last answered; infinite before the first answer."""
        return float("inf") if self.synced_at is None else self._clock.monotonic() - self.synced_at

    def add(self, entry: Revocation) -> None:
        """File an entry."""
        self._index[entry.index_key].append(entry)

    async def sync(self, *, wait_s: float = 0.0) -> None:
        """Ask once and apply. Raises what the source raises."""
        answer = await self._source.fetch_revocations(max(self.seq, 0), wait_s)
        for raw in answer["entries"]:
            self.add(Revocation(**{k: v for k, v in raw.items() if k in Revocation.__slots__}))
        self.seq = max(int(answer["seq"]), 0)
        self.synced_at = self._clock.monotonic()

    async def follow(self) -> None:
        """Long poll for ever; failures are retried after half a second."""
        while True:
            try:
                await self.sync(wait_s=self._wait_s if self.seq >= 0 else 0)
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever went wrong, the log's age tells the callers
                log.warning("revocation_log_unreachable", error=str(error), age_s=round(min(self.age_s(), 1e9), 1))
                await self._clock.sleep(0.5)

    def revoked(self, claims: Claims) -> bool:
        """True if an entry matches."""
        if not self._index:
            return False
        keys: list[tuple[str, str]] = [
            ("audit_id", claims.audit_ids[0]), ("audit_chain_id", claims.audit_ids[-1]),
            ("user_id", claims.user_id), ("domain_id", claims.user_domain_id), ("system", str(claims.system)),
        ]  # fmt: skip
        if claims.project_id:
            keys.append(("project_id", claims.project_id))
        if claims.project_domain_id:
            keys.append(("domain_id", claims.project_domain_id))
        if claims.domain_id:
            keys.append(("domain_id", claims.domain_id))
        if claims.credential_id:
            keys.append(("credential_id", claims.credential_id))
        if claims.trust_id:
            keys.append(("trust_id", claims.trust_id))
        keys.extend(("role_id", role[0]) for role in claims.roles)
        return any(entry.matches(claims) for key in keys for entry in self._index.get(key, ()))
