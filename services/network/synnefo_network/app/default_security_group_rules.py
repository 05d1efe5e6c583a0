"""Use cases of the templates of rules that new security groups start with. Groups that are there do not change with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from synnefo_common.clock import iso
from synnefo_common.db import UnitOfWork
from synnefo_common.web import Context
from synnefo_network.app.services import Services, authorize, check_revision, new_owner, standard_values
from synnefo_network.db import default_security_group_rules as db
from synnefo_network.db import security_groups as db_groups
from synnefo_network.db.address_groups import address_groups
from synnefo_network.db.listing import list_rows
from synnefo_network.db.rbac_policies import get_shared
from synnefo_network.domain.errors import (
    AddressGroupNotFound,
    DefaultSecurityGroupRuleExists,
    DefaultSecurityGroupRuleNotFound,
    SecurityGroupNotFound,
)
from synnefo_network.domain.listing import DEFAULT_SECURITY_GROUP_RULES, ListQuery
from synnefo_network.domain.security_group import PARENT, read_rule, template_columns


def _view(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "direction": row.direction,
        "ethertype": row.ethertype,
        "protocol": row.protocol,
        "port_range_min": row.port_range_min,
        "port_range_max": row.port_range_max,
        "remote_ip_prefix": row.remote_ip_prefix,
        "remote_group_id": PARENT if row.remote_is_parent else row.remote_group_id,
        "remote_address_group_id": row.remote_address_group_id,
        "used_in_default_sg": row.used_in_default_sg,
        "used_in_non_default_sg": row.used_in_non_default_sg,
        "description": row.description,
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
        "revision_number": row.revision,
    }


async def list_templates(svc: Services, query: ListQuery) -> list[dict[str, Any]]:
    """All of them: everyone may know what a new group allows."""
    async with svc.db.read() as uow:
        rows = await list_rows(uow, DEFAULT_SECURITY_GROUP_RULES, db.default_security_group_rules, query=query, where=[])
    if rows is None:
        raise DefaultSecurityGroupRuleNotFound(query.marker or "")
    return [_view(row) for row in rows]


async def show_template(svc: Services, rule_id: str) -> dict[str, Any]:
    """Raises DefaultSecurityGroupRuleNotFound."""
    async with svc.db.read() as uow:
        row = await db.get_template(uow, rule_id)
    if row is None:
        raise DefaultSecurityGroupRuleNotFound(rule_id)
    return _view(row)


async def create_templates(svc: Services, ctx: Context, bodies: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """All of them or none. Raises DefaultSecurityGroupRuleExists, SecurityGroupNotFound, AddressGroupNotFound, the faults of `read_rule`."""
    authorize(ctx, "create_default_security_group_rule", {})
    rows = []
    for number, given in enumerate(bodies):
        standard = standard_values(svc, given, project_id=new_owner(ctx, given) if given.keys() & {"project_id", "tenant_id"} else "")
        uses = {"in_default": given.get("used_in_default_sg", False), "in_others": given.get("used_in_non_default_sg", True)}
        rows.append({**standard, "created_at": standard["created_at"] + number, **template_columns(read_rule(given), **uses)})

    async def work(uow: UnitOfWork) -> list[dict[str, Any]]:
        await _check_remotes(uow, rows)
        inserted = {row.id: row for row in await db.insert_templates(uow, rows)}
        for row in rows:
            if row["id"] not in inserted:
                existing = await db.find_template(uow, row["default_key"] or row["non_default_key"] or "")
                raise DefaultSecurityGroupRuleExists(f"Default Security group rule already exists. Rule id is {existing}.")
        return [_view(inserted[row["id"]]) for row in rows]

    return await svc.write(work)


async def _check_remotes(uow: UnitOfWork, rows: Sequence[dict[str, Any]]) -> None:
    groups = {r["remote_group_id"] for r in rows} - {None}
    known = await db_groups.get_groups(uow, groups, project_id=None) if groups else {}
    for missing in sorted(groups - known.keys()):
        raise SecurityGroupNotFound(missing)
    address = {r["remote_address_group_id"] for r in rows} - {None}
    known = await get_shared(uow, address_groups, "address_group", address, project_id=None) if address else {}
    for missing in sorted(address - known.keys()):
        raise AddressGroupNotFound(missing)


async def delete_template(svc: Services, ctx: Context, rule_id: str, *, revision: int | None) -> None:
    """Raises DefaultSecurityGroupRuleNotFound."""
    authorize(ctx, "delete_default_security_group_rule", {})

    async def work(uow: UnitOfWork) -> None:
        row = await db.get_template(uow, rule_id)
        if row is not None:
            check_revision(row, revision)
        if not await db.delete_template(uow, rule_id):
            raise DefaultSecurityGroupRuleNotFound(rule_id)

    await svc.write(work)
