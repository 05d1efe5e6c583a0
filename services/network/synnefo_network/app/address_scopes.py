"""Use cases of address scopes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete

from synnefo_common.clock import iso
from synnefo_common.db import UnitOfWork
from synnefo_common.web import Context
from synnefo_network.app.services import (
    Services,
    authorize,
    authorize_attributes,
    check_revision,
    new_owner,
    standard_values,
)
from synnefo_network.app.sharing import Shareable, change_sharing, drop_policies, list_shareable, load_shareable, share_with_all
from synnefo_network.db import subnet_pools as db_pools
from synnefo_network.db.address_scopes import address_scopes
from synnefo_network.db.listing import insert_row, unpack_tags, update_row
from synnefo_network.domain.errors import AddressScopeInUse, AddressScopeNotFound, AddressScopeUpdateError
from synnefo_network.domain.listing import ADDRESS_SCOPES, ListQuery
from synnefo_network.domain.policy import RULES

KIND = Shareable(ADDRESS_SCOPES, address_scopes, "address_scope", AddressScopeNotFound)
_RULES = {r.name: r for r in RULES}


def _view(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "tenant_id": row.project_id,
        "project_id": row.project_id,
        "ip_version": row.ip_version,
        "shared": row.shared,
        "description": row.description,
        "tags": unpack_tags(row.tags),
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
        "revision_number": row.revision,
    }


async def list_scopes(svc: Services, ctx: Context, query: ListQuery) -> list[dict[str, Any]]:
    """The scopes that the caller sees."""
    async with svc.db.read() as uow:
        return [_view(row) for row in await list_shareable(uow, ctx, KIND, query)]


async def show_scope(svc: Services, ctx: Context, scope_id: str) -> dict[str, Any]:
    """Raises AddressScopeNotFound."""
    async with svc.db.read() as uow:
        return _view(await load_shareable(uow, ctx, KIND, scope_id))


async def create_scopes(svc: Services, ctx: Context, bodies: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """All of them or none. Raises PolicyNotAuthorized."""
    rows = []
    for given in bodies:
        owner = new_owner(ctx, given)
        authorize(ctx, "create_address_scope", {"project_id": owner})
        asked = {k: v for k, v in given.items() if not (k == "shared" and not v)}
        authorize_attributes(ctx, "create_address_scope", asked, {"project_id": owner}, rules=_RULES)
        values = {"name": given.get("name") or "", "ip_version": given["ip_version"], "shared": given.get("shared", False)}
        rows.append({**standard_values(svc, given, project_id=owner), **values})

    async def work(uow: UnitOfWork) -> list[dict[str, Any]]:
        await insert_row(uow, address_scopes, *rows)
        await share_with_all(uow, svc, KIND.object_type, rows)
        return [_view(await load_shareable(uow, ctx, KIND, row["id"])) for row in rows]

    return await svc.write(work)


async def update_scope(svc: Services, ctx: Context, scope_id: str, given: dict[str, Any], *, revision: int | None) -> dict[str, Any]:
    """Raises AddressScopeNotFound, AddressScopeUpdateError, PolicyNotAuthorized."""

    async def work(uow: UnitOfWork) -> dict[str, Any]:
        row = await load_shareable(uow, ctx, KIND, scope_id, action="update")
        authorize_attributes(ctx, "update_address_scope", given, KIND.target(row), rules=_RULES)
        check_revision(row, revision)
        if row.shared and given.get("shared") is False:
            raise AddressScopeUpdateError(f"Unable to update address scope {scope_id} : Shared address scope can't be unshared.")
        if given.get("shared"):
            await change_sharing(uow, svc, KIND.object_type, row, shared=True)
        return _view(await update_row(uow, address_scopes, row, given))

    return await svc.write(work)


async def delete_scope(svc: Services, ctx: Context, scope_id: str, *, revision: int | None) -> None:
    """Raises AddressScopeNotFound, AddressScopeInUse."""

    async def work(uow: UnitOfWork) -> None:
        row = await load_shareable(uow, ctx, KIND, scope_id, action="delete")
        check_revision(row, revision)
        if await db_pools.pools_of_scope(uow, scope_id):
            raise AddressScopeInUse(
                f"Unable to complete operation on address scope {scope_id}. There are one or more subnet pools in use on the address scope."
            )
        await uow.run(delete(address_scopes).where(address_scopes.c.id == scope_id))
        await drop_policies(uow, svc, object_type=KIND.object_type, object_id=scope_id)

    await svc.write(work)
