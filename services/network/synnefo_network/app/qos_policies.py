"""Use cases of QoS policies, and what other resources need of them. Their rules: `qos_rules`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from synnefo_common.clock import iso
from synnefo_common.db import UnitOfWork
from synnefo_common.web import Context
from synnefo_network.app.services import (
    Services,
    authorize,
    authorize_attributes,
    check_revision,
    new_owner,
    seen_by,
    standard_values,
)
from synnefo_network.app.sharing import Shareable, change_sharing, drop_policies, list_shareable, load_shareable, share_with_all
from synnefo_network.db import qos as db
from synnefo_network.db.listing import insert_row, unpack_tags, update_row
from synnefo_network.db.rbac_policies import EVERYONE, get_shared, targets_of
from synnefo_network.db.shared_use import users_of
from synnefo_network.domain.errors import QoSPolicyDefaultAlreadyExists, QosPolicyInUse, QosPolicyNotFound
from synnefo_network.domain.listing import QOS_POLICIES, ListQuery
from synnefo_network.domain.policy import RULES
from synnefo_network.domain.qos import PARAMETERS

KIND = Shareable(QOS_POLICIES, db.qos_policies, "qos_policy", QosPolicyNotFound)
_RULES = {r.name: r for r in RULES}


def view_rule(row: Any) -> dict[str, Any]:
    """A rule as its own routes show it."""
    return {"id": row.id, **{name: getattr(row, name) for name in PARAMETERS[row.type]}}


def _view(row: Any, rules: Sequence[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "tenant_id": row.project_id,
        "project_id": row.project_id,
        "shared": row.shared,
        "is_default": row.is_default,
        "rules": [{**view_rule(r), "type": r.type, "qos_policy_id": row.id} for r in rules],
        "description": row.description,
        "tags": unpack_tags(row.tags),
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
        "revision_number": row.revision,
    }


async def list_policies(svc: Services, ctx: Context, query: ListQuery) -> list[dict[str, Any]]:
    """The policies that the caller sees; two statements."""
    async with svc.db.read() as uow:
        try:
            rows = await list_shareable(uow, ctx, KIND, query)
        except QosPolicyNotFound:  # a marker that the caller does not see: after it Neutron has nothing for him, which is no error
            return []
        rules = await db.rules_of(uow, [r.id for r in rows])
    return [_view(row, rules[row.id]) for row in rows]


async def show_policy(svc: Services, ctx: Context, policy_id: str) -> dict[str, Any]:
    """Raises QosPolicyNotFound."""
    async with svc.db.read() as uow:
        row = await load_shareable(uow, ctx, KIND, policy_id)
        return _view(row, (await db.rules_of(uow, [policy_id]))[policy_id])


async def create_policies(svc: Services, ctx: Context, bodies: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """All of them or none. Raises PolicyNotAuthorized, QoSPolicyDefaultAlreadyExists."""
    rows = []
    for given in bodies:
        owner = new_owner(ctx, given)
        authorize(ctx, "create_policy", {"project_id": owner})
        asked = {k: v for k, v in given.items() if not (k == "shared" and not v)}
        authorize_attributes(ctx, "create_policy", asked, {"project_id": owner}, rules=_RULES)
        values = {"name": given.get("name") or "", "shared": given.get("shared", False), "is_default": given.get("is_default", False)}
        rows.append({**standard_values(svc, given, project_id=owner), **values})

    async def work(uow: UnitOfWork) -> list[dict[str, Any]]:
        for row in rows:
            await _check_default(uow, row["id"], row["project_id"], is_default=row["is_default"])
            await insert_row(uow, db.qos_policies, row)
        await share_with_all(uow, svc, KIND.object_type, rows)
        return [_view(await load_shareable(uow, ctx, KIND, row["id"]), []) for row in rows]

    return await svc.write(work)


async def _check_default(uow: UnitOfWork, policy_id: str, project_id: str, *, is_default: bool) -> None:
    if is_default and (await db.default_policy(uow, project_id)) not in (None, policy_id):
        raise QoSPolicyDefaultAlreadyExists(f"A default QoS policy exists for project {project_id}.")


async def update_policy(svc: Services, ctx: Context, policy_id: str, given: dict[str, Any], *, revision: int | None) -> dict[str, Any]:
    """Raises QosPolicyNotFound, QoSPolicyDefaultAlreadyExists, PolicyNotAuthorized."""

    async def work(uow: UnitOfWork) -> dict[str, Any]:
        row = await load_shareable(uow, ctx, KIND, policy_id, action="update")
        authorize_attributes(ctx, "update_policy", given, KIND.target(row), rules=_RULES)
        check_revision(row, revision)
        await _check_default(uow, policy_id, row.project_id, is_default=given.get("is_default", False))
        if given.get("shared") is False and row.shared:
            allowed = await targets_of(uow, KIND.object_type, policy_id) - {EVERYONE} | {""}
            if await users_of(uow, KIND.object_type, policy_id) - allowed:
                raise QosPolicyInUse(f"QoS policy {policy_id} cannot be shared no more: it is in use.")
        if "shared" in given:
            await change_sharing(uow, svc, KIND.object_type, row, shared=given["shared"])
        after = await update_row(uow, db.qos_policies, row, given)
        return _view(after, (await db.rules_of(uow, [policy_id]))[policy_id])

    return await svc.write(work)


async def delete_policy(svc: Services, ctx: Context, policy_id: str, *, revision: int | None) -> None:
    """Raises QosPolicyNotFound, QosPolicyInUse."""

    async def work(uow: UnitOfWork) -> None:
        row = await load_shareable(uow, ctx, KIND, policy_id, action="delete")
        check_revision(row, revision)
        if await users_of(uow, KIND.object_type, policy_id):
            raise QosPolicyInUse(f"QoS Policy {policy_id} is used by networks, ports or floating IPs.")
        await db.delete_policy(uow, policy_id)
        await drop_policies(uow, svc, object_type=KIND.object_type, object_id=policy_id)

    await svc.write(work)


async def check_bound(uow: UnitOfWork, ctx: Context, bodies: Sequence[Mapping[str, Any]]) -> None:
    """The policies that the bodies bind are there for the caller. Raises QosPolicyNotFound."""
    wanted = {b["qos_policy_id"] for b in bodies if b.get("qos_policy_id")}
    if wanted:
        found = await get_shared(uow, db.qos_policies, KIND.object_type, wanted, project_id=seen_by(ctx))
        for missing in sorted(wanted - found.keys()):
            raise QosPolicyNotFound(missing)
