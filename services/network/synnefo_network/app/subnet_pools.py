"""Use cases of subnet pools. Allocation from them: `subnet_allocation`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, cast

from sqlalchemy import select

from synnefo_common.clock import iso
from synnefo_common.db import UnitOfWork
from synnefo_common.web import Context
from synnefo_network.app.address_scopes import KIND as SCOPE_KIND
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
from synnefo_network.app.sharing import Shareable, drop_policies, list_shareable, load_shareable, share_with_all
from synnefo_network.db import subnet_pools as db
from synnefo_network.db.address_scopes import address_scopes
from synnefo_network.db.listing import insert_row, unpack_tags, update_row
from synnefo_network.domain import subnet_pool as rules
from synnefo_network.domain.errors import (
    AddressScopePrefixConflict,
    IllegalSubnetPoolAssociationToAddressScope,
    IllegalSubnetPoolIpVersionAssociationToAddressScope,
    IllegalSubnetPoolUpdate,
    InvalidInput,
    PrefixVersionMismatch,
    SubnetPoolDeleteError,
    SubnetPoolNotFound,
)
from synnefo_network.domain.listing import SUBNET_POOLS, ListQuery
from synnefo_network.domain.policy import RULES

QUOTA = "network.subnet_pools"
KIND = Shareable(SUBNET_POOLS, db.subnetpools, "subnetpool", SubnetPoolNotFound)
_RULES = {r.name: r for r in RULES}
_BOUNDS = ("min_prefixlen", "default_prefixlen", "max_prefixlen")


def _view(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "tenant_id": row.project_id,
        "project_id": row.project_id,
        "ip_version": row.ip_version,
        "prefixes": row.prefixes,
        **{name: str(getattr(row, name)) for name in _BOUNDS},  # as Neutron shows them: words
        "default_quota": row.default_quota,
        "is_default": row.is_default,
        "shared": row.shared,
        "address_scope_id": row.address_scope_id,
        "description": row.description,
        "tags": unpack_tags(row.tags),
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
        "revision_number": row.revision,
    }


async def list_pools(svc: Services, ctx: Context, query: ListQuery) -> list[dict[str, Any]]:
    """The pools that the caller sees."""
    async with svc.db.read() as uow:
        return [_view(row) for row in await list_shareable(uow, ctx, KIND, query)]


async def show_pool(svc: Services, ctx: Context, pool_id: str) -> dict[str, Any]:
    """Raises SubnetPoolNotFound."""
    async with svc.db.read() as uow:
        return _view(await load_shareable(uow, ctx, KIND, pool_id))


async def create_pools(svc: Services, ctx: Context, bodies: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """All of them or none. Raises PolicyNotAuthorized, AddressScopeNotFound, QuotaExceeded, the faults of prefixes and bounds."""
    rows = []
    for given in bodies:
        owner = new_owner(ctx, given)
        authorize(ctx, "create_subnetpool", {"project_id": owner})
        asked = {k: v for k, v in given.items() if not (k in ("shared", "is_default") and not v)}
        authorize_attributes(ctx, "create_subnetpool", asked, {"project_id": owner}, rules=_RULES)
        prefixes = rules.read_prefixes(given["prefixes"])
        version = prefixes[0].version
        values = {
            "name": given["name"],
            "ip_version": version,
            "prefixes": [str(p) for p in prefixes],
            **rules.read_bounds(given, version=version),
            "default_quota": given.get("default_quota"),
            "is_default": given.get("is_default", False),
            "shared": given.get("shared", False),
            "address_scope_id": given.get("address_scope_id"),
            "is_charged": True,
        }
        rows.append({**standard_values(svc, given, project_id=owner), **values})

    async def work(uow: UnitOfWork, commissions: list[Any]) -> list[dict[str, Any]]:
        for row in rows:
            await _check_default(uow, row)
            await _check_scope(uow, ctx, row["id"], row)
            await insert_row(uow, db.subnetpools, row)
        await share_with_all(uow, svc, KIND.object_type, rows)
        for commission in commissions:
            svc.quota.accept(uow, commission)
        return [_view(await load_shareable(uow, ctx, KIND, row["id"])) for row in rows]

    owners = Counter(r["project_id"] for r in rows)
    return cast(list[dict[str, Any]], await charged(svc, ctx, {o: {QUOTA: n} for o, n in owners.items()}, work))


async def _check_default(uow: UnitOfWork, row: dict[str, Any]) -> None:
    if row["is_default"] and (other := await db.default_pool(uow, row["ip_version"])) is not None and other.id != row["id"]:
        raise InvalidInput(
            "Invalid input for operation: A default subnet pool for this IP family has already been set. Only one default may exist per IP family.",
            kind="InvalidInput",
        )


async def _check_scope(uow: UnitOfWork, ctx: Context, pool_id: str, values: dict[str, Any]) -> None:
    """The scope is seen, of the same IP version, and no other pool of it has the same addresses. Its row is held."""
    scope_id = values.get("address_scope_id")
    if not scope_id:
        return
    scope = await load_shareable(uow, ctx, SCOPE_KIND, scope_id)
    viewer = seen_by(ctx)
    if viewer is not None and scope.project_id != viewer and not scope.shared:
        raise IllegalSubnetPoolAssociationToAddressScope(
            f"Illegal subnetpool association: subnetpool {pool_id} cannot be associated with address scope {scope_id}."
        )
    if scope.ip_version != values["ip_version"]:
        raise IllegalSubnetPoolIpVersionAssociationToAddressScope(
            f"Illegal subnetpool association: subnetpool {pool_id} cannot associate with address scope {scope_id} "
            f"because subnetpool ip_version is not {scope.ip_version}."
        )
    await update_row(uow, address_scopes, scope, {})
    others = [p for pool in await db.pools_of_scope(uow, scope_id) if pool.id != pool_id for p in pool.prefixes]
    if rules.overlap(values["prefixes"], others):
        raise AddressScopePrefixConflict("Failed to associate address scope: subnetpools within an address scope must have unique prefixes.")


async def update_pool(svc: Services, ctx: Context, pool_id: str, given: dict[str, Any], *, revision: int | None) -> dict[str, Any]:
    """Raises SubnetPoolNotFound, PolicyNotAuthorized, the faults of prefixes, bounds and scope."""

    async def work(uow: UnitOfWork) -> dict[str, Any]:
        row = await load_shareable(uow, ctx, KIND, pool_id, action="update")
        authorize_attributes(ctx, "update_subnetpool", given, KIND.target(row), rules=_RULES)
        check_revision(row, revision)
        await _check_scope_is_own(uow, ctx, row)
        values = dict(given)
        if values.get("prefixes") is not None:
            prefixes = rules.read_prefixes(values["prefixes"])
            _check_version(row, prefixes)
            rules.check_growth(row.prefixes, prefixes)
            values["prefixes"] = [str(p) for p in prefixes]
        if values.keys() & set(_BOUNDS):
            values |= rules.read_bounds({k: values.get(k, getattr(row, k)) for k in _BOUNDS}, version=row.ip_version)
        return _view(await _store(uow, ctx, row, values))

    return await svc.write(work)


async def _check_scope_is_own(uow: UnitOfWork, ctx: Context, row: Any) -> None:
    """Who does not own a pool's address scope does not change the pool. Raises IllegalSubnetPoolUpdate."""
    viewer = seen_by(ctx)
    if row.address_scope_id is None or viewer is None:
        return
    if await uow.scalar(select(address_scopes.c.project_id).where(address_scopes.c.id == row.address_scope_id)) != viewer:
        raise IllegalSubnetPoolUpdate(
            f"Illegal subnetpool update : subnetpool {row.id} cannot be updated when associated with shared address scope {row.address_scope_id}."
        )


