"""The quota ledger as its users see it: reserve over HTTP, accept, reject and release as events of the own transaction.

The ledger itself is identity's. A commission that its issuer never decided runs out: identity asks `commission_state`.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from sqlalchemy import delete, select

from synnefo_common.clock import MICROS, Clock, SystemClock
from synnefo_common.contracts.envelope import Event
from synnefo_common.crashpoint import CrashInjected
from synnefo_common.db import Database, UnitOfWork, upsert_ignore
from synnefo_common.db.tables import quota_commissions_seen as seen
from synnefo_common.errors import Conflict, QuotaExceeded
from synnefo_common.ids import IdSource, RandomIds
from synnefo_common.saga import store as saga_store

UNLIMITED = -1
Provisions = Mapping[str, int]


class Peer(Protocol):
    """The part of `http.ServiceClient` that is used here."""

    async def get(self, path: str, *, timeout_s: float = ...) -> Any: ...
    async def post(self, path: str, json: Any = ..., *, key: str | None = ..., timeout_s: float = ...) -> Any: ...
    async def put(self, path: str, json: Any = ..., *, key: str | None = ..., timeout_s: float = ...) -> Any: ...
    async def delete(self, path: str, *, key: str | None = ..., timeout_s: float = ...) -> Any: ...


class Owner(Protocol):
    """Whom the usage is counted for; `web.Context` is one."""

    @property
    def project_id(self) -> str | None: ...
    @property
    def user_id(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Commission:
    """A reservation: counted against the limits until accepted (it is usage then) or rejected. No id: of nothing."""

    id: str
    project_id: str
    user_id: str
    provisions: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Holding:
    """One resource of one project. `limit` -1 is unlimited."""

    limit: int
    used: int
    reserved: int


class QuotaClient:
    """One service's way to the ledger. `db` is needed by `reserved` only."""

    def __init__(
        self,
        identity: Peer | None,
        *,
        issuer: str,
        clock: Clock | None = None,
        ids: IdSource | None = None,
        db: Database | None = None,
    ) -> None:
        self._identity = identity
        self.issuer = issuer
        self.clock = clock or SystemClock()
        self.ids = ids or RandomIds()
        self.db = db

    async def reserve(
        self,
        owner: Owner | tuple[str, str],
        provisions: Provisions,
        *,
        key: str | None = None,
        lease_s: int = 300,
        request_id: str | None = None,
        timeout_s: float = 30.0,
    ) -> Commission:
        """Issue a commission: one HTTP call, none if nothing is wanted. `owner`: a context or (project id, user id).

        Raises QuotaExceeded, Unavailable. `key` makes a repeat return the same commission.
        """
        del request_id  # the HTTP client sends it by itself
        project_id, user_id = _owner(owner)
        wanted = {resource: amount for resource, amount in provisions.items() if amount}
        if not wanted:
            return Commission("", project_id, user_id, {})
        return await self._issue(
            Commission("", project_id, user_id, wanted),
            key=key or self.ids.uuid(),
            lease_s=lease_s,
            timeout_s=timeout_s,
        )

    async def _issue(self, wanted: Commission, *, key: str, lease_s: int, timeout_s: float) -> Commission:
        assert self._identity is not None
        body = {
            "issuer": self.issuer,
            "project_id": wanted.project_id,
            "user_id": wanted.user_id,
            "provisions": dict(wanted.provisions),
            "lease_s": lease_s,
        }
        answer = await self._identity.post("/internal/v1/commissions", body, key=key, timeout_s=timeout_s)
        return Commission(answer["id"], wanted.project_id, wanted.user_id, wanted.provisions)

    def accept(self, uow: UnitOfWork, commission: Commission | str) -> None:
        """Make the reservation usage, with this transaction. The commit raises Conflict if it ran out before."""
        self._decide(uow, commission, "accepted")

    def reject(self, uow: UnitOfWork, commission: Commission | str) -> None:
        """Give the reservation back, with this transaction. May be repeated; Conflict at commit if it was accepted."""
        self._decide(uow, commission, "rejected")

    def _decide(self, uow: UnitOfWork, commission: Commission | str, state: str) -> None:
        commission_id = commission if isinstance(commission, str) else commission.id
        if commission_id:
            data = {"commission_id": commission_id}
            uow.emit(Event(f"quota.commission.{state}", "quota_commission", commission_id, data))

    def release(self, uow: UnitOfWork, *, project_id: str, user_id: str, provisions: Provisions) -> None:
        """Usage goes down by `provisions`, once, with this transaction."""
        freed = {resource: amount for resource, amount in provisions.items() if amount}
        if freed:
            data = {"project_id": project_id, "user_id": user_id, "provisions": freed}
            # Releases commute: each is an aggregate of its own, so none waits for another on the way.
            uow.emit(Event("quota.released", "quota_release", uow.db.ids.uuid(), data))

    @contextlib.asynccontextmanager
    async def reserved(
        self, *, project_id: str, user_id: str, provisions: Provisions, key: str | None = None, lease_s: int = 300
    ) -> AsyncIterator[Commission]:
        """Reserve for a block that accepts within; if the block raises, what it did not accept is rejected."""
        commission = await self.reserve((project_id, user_id), provisions, key=key, lease_s=lease_s)
        try:
            yield commission
        except CrashInjected:
            raise
        except BaseException:
            if self.db is not None and commission.id:
                with contextlib.suppress(Conflict):  # accepted before the block failed
                    async with self.db.begin() as uow:
                        self.reject(uow, commission)
            raise

    async def holdings(self, project_id: str, *, prefix: str = "", user_id: str | None = None) -> dict[str, Holding]:
        """Limit, usage and reservations by resource."""
        assert self._identity is not None
        query = {"project_id": project_id, "prefix": prefix} | ({"user_id": user_id} if user_id else {})
        answer = await self._identity.get(f"/internal/v1/holdings?{urlencode(query)}")
        return {name: Holding(h["limit"], h["used"], h["reserved"]) for name, h in answer["holdings"].items()}

    async def set_limits(self, project_id: str, limits: Provisions) -> None:
        """Set a project's limits; others stay."""
        assert self._identity is not None
        body = {"limits": dict(limits)}
        await self._identity.put(f"/internal/v1/limits/{quote(project_id, safe='')}", body, key=self.ids.uuid())

    async def reset_limits(self, project_id: str, *, prefix: str = "") -> None:
        """Back to the defaults."""
        assert self._identity is not None
        path = f"/internal/v1/limits/{quote(project_id, safe='')}?{urlencode({'prefix': prefix})}"
        await self._identity.delete(path, key=self.ids.uuid())

    async def default_limits(self) -> dict[str, int]:
        """The limits of projects without their own."""
        assert self._identity is not None
        answer = await self._identity.get("/internal/v1/limits/defaults")
        return dict(answer["limits"])

    async def set_default_limits(self, limits: Provisions) -> None:
        """Change defaults; others stay."""
        assert self._identity is not None
        await self._identity.put("/internal/v1/limits/defaults", {"limits": dict(limits)}, key=self.ids.uuid())


