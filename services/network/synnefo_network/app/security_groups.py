"""Use cases of security groups."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from synnefo_common.clock import iso
from synnefo_common.db import UnitOfWork
from synnefo_common.web import Context
from synnefo_network.app.groups import ensure_default_group, rule_rows
from synnefo_network.app.networks import charged
from synnefo_network.app.services import Services, authorize, check_revision, new_owner, seen_by, standard_values
from synnefo_network.app.sharing import Shareable, drop_policies, list_shareable, load_shareable
from synnefo_network.db import ports as db_ports
from synnefo_network.db import security_groups as db
from synnefo_network.db.default_security_group_rules import templates_for
from synnefo_network.db.listing import insert_row, unpack_tags, update_row
from synnefo_network.domain.errors import (
    SecurityGroupCannotRemoveDefault,
    SecurityGroupCannotUpdateDefault,
    SecurityGroupDefaultAlreadyExists,
    SecurityGroupInUse,
    SecurityGroupNotFound,
)
from synnefo_network.domain.listing import SECURITY_GROUPS, ListQuery
from synnefo_network.domain.security_group import DEFAULT, rules_from

KIND = Shareable(SECURITY_GROUPS, db.security_groups, "security_group", SecurityGroupNotFound)
QUOTA = "network.security_groups"
RULE_QUOTA = "network.security_group_rules"


def view_rule(row: Any) -> dict[str, Any]:
    """A rule as the API shows it."""
    return {
        "id": row.id,
        "tenant_id": row.project_id,
        "project_id": row.project_id,
        "security_group_id": row.security_group_id,
        "direction": row.direction,
        "ethertype": row.ethertype,
        "protocol": row.protocol,
        "port_range_min": row.port_range_min,
        "port_range_max": row.port_range_max,
        "remote_ip_prefix": row.remote_ip_prefix,
        "normalized_cidr": normalized(row.remote_ip_prefix),
        "remote_group_id": row.remote_group_id,
        "remote_address_group_id": row.remote_address_group_id,
        "description": row.description,
        "tags": unpack_tags(row.tags),
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
        "revision_number": row.revision,
    }


def normalized(prefix: str | None) -> str | None:
    """The prefix without host bits."""
    from ipaddress import ip_network

    return None if prefix is None else str(ip_network(prefix, strict=False))


def _view(row: Any, rules: Sequence[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "tenant_id": row.project_id,
        "project_id": row.project_id,
        "description": row.description,
        "stateful": row.stateful,
        "shared": row.shared,
        "security_group_rules": [view_rule(r) for r in rules],
        "tags": unpack_tags(row.tags),
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
        "revision_number": row.revision,
    }


async def list_groups(svc: Services, ctx: Context, query: ListQuery) -> list[dict[str, Any]]:
    """The groups that the caller sees; the default group is made by the first look."""
    named = query.filters.get("project_id", ()) if seen_by(ctx) is None else ()
    for project_id in named or ([] if ctx.project_id is None else [ctx.project_id]):
        if re.fullmatch("[0-9a-f]{32}", project_id):  # of a project that an administrator asks for; no others than projects could have
            await _make_default(svc, project_id)
    async with svc.db.read() as uow:
        rows = await list_shareable(uow, ctx, KIND, query)
        rules = await db.rules_of(uow, [r.id for r in rows]) if rows else {}
    return [_view(row, rules[row.id]) for row in rows]


async def _make_default(svc: Services, project_id: str) -> None:
    from synnefo_network.domain.security_group import default_group_id

    async with svc.db.read() as uow:
        if await db.get_group(uow, default_group_id(project_id), project_id=project_id) is not None:
            return
    await svc.write(lambda uow: ensure_default_group(uow, svc, project_id))


async def show_group(svc: Services, ctx: Context, group_id: str) -> dict[str, Any]:
    """Raises SecurityGroupNotFound."""
    async with svc.db.read() as uow:
        row = await load(uow, ctx, group_id)
        rules = await db.rules_of(uow, [group_id])
    return _view(row, rules[group_id])


async def load(uow: UnitOfWork, ctx: Context, group_id: str) -> Row[Any]:
    """The row, if the caller sees it. Raises SecurityGroupNotFound."""
    return await load_shareable(uow, ctx, KIND, group_id)


async def create_groups(svc: Services, ctx: Context, bodies: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """All of them or none; each starts with the rules of the templates.

    Raises SecurityGroupDefaultAlreadyExists, QuotaExceeded.
    """
    rows = []
    for given in bodies:
        owner = new_owner(ctx, given)
        authorize(ctx, "create_security_group", {"project_id": owner})
        if (given.get("name") or "").lower() == DEFAULT:
            raise SecurityGroupDefaultAlreadyExists("Default security group already exists.")
        standard = standard_values(svc, given, project_id=owner) | {"revision": 1}
        rows.append({**standard, "name": given.get("name") or "", "stateful": given.get("stateful", True), "is_default": False, "shared": False})
    owners = Counter(r["project_id"] for r in rows)
    async with svc.db.read() as uow:
        templates = await templates_for(uow, is_default=False)

    async def work(uow: UnitOfWork, commissions: list[Any]) -> tuple[dict[str, Any], dict[str, list[Any]]]:
        for owner in owners:
            await ensure_default_group(uow, svc, owner)
        await insert_row(uow, db.security_groups, *rows)
        rules = [rule for row in rows for rule in rule_rows(svc, row["id"], row["project_id"], rules_from(templates, row["id"]), is_charged=True)]
        await db.insert_rules(uow, rules)
        for commission in commissions:
            svc.quota.accept(uow, commission)
        ids = [r["id"] for r in rows]
        return await db.get_groups(uow, ids, project_id=None), await db.rules_of(uow, ids)

    found, rules = await charged(svc, ctx, {o: {QUOTA: n, RULE_QUOTA: len(templates) * n} for o, n in owners.items()}, work)
    return [_view(found[r["id"]], rules[r["id"]]) for r in rows]


async def update_group(svc: Services, ctx: Context, group_id: str, given: dict[str, Any], *, revision: int | None = None) -> dict[str, Any]:
    """Raises SecurityGroupNotFound.

    SecurityGroupCannotUpdateDefault, SecurityGroupInUse (stateful of a group with ports).
    """

    async def work(uow: UnitOfWork) -> tuple[Any, list[Any]]:
        row = await load(uow, ctx, group_id)
        authorize(ctx, "update_security_group", {"project_id": row.project_id})
        check_revision(row, revision)
        if row.is_default and given.get("name", row.name) != row.name:
            raise SecurityGroupCannotUpdateDefault("Updating default security group not allowed.")
        if not row.is_default and (given.get("name") or "").lower() == DEFAULT:
            raise SecurityGroupDefaultAlreadyExists("Default security group already exists.")
        if given.get("stateful", row.stateful) != row.stateful and await db_ports.is_group_used(uow, group_id):
            raise SecurityGroupInUse(f"Security Group {group_id} in use.")
        changed = await update_row(uow, db.security_groups, row, given)
        return changed, (await db.rules_of(uow, [group_id]))[group_id]

    row, rules = await svc.write(work)
    return _view(row, rules)


async def delete_group(svc: Services, ctx: Context, group_id: str, *, revision: int | None = None) -> None:
    """Rules of other groups that name it go too. A default group goes by an administrator, and comes again when needed.

    Raises SecurityGroupNotFound, SecurityGroupInUse, SecurityGroupCannotRemoveDefault.
    """

    async def work(uow: UnitOfWork) -> None:
        row = await load(uow, ctx, group_id)
        authorize(ctx, "delete_security_group", {"project_id": row.project_id})
        check_revision(row, revision)
        if row.is_default and not ctx.is_admin:
            raise SecurityGroupCannotRemoveDefault("Insufficient rights for removing default security group.")
        if await db_ports.is_group_used(uow, group_id):
            raise SecurityGroupInUse(f"Security Group {group_id} in use.")
        charged_rules = Counter(r.project_id for r in await db.delete_rules(uow, group_id=group_id) if r.is_charged)
        if not await db.delete_group(uow, group_id):
            raise SecurityGroupNotFound(group_id)
        charged_rules.setdefault(row.project_id, 0)
        for owner, count in charged_rules.items():
            groups = {QUOTA: 1} if owner == row.project_id and not row.is_default else {}
            svc.quota.release(uow, project_id=owner, user_id=ctx.user_id, provisions={**groups, RULE_QUOTA: count})
        await drop_policies(uow, svc, object_type=KIND.object_type, object_id=group_id)
        uow.after_commit(lambda: svc.known_groups.discard(group_id))

    await svc.write(work)
