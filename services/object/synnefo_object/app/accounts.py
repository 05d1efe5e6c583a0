"""Accounts: totals, metadata, the listing of containers. An account appears with the first thing that is kept in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from synnefo_common.db import UnitOfWork
from synnefo_object.app import listings
from synnefo_object.app.access import Caller
from synnefo_object.app.containers import policy_name
from synnefo_object.app.services import Services
from synnefo_object.db import accounts
from synnefo_object.db import containers as containers_table
from synnefo_object.db.containers import containers
from synnefo_object.domain import account_acl, metadata
from synnefo_object.domain.listing import Query
from synnefo_object.domain.paths import Target


@dataclass(frozen=True, slots=True)
class PolicyTotals:
    """An account's share of one policy."""

    name: str
    containers: int
    objects: int
    bytes: int


@dataclass(frozen=True, slots=True)
class AccountView:
    """What HEAD and GET tell."""

    created_us: int
    containers: int
    objects: int
    bytes: int
    headers: dict[str, str]
    policies: list[PolicyTotals]
    entries: list[tuple[str | None, Any]] | None = None


async def show(svc: Services, caller: Caller, target: Target, query: Query | None) -> AccountView:
    """Totals, and with a query the containers. An account that holds nothing yet looks like an empty one."""
    caller.require_reader(target)
    assert target.project_id is not None
    async with svc.db.read() as uow:
        row = await accounts.totals(uow, target.project_id)
        if row is None:
            return AccountView(svc.clock.now_us(), 0, 0, 0, {}, [], [] if query is not None else None)
        entries = await listings.fetch(uow, containers, row.id, query) if query is not None else None
        policies = await _policies(uow, svc, row)
    return AccountView(row.created_us, int(row.containers), int(row.objects), int(row.bytes), orjson.loads(row.headers), policies, entries)


async def _policies(uow: UnitOfWork, svc: Services, row: Any) -> list[PolicyTotals]:
    known = svc.stores.policies.all
    if len(known) == 1:  # the account's own counts say it
        return [PolicyTotals(known[0].name, int(row.containers), int(row.objects), int(row.bytes))] if row.containers else []
    found: dict[str, PolicyTotals] = {}
    for part in await containers_table.totals_by_policy(uow, row.id):
        name = policy_name(svc, part.policy)
        old = found.get(name, PolicyTotals(name, 0, 0, 0))
        found[name] = PolicyTotals(name, old.containers + part.containers, old.objects + int(part.objects), old.bytes + int(part.bytes))
    return sorted(found.values(), key=lambda totals: totals.name)


async def update(svc: Services, caller: Caller, target: Target, headers: Mapping[str, str]) -> None:
    """POST: merge the metadata."""
    caller.require_owner(target)
    assert target.project_id is not None
    given = metadata.user_metadata(headers, "account")
    removed = metadata.removals(headers, "account")
    if account_acl.HEADER in headers:
        given[account_acl.HEADER] = account_acl.clean(headers[account_acl.HEADER])
    given |= metadata.account_quotas(headers, removed, svc.stores.policies, is_reseller=caller.is_reseller)
    project_id = target.project_id

    async def work(uow: Any) -> None:
        await accounts.ensure(uow, project_id, now_us=svc.clock.now_us())
        row = await accounts.locked(uow, project_id)
        assert row is not None
        merged = metadata.merge(orjson.loads(row.headers), given, removed, "account")
        await accounts.set_headers(uow, row.id, orjson.dumps(merged).decode())

    await svc.db.run(work)