async def commission_state(db: Database, commission_id: str) -> str:
    """What `GET /internal/v1/commissions/{id}` answers: accepted, rejected, pending or unknown.

    `pending`: a live saga has it. `unknown`: nobody has, and from now on nobody here can accept it any more, so
    identity may give the reservation back: a request that slept through its lease fails at its commit.
    """

    async def ask(uow: UnitOfWork) -> str:
        # First of all the row, so that a transaction that accepts now waits for us or we for it.
        row = {"commission_id": commission_id, "state": "fenced", "decided_at": uow.db.clock.now_us()}
        is_new = await uow.run(upsert_ignore(uow.dialect, seen, row)) == 1
        if not is_new:
            state = await uow.scalar(select(seen.c.state).where(seen.c.commission_id == commission_id))
            return "unknown" if state == "fenced" else str(state)
        if await saga_store.mentions(uow, commission_id):
            await uow.run(delete(seen).where(seen.c.commission_id == commission_id))
            return "pending"
        return "unknown"

    return await db.run(ask)


async def prune(uow: UnitOfWork, *, older_than_s: float = 7 * 24 * 3600) -> int:
    """Forget commissions decided long ago; how many."""
    return await uow.run(delete(seen).where(seen.c.decided_at < uow.db.clock.now_us() - int(older_than_s * MICROS)))


