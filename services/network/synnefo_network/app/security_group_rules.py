"""Use cases of security group rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from synnefo_common.db import UnitOfWork
from synnefo_common.web import Context
from synnefo_network.app.address_groups import KIND as ADDRESS_GROUP_KIND
from synnefo_network.app.groups import rule_rows
from synnefo_network.app.networks import charged
from synnefo_network.app.security_groups import RULE_QUOTA, view_rule
from synnefo_network.app.security_groups import load as load_group
from synnefo_network.app.services import Services, authorize, check_revision, new_owner, seen_by
from synnefo_network.app.sharing import load_shareable
from synnefo_network.db import security_groups as db
from synnefo_network.db.listing import list_rows
from synnefo_network.domain.errors import (
    SecurityGroupNotFound,
    SecurityGroupNotSingleGroupRules,
    SecurityGroupRuleExists,
    SecurityGroupRuleNotFound,
)
from synnefo_network.domain.listing import SECURITY_GROUP_RULES, ListQuery
from synnefo_network.domain.security_group import read_rule


async def list_rules(svc: Services, ctx: Context, query: ListQuery) -> list[dict[str, Any]]:
    """The project's rules and those of its groups."""
    where = [db.visible_rules(seen_by(ctx))]
    async with svc.db.read() as uow:
        rows = await list_rows(uow, SECURITY_GROUP_RULES, db.security_group_rules, query=query, where=where)
    if rows is None:
        raise SecurityGroupRuleNotFound(query.marker or "")
    return [view_rule(row) for row in rows]


async def show_rule(svc: Services, ctx: Context, rule_id: str) -> dict[str, Any]:
    """Raises SecurityGroupRuleNotFound."""
    async with svc.db.read() as uow:
        row = await db.get_rule(uow, rule_id, project_id=seen_by(ctx))
    if row is None:
        raise SecurityGroupRuleNotFound(rule_id)
    target = {"project_id": seen_by(ctx) or row.project_id}
    authorize(ctx, "get_security_group_rule", target, hidden=SecurityGroupRuleNotFound(rule_id))
    return view_rule(row)


async def create_rules(svc: Services, ctx: Context, bodies: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """All of them or none.

    Raises SecurityGroupNotFound, SecurityGroupRuleExists, QuotaExceeded and the faults of `read_rule`.
    """
    if len({b["security_group_id"] for b in bodies}) > 1:
        raise SecurityGroupNotSingleGroupRules("Only allowed to update rules for one security profile at a time.")
    group_id = bodies[0]["security_group_id"]
    owners = [new_owner(ctx, given) for given in bodies]
    rules = [read_rule(given) for given in bodies]
    rows = [
        row
        for owner, rule, given in zip(owners, rules, bodies, strict=True)
        for row in rule_rows(svc, group_id, owner, [rule], is_charged=True, descriptions=[given.get("description") or ""])
    ]

    async def work(uow: UnitOfWork, commissions: list[Any]) -> dict[str, Any]:
        group = await load_group(uow, ctx, group_id)
        authorize(ctx, "create_security_group_rule", {"project_id": group.project_id})
        remote = {r.remote_group_id for r in rules if r.remote_group_id}
        known = await db.get_groups(uow, remote, project_id=seen_by(ctx)) if remote else {}
        for missing in sorted(remote - known.keys()):
            raise SecurityGroupNotFound(missing)
        for address_group_id in sorted({r.remote_address_group_id for r in rules if r.remote_address_group_id}):
            await load_shareable(uow, ctx, ADDRESS_GROUP_KIND, address_group_id)
        await db.touch_group(uow, group_id)
        inserted = await db.insert_rules(uow, rows)
        for row in rows:
            if row["id"] not in inserted:
                existing = await db.find_rule(uow, group_id, row["fingerprint"])
                raise SecurityGroupRuleExists(f"Security group rule already exists. Rule id is {existing}.")
        for commission in commissions:
            svc.quota.accept(uow, commission)
        return {r.id: r for r in (await db.rules_of(uow, [group_id]))[group_id]}

    found = await charged(svc, ctx, {o: {RULE_QUOTA: n} for o, n in Counter(owners).items()}, work)
    return [view_rule(found[r["id"]]) for r in rows]


async def delete_rule(svc: Services, ctx: Context, rule_id: str, *, revision: int | None) -> None:
    """Raises SecurityGroupRuleNotFound."""

    async def work(uow: UnitOfWork) -> None:
        row = await db.get_rule(uow, rule_id, project_id=seen_by(ctx))
        if row is None:
            raise SecurityGroupRuleNotFound(rule_id)
        authorize(ctx, "delete_security_group_rule", {"project_id": row.project_id})
        check_revision(row, revision)
        gone = await db.delete_rules(uow, rule_id=rule_id)
        if not gone:
            raise SecurityGroupRuleNotFound(rule_id)
        await db.touch_group(uow, row.security_group_id)
        if row.is_charged:
            svc.quota.release(uow, project_id=row.project_id, user_id=ctx.user_id, provisions={RULE_QUOTA: 1})

    await svc.write(work)
