"""Use cases of address groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import delete

from synnefo_common.clock import iso
from synnefo_common.db import UnitOfWork
from synnefo_common.web import Context
from synnefo_network.app.services import Services, authorize, check_revision, new_owner, standard_values
from synnefo_network.app.sharing import Shareable, drop_policies, list_shareable, load_shareable
from synnefo_network.db.address_groups import address_groups
from synnefo_network.db.listing import insert_row, unpack_tags, update_row
from synnefo_network.db.shared_use import users_of
from synnefo_network.domain.addresses import parse_cidr, parse_ip
from synnefo_network.domain.errors import AddressesAlreadyExist, AddressesNotFound, AddressGroupInUse, AddressGroupNotFound
from synnefo_network.domain.listing import ADDRESS_GROUPS, ListQuery

KIND = Shareable(ADDRESS_GROUPS, address_groups, "address_group", AddressGroupNotFound, hides_refusal=True)


def _view(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "tenant_id": row.project_id,
        "project_id": row.project_id,
        "shared": row.shared,
        "addresses": row.addresses,
        "description": row.description,
        "tags": unpack_tags(row.tags),
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
        "revision_number": row.revision,
    }


async def list_groups(svc: Services, ctx: Context, query: ListQuery) -> list[dict[str, Any]]:
    """The groups that the caller sees."""
    async with svc.db.read() as uow:
        return [_view(row) for row in await list_shareable(uow, ctx, KIND, query)]


async def show_group(svc: Services, ctx: Context, group_id: str) -> dict[str, Any]:
    """Raises AddressGroupNotFound."""
    async with svc.db.read() as uow:
        return _view(await load_shareable(uow, ctx, KIND, group_id))


def _read(given: Sequence[str]) -> list[str]:
    """Prefixes without host bits, once each. Raises InvalidInput."""
    return list(dict.fromkeys(str(parse_cidr(text, what="address")) for text in given))


async def create_groups(svc: Services, ctx: Context, bodies: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """All of them or none. Raises InvalidInput."""
    rows = []
    for given in bodies:
        owner = new_owner(ctx, given)
        authorize(ctx, "create_address_group", {"project_id": owner})
        values = {"name": given.get("name") or "", "addresses": _read(given.get("addresses") or []), "shared": False}
        rows.append({**standard_values(svc, given, project_id=owner), **values})

    async def work(uow: UnitOfWork) -> list[dict[str, Any]]:
        await insert_row(uow, address_groups, *rows)
        return [_view(await load_shareable(uow, ctx, KIND, row["id"])) for row in rows]

    return await svc.write(work)


async def update_group(svc: Services, ctx: Context, group_id: str, given: dict[str, Any], *, revision: int | None) -> dict[str, Any]:
    """Raises AddressGroupNotFound."""

    async def work(uow: UnitOfWork) -> dict[str, Any]:
        row = await load_shareable(uow, ctx, KIND, group_id, action="update")
        check_revision(row, revision)
        return _view(await update_row(uow, address_groups, row, given))

    return await svc.write(work)


async def add_addresses(svc: Services, ctx: Context, group_id: str, given: Sequence[str]) -> dict[str, Any]:
    """Raises AddressGroupNotFound, AddressesAlreadyExist."""

    def after(before: list[str]) -> list[str]:
        wanted = _read(given)
        if there := [a for a in wanted if a in before]:
            raise AddressesAlreadyExist(f"Addresses {there} already exist in the address group {group_id}.")
        return [*before, *wanted]

    return await _change_addresses(svc, ctx, group_id, after)


async def remove_addresses(svc: Services, ctx: Context, group_id: str, given: Sequence[str]) -> dict[str, Any]:
    """Raises AddressGroupNotFound, AddressesNotFound."""

    def after(before: list[str]) -> list[str]:
        gone = _read([text if "/" in text else f"{text}/{parse_ip(text).max_prefixlen}" for text in given])
        if missing := [a for a in gone if a not in before]:
            raise AddressesNotFound(f"Addresses {missing} not found in the address group {group_id}.")
        return [a for a in before if a not in gone]

    return await _change_addresses(svc, ctx, group_id, after)


async def _change_addresses(svc: Services, ctx: Context, group_id: str, after: Callable[[list[str]], list[str]]) -> dict[str, Any]:
    async def work(uow: UnitOfWork) -> dict[str, Any]:
        row = await load_shareable(uow, ctx, KIND, group_id, action="update")
        return _view(await update_row(uow, address_groups, row, {"addresses": after(row.addresses)}))

    return await svc.write(work)


async def delete_group(svc: Services, ctx: Context, group_id: str, *, revision: int | None) -> None:
    """Raises AddressGroupNotFound, AddressGroupInUse."""

    async def work(uow: UnitOfWork) -> None:
        row = await load_shareable(uow, ctx, KIND, group_id, action="delete")
        check_revision(row, revision)
        if await users_of(uow, KIND.object_type, group_id):
            raise AddressGroupInUse(f"Address group {group_id} is in use on one or more security group rules.")
        await uow.run(delete(address_groups).where(address_groups.c.id == group_id))
        await drop_policies(uow, svc, object_type=KIND.object_type, object_id=group_id)

    await svc.write(work)
