"""Use cases of RBAC policies: with which projects an object is shared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import Row, Table, select

from synnefo_common.db import UnitOfWork
from synnefo_common.web import Context
from synnefo_network.app.networks import charged
from synnefo_network.app.services import (
    Services,
    authorize,
    authorize_attributes,
    check_revision,
    new_owner,
    seen_by,
    standard_values,
)
from synnefo_network.app.sharing import QUOTA
from synnefo_network.db import rbac_policies as db
from synnefo_network.db.address_groups import address_groups
from synnefo_network.db.address_scopes import address_scopes
from synnefo_network.db.listing import list_rows, update_row
from synnefo_network.db.networks import networks
from synnefo_network.db.qos import qos_policies
from synnefo_network.db.security_groups import security_groups
from synnefo_network.db.shared_use import users_of
from synnefo_network.db.subnet_pools import subnetpools
from synnefo_network.domain.errors import DuplicateRbacPolicy, InvalidInput, NotFound, RbacPolicyInUse, RbacPolicyNotFound
from synnefo_network.domain.listing import RBAC_POLICIES, ListQuery
from synnefo_network.domain.policy import RULES

_RULES = {r.name: r for r in RULES}
TABLES: dict[str, Table] = {
    "network": networks,
    "subnetpool": subnetpools,
    "address_scope": address_scopes,
    "address_group": address_groups,
    "qos_policy": qos_policies,
    "security_group": security_groups,
}


def _view(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "tenant_id": row.project_id,
        "project_id": row.project_id,
        "object_type": row.object_type,
        "object_id": row.object_id,
        "action": row.action,
        "target_tenant": row.target_project,
    }


async def list_policies(svc: Services, ctx: Context, query: ListQuery) -> list[dict[str, Any]]:
    """The caller's policies."""
    async with svc.db.read() as uow:
        rows = await list_rows(uow, RBAC_POLICIES, db.rbac_policies, query=query, where=[db.visible_policies(seen_by(ctx))])
    if rows is None:
        raise RbacPolicyNotFound(query.marker or "")
    return [_view(row) for row in rows]


async def show_policy(svc: Services, ctx: Context, policy_id: str) -> dict[str, Any]:
    """Raises RbacPolicyNotFound."""
    async with svc.db.read() as uow:
        return _view(await _load(uow, ctx, policy_id))


async def _load(uow: UnitOfWork, ctx: Context, policy_id: str, *, action: str | None = None) -> Row[Any]:
    row = await db.get_policy(uow, policy_id, project_id=seen_by(ctx))
    if row is None:
        raise RbacPolicyNotFound(policy_id)
    if action is not None:
        authorize(ctx, f"{action}_rbac_policy", {"project_id": row.project_id})
    return row


