"""The quota ledger: commissions in two phases, releases, limits.

A holding is (project or user, resource) with what is used and what is pending. Issuing locks the holdings it needs,
in the order of their keys, for one short transaction; nothing else is locked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from synnefo_common.clock import MICROS
from synnefo_common.db import UnitOfWork
from synnefo_common.errors import NotFound, QuotaExceeded, Unprocessable
from synnefo_common.log import get_logger
from synnefo_identity.app.services import Services
from synnefo_identity.db import base, quota
from synnefo_identity.db.catalog import services
from synnefo_identity.db.quota import Balance, Key
from synnefo_identity.domain.errors import Invalid
from synnefo_identity.domain.quota import PREFIXES, UNLIMITED, holder

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """What a service asks for."""

    issuer: str
    project_id: str
    user_id: str
    provisions: Mapping[str, int]
    lease_s: float


def _quantities(provisions: Mapping[str, int], *, project_id: str, user_id: str) -> dict[Key, int]:
    return {(*holder(resource, project_id=project_id, user_id=user_id), resource): n for resource, n in provisions.items()}


async def issue(svc: Services, request: Request, *, key: str | None) -> str:
    """A commission's id: all of it is held or nothing. The same key gives the same one.

    Raises QuotaExceeded, or Unprocessable for a key that was used for something else.
    """
    lease_s = min(request.lease_s, svc.settings.commission_max_lease_s)
    now = svc.clock.now_us()
    commission_id = svc.ids.hex()
    row = {
        "id": commission_id,
        "issuer": request.issuer,
        "key": _short(key) if key else commission_id,
        "project_id": request.project_id,
        "user_id": request.user_id,
        "provisions": dict(request.provisions),
        "state": "pending",
        "expires_at": now + int(lease_s * MICROS),
        "created_at": now,
    }

    async def work(uow: UnitOfWork) -> str:
        if not await quota.add_commission(uow, row):
            return await _earlier(uow, row)
        wanted = _quantities(request.provisions, project_id=request.project_id, user_id=request.user_id)
        wanted = {k: n for k, n in wanted.items() if n > 0}  # what is to become less is given back when accepted, not before
        if wanted:
            await _hold(uow, wanted, project_id=request.project_id)
        return commission_id

    return await svc.db.run(work)


def _short(key: str) -> str:
    return key if len(key) <= 255 else "sha256:" + hashlib.sha256(key.encode()).hexdigest()


async def _earlier(uow: UnitOfWork, row: Mapping[str, Any]) -> str:
    found = await quota.by_key(uow, issuer=row["issuer"], key=row["key"])
    if found is None:
        raise Unprocessable("The commission made with this idempotency key is gone; use another key.")
    if any(getattr(found, name) != row[name] for name in ("project_id", "user_id", "provisions")):
        raise Unprocessable("This idempotency key was used for another commission.")
    return str(found.id)


async def _hold(uow: UnitOfWork, wanted: Mapping[Key, int], *, project_id: str) -> None:
    held = await quota.lock(uow, wanted.keys(), project_id=project_id)
    fresh = wanted.keys() - held.keys()
    if fresh:
        await quota.open_holdings(uow, fresh)
        held = await quota.lock(uow, wanted.keys(), project_id=project_id)
    for key in sorted(wanted):
        balance, n = held[key], wanted[key]
        if balance.limit != UNLIMITED and balance.used + balance.pending + n > balance.limit:
            raise QuotaExceeded(resource=key[2], limit=balance.limit, used=balance.used + balance.pending, requested=n)
    await quota.hold(uow, wanted)


async def find(svc: Services, commission_id: str) -> Row[Any]:
    """A commission. Raises NotFound."""
    async with svc.db.read() as uow:
        row = await base.get(uow, quota.commissions, commission_id)
    if row is None:
        raise NotFound(f"There is no commission {commission_id}.")
    return row


async def settle(uow: UnitOfWork, *, accepted: Collection[str] = (), rejected: Collection[str] = ()) -> int:
    """Decide commissions, leaving those already decided alone; the number that were pending."""
    taken = await quota.decide(uow, accepted, "accepted")
    dropped = await quota.decide(uow, rejected, "rejected")
    changes: dict[Key, tuple[int, int]] = {}
    for row in (*taken, *dropped):
        for key, n in _quantities(row.provisions, project_id=row.project_id, user_id=row.user_id).items():
            used, pending = changes.get(key, (0, 0))
            changes[key] = (used + (n if row.state == "accepted" else 0), pending - max(n, 0))
    await quota.move(uow, changes)
    return len(taken) + len(dropped)


async def release(uow: UnitOfWork, released: Iterable[tuple[str, str, Mapping[str, int]]]) -> None:
    """Use goes down: (project, user, provisions) each."""
    changes: dict[Key, tuple[int, int]] = {}
    for project_id, user_id, provisions in released:
        for key, n in _quantities(provisions, project_id=project_id, user_id=user_id).items():
            changes[key] = (changes.get(key, (0, 0))[0] - n, 0)
    await quota.move(uow, changes)


async def adjust(uow: UnitOfWork, adjusted: Iterable[tuple[str, str, Mapping[str, int]]]) -> None:
    """Use goes up or down by what its owner counted: (project, user, provisions) each. Nobody need have reserved any of it before."""
    changes: dict[Key, tuple[int, int]] = {}
    for project_id, user_id, provisions in adjusted:
        for key, n in _quantities(provisions, project_id=project_id, user_id=user_id).items():
            changes[key] = (changes.get(key, (0, 0))[0] + n, 0)
    if changes:
        await quota.open_holdings(uow, changes)
        await quota.move(uow, changes)


async def balances(svc: Services, *, project_id: str, user_id: str | None, prefix: str) -> dict[str, Balance]:
    """Limit, use and reservations of a project."""
    async with svc.db.read() as uow:
        return await quota.balances(uow, project_id=project_id, user_id=user_id, prefix=prefix)


async def default_limits(svc: Services, *, prefix: str = "") -> dict[str, int]:
    """The defaults."""
    async with svc.db.read() as uow:
        return await quota.limits_of(uow, None, prefix=prefix)


async def set_limits(svc: Services, project_id: str, values: Mapping[str, int]) -> None:
    """Set limits of a project; they may be below what is used. Raises Invalid for a resource that nobody registered."""
    async with svc.db.begin() as uow:
        known = await quota.limits_of(uow, None)
        _check_known(values, known)
        t = quota.limits
        await base.delete(uow, t, (t.c.project_id == project_id) & t.c.resource.in_(sorted(values)))
        rows = [
            {
                "id": svc.ids.hex(),
                "project_id": project_id,
                "resource": resource,
                "is_domain": 0,
                "resource_limit": n,
                "description": None,
            }
            for resource, n in sorted(values.items())
        ]
        if rows:
            await uow.run(t.insert(), rows)


async def reset_limits(svc: Services, project_id: str, *, prefix: str) -> None:
    """Back to the defaults."""
    t = quota.limits
    async with svc.db.begin() as uow:
        await base.delete(uow, t, (t.c.project_id == project_id) & t.c.resource.startswith(prefix, autoescape=True))


async def set_default_limits(svc: Services, values: Mapping[str, int]) -> None:
    """Change defaults. A new resource is registered if its service is in the catalogue, else Invalid."""
    t = quota.registered_limits
    async with svc.db.begin() as uow:
        known = await quota.limits_of(uow, None)
        fresh = {resource: n for resource, n in values.items() if resource not in known}
        if fresh:
            await register(svc, uow, fresh)
        for resource, n in sorted(values.items()):
            if known.get(resource, n) != n:
                await uow.run(t.update().where(t.c.resource == resource).values(default_limit=n))


async def register(svc: Services, uow: UnitOfWork, values: Mapping[str, int]) -> None:
    """Add resources with their default limits. Raises Invalid if no service of the catalogue has them."""
    by_prefix: dict[str, str] = {}
    for row in await uow.all(services.select().order_by(services.c.id)):
        by_prefix.setdefault(PREFIXES.get(row.type, row.type), row.id)
    rows = []
    for resource, n in sorted(values.items()):
        prefix, _, name = resource.partition(".")
        if prefix not in by_prefix or not name:
            raise Invalid(f"There is no resource {resource!r}.")
        rows.append(
            {
                "id": svc.ids.hex(),
                "resource": resource,
                "service_id": by_prefix[prefix],
                "region_id": None,
                "resource_name": name,
                "default_limit": n,
                "description": None,
            }
        )
    if rows:
        await uow.run(quota.registered_limits.insert(), rows)


def _check_known(values: Mapping[str, int], known: Mapping[str, int]) -> None:
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise Invalid(f"There is no resource {unknown[0]!r}.")


async def expire(svc: Services, *, limit: int = 100) -> int:
    """Ask the issuers about commissions whose lease is over and settle them; the number settled.

    An issuer that does not answer is asked again next time; one that is still at work gets a new lease.
    """
    async with svc.db.read() as uow:
        rows = await quota.expired(uow, svc.clock.now_us(), limit=limit)
    settled = 0
    for row in rows:
        state = await _ask(svc, row)
        if state is None:
            continue
        async with svc.db.begin() as uow:
            if state == "pending":
                await quota.prolong(uow, row.id, svc.clock.now_us() + 60 * MICROS)
            else:
                accepted = state == "accepted"
                settled += await settle(uow, accepted=[row.id] if accepted else [], rejected=[] if accepted else [row.id])
                log.warning("commission_expired", commission_id=row.id, issuer=row.issuer, outcome=state)
    return settled


async def _ask(svc: Services, row: Row[Any]) -> str | None:
    """What the issuer did with a commission; None if it cannot be asked."""
    peer = svc.peers.get(row.issuer)
    if peer is None or row.issuer == svc.settings.section:
        return "unknown"
    try:
        found = await peer.get(f"/internal/v1/commissions/{row.id}", timeout_s=5)
        return str(found["state"])
    except NotFound:
        return "unknown"
    except Exception as error:  # noqa: BLE001 - an issuer that is down is asked again
        log.warning("commission_issuer_unreachable", commission_id=row.id, issuer=row.issuer, error=str(error))
        return None