def _check_version(row: Any, prefixes: Sequence[Any]) -> None:
    if prefixes[0].version != row.ip_version:
        raise PrefixVersionMismatch("Cannot mix IPv4 and IPv6 prefixes in a subnet pool.")


async def _store(uow: UnitOfWork, ctx: Context, row: Any, values: dict[str, Any]) -> Any:
    whole = {k: values.get(k, getattr(row, k)) for k in ("id", "prefixes", "ip_version", "is_default", "address_scope_id")}
    await _check_default(uow, whole)
    if values.keys() & {"prefixes", "address_scope_id"}:
        await _check_scope(uow, ctx, row.id, whole)
    return await update_row(uow, db.subnetpools, row, values)


async def add_prefixes(svc: Services, ctx: Context, pool_id: str, given: Sequence[str]) -> list[str]:
    """The pool's prefixes with these. Raises SubnetPoolNotFound and the faults of prefixes."""

    async def changed(uow: UnitOfWork, row: Any) -> list[Any]:
        _check_version(row, rules.read_prefixes(given))
        return rules.read_prefixes([*row.prefixes, *given])

    return await _change_prefixes(svc, ctx, pool_id, changed)


async def remove_prefixes(svc: Services, ctx: Context, pool_id: str, given: Sequence[str]) -> list[str]:
    """The pool's prefixes less these. Raises SubnetPoolNotFound, IllegalSubnetPoolPrefixUpdate."""

    async def changed(uow: UnitOfWork, row: Any) -> list[Any]:
        _check_version(row, gone := rules.read_prefixes(given))
        await db.lock_pool(uow, row.id)
        left = rules.without(row.prefixes, gone, allocated=[a.cidr for a in await db.allocations(uow, row.id)])
        return rules.read_prefixes([str(p) for p in left])

    return await _change_prefixes(svc, ctx, pool_id, changed)


async def _change_prefixes(svc: Services, ctx: Context, pool_id: str, changed: Callable[[UnitOfWork, Any], Any]) -> list[str]:
    async def work(uow: UnitOfWork) -> list[str]:
        row = await load_shareable(uow, ctx, KIND, pool_id, action="update")
        await _check_scope_is_own(uow, ctx, row)
        after = await _store(uow, ctx, row, {"prefixes": [str(p) for p in await changed(uow, row)]})
        return list(after.prefixes)

    return await svc.write(work)


async def delete_pool(svc: Services, ctx: Context, pool_id: str, *, revision: int | None) -> None:
    """Raises SubnetPoolNotFound, SubnetPoolDeleteError."""

    async def work(uow: UnitOfWork) -> None:
        row = await load_shareable(uow, ctx, KIND, pool_id, action="delete")
        check_revision(row, revision)
        await db.lock_pool(uow, pool_id)
        if await db.allocations(uow, pool_id):
            raise SubnetPoolDeleteError("Unable to delete subnet pool: Subnet pool has existing allocations.")
        await db.delete_pool(uow, pool_id)
        if row.is_charged:
            svc.quota.release(uow, project_id=row.project_id, user_id=ctx.user_id, provisions={QUOTA: 1})
        await drop_policies(uow, svc, object_type=KIND.object_type, object_id=pool_id)

    await svc.write(work)