async def create_policies(svc: Services, ctx: Context, bodies: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """All of them or none. Raises the object's NotFound, InvalidInput, DuplicateRbacPolicy, PolicyNotAuthorized, QuotaExceeded."""
    rows = []
    for given in bodies:
        owner = new_owner(ctx, given)
        target = {"project_id": owner, "is_wildcard": given["target_tenant"] == db.EVERYONE}
        authorize(ctx, "create_rbac_policy", target)
        authorize_attributes(ctx, "create_rbac_policy", given, target, rules=_RULES)
        values = {k: given[k] for k in ("object_type", "object_id", "action")} | {"target_project": given["target_tenant"], "is_charged": True}
        rows.append({**standard_values(svc, {}, project_id=owner), **values})

    async def work(uow: UnitOfWork, commissions: list[Any]) -> list[dict[str, Any]]:
        for row in rows:
            await _check_object(uow, ctx, row)
            await _check_scope(uow, row["object_type"], row["object_id"], row["target_project"])
            if not await db.insert_policies(uow, [row]):
                raise DuplicateRbacPolicy("An RBAC policy already exists with those values.")
            await _mark(uow, row["object_type"], row["object_id"], row["action"], {row["target_project"]})
        for commission in commissions:
            svc.quota.accept(uow, commission)
        found = {r.id: r for r in await uow.all(select(db.rbac_policies).where(db.rbac_policies.c.id.in_([r["id"] for r in rows])))}
        return [_view(found[r["id"]]) for r in rows]

    owners = Counter(r["project_id"] for r in rows)
    return cast(list[dict[str, Any]], await charged(svc, ctx, {o: {QUOTA: n} for o, n in owners.items()}, work))


async def _check_object(uow: UnitOfWork, ctx: Context, row: dict[str, Any]) -> None:
    """It is there, and the caller's own unless he is an administrator. Raises."""
    table = TABLES[row["object_type"]]
    found = await uow.one(select(table.c.project_id).where(table.c.id == row["object_id"]))
    viewer = seen_by(ctx)
    if found is None or (viewer is not None and found.project_id != viewer):
        visible = found is not None and await db.get_shared(uow, table, row["object_type"], [row["object_id"]], project_id=viewer)
        if visible:
            raise InvalidInput("Invalid input for operation: Only admins can manipulate policies on objects they do not own.", kind="InvalidInput")
        raise NotFound(f"{row['object_type']} {row['object_id']} could not be found.", kind="ObjectNotFound")


async def _check_scope(uow: UnitOfWork, object_type: str, object_id: str, target: str) -> None:
    """Who is given a subnet pool sees its address scope too. Raises InvalidInput."""
    if object_type != "subnetpool":
        return
    scope_id = await uow.scalar(select(subnetpools.c.address_scope_id).where(subnetpools.c.id == object_id))
    if scope_id is not None and not await db.get_shared(uow, address_scopes, "address_scope", [scope_id], project_id=target):
        raise InvalidInput(
            f"Invalid input for operation: subnet pool {object_id} has the address scope {scope_id}, which is not shared with {target}.",
            kind="InvalidInput",
        )


async def _mark(uow: UnitOfWork, object_type: str, object_id: str, action: str, targets: set[str], *, is_less: bool = False) -> None:
    """Keep the object's own row in step: it is shared if it is so with everyone, external if it is so for anyone."""
    table = TABLES[object_type]
    is_given, column = (bool(targets), "is_external") if action == db.EXTERNAL else (db.EVERYONE in targets, "shared")
    if is_given or is_less:
        changed = {column: is_given, "revision": table.c.revision + 1, "updated_at": uow.db.clock.now_us()}
        await uow.run(table.update().where(table.c.id == object_id, table.c[column] != is_given).values(**changed))


async def update_policy(svc: Services, ctx: Context, policy_id: str, given: dict[str, Any], *, revision: int | None) -> dict[str, Any]:
    """Only the target changes. Raises RbacPolicyNotFound, RbacPolicyInUse, DuplicateRbacPolicy, PolicyNotAuthorized."""

    async def work(uow: UnitOfWork) -> dict[str, Any]:
        row = await _load(uow, ctx, policy_id, action="update")
        check_revision(row, revision)
        wanted = given.get("target_tenant", row.target_project)
        target = {"project_id": row.project_id, "is_wildcard": wanted == db.EVERYONE}
        authorize_attributes(ctx, "update_rbac_policy", given, target, rules=_RULES)
        if wanted == row.target_project:
            return _view(row)
        others = await db.targets_of(uow, row.object_type, row.object_id, action=row.action) - {row.target_project}
        if wanted in others:
            raise DuplicateRbacPolicy("An RBAC policy already exists with those values.")
        # Of objects other than networks Neutron does not look at whom the policy would be for instead.
        regarded = {wanted} if row.object_type == "network" else {wanted} & {db.EVERYONE}
        await _check_unused(uow, row, others | regarded)
        await _check_scope(uow, row.object_type, row.object_id, wanted)
        await _mark(uow, row.object_type, row.object_id, row.action, others | {wanted}, is_less=True)
        return _view(await update_row(uow, db.rbac_policies, row, {"target_project": wanted}))

    return await svc.write(work)


async def _check_unused(uow: UnitOfWork, row: Any, left: set[str]) -> None:
    """Whoever uses the object may do so without this policy too. Raises RbacPolicyInUse."""
    if db.EVERYONE in left:
        return
    table = TABLES[row.object_type]
    of = await uow.one(select(table).where(table.c.id == row.object_id))
    assert of is not None
    if row.action == db.EXTERNAL and row.target_project == db.EVERYONE and of.is_default:
        raise RbacPolicyInUse(f"RBAC policy on object {row.object_id} cannot be removed because it is the default external network.")
    # A network's owner needs no policy for his ports. Neutron does not say so of the other objects.
    needless = {of.project_id, ""} if row.object_type == "network" else {""}
    lost = await users_of(uow, row.object_type, row.object_id, action=row.action) - left - needless
    if row.target_project != db.EVERYONE:
        lost &= {row.target_project}
    if lost:
        raise RbacPolicyInUse(f"RBAC policy on object {row.object_id} cannot be removed because other objects depend on it.")


async def delete_policy(svc: Services, ctx: Context, policy_id: str, *, revision: int | None) -> None:
    """Raises RbacPolicyNotFound, RbacPolicyInUse."""

    async def work(uow: UnitOfWork) -> None:
        row = await _load(uow, ctx, policy_id, action="delete")
        check_revision(row, revision)
        left = await db.targets_of(uow, row.object_type, row.object_id, action=row.action) - {row.target_project}
        await _check_unused(uow, row, left)
        for gone in await db.delete_policies(uow, policy_id=policy_id):
            svc.quota.release(uow, project_id=gone.project_id, user_id=ctx.user_id, provisions={QUOTA: 1})
        await _mark(uow, row.object_type, row.object_id, row.action, left, is_less=True)

    await svc.write(work)