class FakeQuota(QuotaClient):
    """A ledger in memory, for tests of one service. Unlimited until `limits[resource]` is set. Emits the events too.

    `used` and `reserved` count by resource over all projects; limits hold for each project.
    """

    def __init__(self, *, clock: Clock | None = None, ids: IdSource | None = None, db: Database | None = None) -> None:
        super().__init__(None, issuer="test", clock=clock, ids=ids, db=db)
        self.limits: dict[str, int] = {}
        self.project_limits: dict[str, dict[str, int]] = {}
        self.used_by: dict[str, Counter[str]] = {}
        self.pending: dict[str, Commission] = {}
        self.accepted: dict[str, Commission] = {}
        self._by_key: dict[str, Commission] = {}

    @property
    def used(self) -> Counter[str]:
        """Usage by resource."""
        total: Counter[str] = Counter()
        for counts in self.used_by.values():
            total.update(counts)
        return total

    @property
    def reserved_amounts(self) -> Counter[str]:
        """Reservations by resource."""
        total: Counter[str] = Counter()
        for commission in self.pending.values():
            total.update(commission.provisions)
        return total

    async def _issue(self, wanted: Commission, *, key: str, lease_s: int, timeout_s: float) -> Commission:
        if key in self._by_key:
            return self._by_key[key]
        for resource, amount in wanted.provisions.items():
            holding = self._holding(wanted.project_id, resource)
            if amount > 0 and holding.limit != UNLIMITED and holding.used + holding.reserved + amount > holding.limit:
                raise QuotaExceeded(
                    resource=resource, limit=holding.limit, used=holding.used + holding.reserved, requested=amount
                )
        commission = Commission(self.ids.uuid(), wanted.project_id, wanted.user_id, wanted.provisions)
        self.pending[commission.id] = self._by_key[key] = commission
        return commission

    def accept(self, uow: UnitOfWork, commission: Commission | str) -> None:
        super().accept(uow, commission)
        uow.after_commit(lambda: self._accepted(_id(commission)))

    def reject(self, uow: UnitOfWork, commission: Commission | str) -> None:
        super().reject(uow, commission)
        uow.after_commit(lambda: self.pending.pop(_id(commission), None))

    def release(self, uow: UnitOfWork, *, project_id: str, user_id: str, provisions: Provisions) -> None:
        super().release(uow, project_id=project_id, user_id=user_id, provisions=provisions)
        uow.after_commit(lambda: self._counts(project_id).subtract(provisions))

    @contextlib.asynccontextmanager
    async def reserved(
        self, *, project_id: str, user_id: str, provisions: Provisions, key: str | None = None, lease_s: int = 300
    ) -> AsyncIterator[Commission]:
        commission: Commission | None = None
        try:
            async with super().reserved(
                project_id=project_id, user_id=user_id, provisions=provisions, key=key, lease_s=lease_s
            ) as commission:
                yield commission
        except BaseException:
            if commission is not None:
                self.pending.pop(commission.id, None)
            raise

    async def holdings(self, project_id: str, *, prefix: str = "", user_id: str | None = None) -> dict[str, Holding]:
        names = {*self.limits, *self.project_limits.get(project_id, {}), *self._counts(project_id)}
        return {name: self._holding(project_id, name) for name in sorted(names) if name.startswith(prefix)}

    async def set_limits(self, project_id: str, limits: Provisions) -> None:
        self.project_limits.setdefault(project_id, {}).update(limits)

    async def reset_limits(self, project_id: str, *, prefix: str = "") -> None:
        own = self.project_limits.get(project_id, {})
        self.project_limits[project_id] = {name: n for name, n in own.items() if not name.startswith(prefix)}

    async def default_limits(self) -> dict[str, int]:
        return dict(self.limits)

    async def set_default_limits(self, limits: Provisions) -> None:
        self.limits.update(limits)

    def _counts(self, project_id: str) -> Counter[str]:
        return self.used_by.setdefault(project_id, Counter())

    def _accepted(self, commission_id: str) -> None:
        commission = self.pending.pop(commission_id, None)
        if commission is not None:
            self.accepted[commission_id] = commission
            self._counts(commission.project_id).update(commission.provisions)

    def _holding(self, project_id: str, resource: str) -> Holding:
        limit = self.project_limits.get(project_id, {}).get(resource, self.limits.get(resource, UNLIMITED))
        reserved = sum(c.provisions.get(resource, 0) for c in self.pending.values() if c.project_id == project_id)
        return Holding(limit, self._counts(project_id)[resource], reserved)


def _id(commission: Commission | str) -> str:
    return commission if isinstance(commission, str) else commission.id


def _owner(owner: Owner | tuple[str, str]) -> tuple[str, str]:
    if isinstance(owner, tuple):
        return owner
    if owner.project_id is None:
        raise ValueError("quota is counted for projects: this context has none")
    return owner.project_id, owner.user_id
