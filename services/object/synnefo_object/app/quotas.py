"""What may be added: container and account quotas, and the project's limit of `object.bytes` in the ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import orjson

from synnefo_common.db import UnitOfWork
from synnefo_common.errors import Fault, QuotaExceeded
from synnefo_object.app.access import Caller
from synnefo_object.app.services import Services
from synnefo_object.app.versions import Keeping, keeping
from synnefo_object.db import accounts, containers
from synnefo_object.domain.errors import SwiftFault
from synnefo_object.domain.limits import MAX_FILE_SIZE, RESOURCE
from synnefo_object.domain.metadata import ACCOUNT_QUOTAS, OLD_QUOTA, PAYER, policy_quotas
from synnefo_object.domain.paths import Target


def _figure(headers: Mapping[str, str], *names: str) -> int | None:
    """The least of the quotas of these names; None if there is none."""
    values = [headers.get(name, "") for name in names]
    return min((int(value) for value in values if value.isascii() and value.isdigit()), default=None)


def _account_figures(headers: Mapping[str, str]) -> tuple[int | None, int | None]:
    size, count = ACCOUNT_QUOTAS
    return _figure(headers, size if size in headers else OLD_QUOTA), _figure(headers, count)


def _policy_figures(svc: Services, headers: Mapping[str, str], pool: str) -> tuple[int | None, int | None]:
    policy = svc.stores.policies.by_pool(pool)
    if policy is None:
        return None, None
    names = [policy_quotas(replace(policy, name=name)) for name in policy.names]
    return _figure(headers, *(size for size, _ in names)), _figure(headers, *(count for _, count in names))


async def _held(svc: Services, uow: UnitOfWork, level: str, target: Target, place: Any) -> Any:
    """What there is: objects and bytes of the container, the account, or the account's containers of this policy."""
    if level == "container":
        return await containers.totals(uow, target.project_id or "", target.container)
    if level == "account" or len(svc.stores.policies.all) == 1:
        return await accounts.totals(uow, target.project_id or "")
    policy = svc.stores.policies.by_pool(place.policy)
    parts = [part for part in await containers.totals_by_policy(uow, place.account_id) if svc.stores.policies.by_pool(part.policy) is policy]
    return _Held(sum(int(part.objects) for part in parts), sum(int(part.bytes) for part in parts))


@dataclass(frozen=True, slots=True)
class _Held:
    objects: int
    bytes: int


async def room(svc: Services, caller: Caller, target: Target, place: Any, *, replaced: int | None, most: int = MAX_FILE_SIZE) -> int:
    """How many bytes a new object may have, up to `most`. `place` is the row of `objects.find`.

    Raises 413 if not even an empty one may be.
    """
    if replaced is not None and (place.versioned or keeping(place.container_headers) is Keeping.ENABLED):
        replaced = 0  # it stays, as a version
    container, account = orjson.loads(place.container_headers), orjson.loads(place.account_headers)
    limits = [
        ("container", _figure(container, "x-container-meta-quota-bytes"), _figure(container, "x-container-meta-quota-count")),
        ("account", *_account_figures(account if not caller.is_reseller else {})),
        ("policy", *_policy_figures(svc, account if not caller.is_reseller else {}, place.policy)),
    ]
    if all(bytes_ is None and count is None for _, bytes_, count in limits):
        return most
    async with svc.db.read() as uow:
        for level, bytes_limit, count_limit in limits:
            if bytes_limit is None and count_limit is None:
                continue
            held = await _held(svc, uow, level, target, place)
            if held is None:
                continue
            if count_limit is not None and replaced is None and held.objects + 1 > count_limit:
                raise SwiftFault(413, "Upload exceeds quota.")
            if bytes_limit is not None:
                most = min(most, bytes_limit - held.bytes + (replaced or 0))
    if most < 0:
        raise SwiftFault(413, "Upload exceeds quota.")
    return most


async def limit(svc: Services, project_id: str) -> int:
    """The ledger's limit, remembered for some seconds. While it cannot be asked, the last one known, or none."""
    known = svc.limits.get(project_id)
    now = svc.clock.monotonic()
    if known is not None and now - known[0] < svc.settings.quota_cache_s:
        return known[1]
    try:
        holding = (await svc.quota.holdings(project_id, prefix=RESOURCE)).get(RESOURCE)
        limit = holding.limit if holding is not None else -1
    except QuotaExceeded:
        raise
    except Fault:
        limit = known[1] if known is not None else -1
    if len(svc.limits) > 10_000:
        svc.limits.clear()
    svc.limits[project_id] = (now, limit)
    return limit


def payer(target: Target, place: Any) -> str:
    """The project that pays for what a container holds. `place` is the row of `objects.find`."""
    own = target.project_id or ""
    return str(orjson.loads(place.container_headers)[PAYER]) if PAYER in place.container_headers else own


class Reservation:
    """Bytes reserved in the ledger, or nothing if the project has no limit."""

    def __init__(self, svc: Services, commission: Any, count: int) -> None:
        self._svc = svc
        self._commission = commission
        self._count = count

    async def accept(self, uow: UnitOfWork) -> None:
        """In the transaction that makes the object: the ledger counts these bytes, so the report need not.

        They are the paying project's, whichever account they are in.
        """
        if self._commission is not None:
            self._svc.quota.accept(uow, self._commission)
            await accounts.add_reported_of(uow, self._commission.project_id, self._count)


@asynccontextmanager
async def reserve(svc: Services, caller: Caller, project_id: str, count: int) -> AsyncIterator[Reservation]:
    """Reserve `count` bytes if the project has a limit. Raises QuotaExceeded. Given back when the block raises."""
    most = await limit(svc, project_id) if count > 0 else -1
    if most < 0:
        yield Reservation(svc, None, 0)
        return
    user_id = caller.claims.user_id if caller.claims else "*"
    part = await svc.slices.draw(project_id, user_id, count, limit=most)
    if part is not None:
        is_used = False
        try:
            yield Reservation(svc, None, 0)
            is_used = True
        finally:
            await svc.slices.give_back(part, count, is_used=is_used)
        return
    async with svc.quota.reserved(project_id=project_id, user_id=user_id, provisions={RESOURCE: count}) as commission:
        yield Reservation(svc, commission, count)
