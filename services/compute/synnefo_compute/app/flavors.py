"""Flavors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Row

from synnefo_common.errors import BadRequest, Conflict, NotFound
from synnefo_common.web import Page
from synnefo_compute.app.core import Compute
from synnefo_compute.db import flavors as db
from synnefo_compute.domain.errors import FlavorNotFound

SORT_KEYS = frozenset(db.SORT_COLUMNS)


async def list_flavors(
    compute: Compute, page: Page, *, project_id: str | None, is_admin: bool, is_public: bool | None, min_ram: int, min_disk: int
) -> tuple[Sequence[Row[Any]], bool]:
    """A page, and whether another may follow. Raises BadRequest for an unknown marker."""
    async with compute.db.read() as uow:
        marker = None
        if page.marker is not None:
            marker = await db.get_flavor(uow, page.marker, project_id=project_id, is_admin=is_admin) if "\x00" not in page.marker else None
            if marker is None:
                raise BadRequest(f"marker [{page.marker[:60]}] not found")
        rows = await db.list_flavors(
            uow, project_id=project_id, is_admin=is_admin, is_public=is_public, min_ram=min_ram, min_disk=min_disk, sort=page.sort, marker=marker,
            limit=page.limit + 1,
        )  # fmt: skip
    return rows[: page.limit], len(rows) > page.limit


async def show_flavor(compute: Compute, flavor_id: str, *, project_id: str | None, is_admin: bool) -> Row[Any]:
    """Raises FlavorNotFound."""
    async with compute.db.read() as uow:
        row = await db.get_flavor(uow, flavor_id, project_id=project_id, is_admin=is_admin) if "\x00" not in flavor_id else None
    if row is None:
        raise FlavorNotFound(flavor_id)
    return row


async def create_flavor(compute: Compute, wanted: dict[str, Any]) -> Row[Any]:
    """Raises Conflict if the id or the name is taken."""
    flavor_id = wanted["id"] or compute.ids.uuid()
    values = {
        "id": flavor_id, "name": wanted["name"], "vcpus": wanted["vcpus"], "ram_mib": wanted["ram"], "disk_gib": wanted["disk"],
        "ephemeral_gib": wanted["ephemeral"], "swap_mib": wanted["swap"], "rxtx_factor": wanted["rxtx_factor"],
        "is_public": wanted["is_public"], "is_disabled": False, "extra_specs": {}, "created_at": compute.clock.now_us(),
    }  # fmt: skip
    async with compute.db.begin() as uow:
        if not await db.insert_flavor(uow, values):
            raise Conflict(f"Flavor with name {wanted['name']} or ID {flavor_id} already exists.", code="compute.flavor.exists")
        row = await db.get_flavor(uow, flavor_id, project_id=None, is_admin=True)
    assert row is not None
    return row


async def delete_flavor(compute: Compute, flavor_id: str) -> None:
    """Raises FlavorNotFound."""
    async with compute.db.begin() as uow:
        if "\x00" in flavor_id or not await db.delete_flavor(uow, flavor_id):
            raise FlavorNotFound(flavor_id)


def one_spec(specs: dict[str, str], key: str, flavor_id: str) -> str:
    """Raises NotFound."""
    if key not in specs:
        raise NotFound(f"Flavor {flavor_id} has no extra specs with key {key[:100]}.")
    return specs[key]


async def change_extra_specs(compute: Compute, flavor_id: str, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
    """Raises FlavorNotFound."""
    async with compute.db.begin() as uow:
        row = await db.get_flavor(uow, flavor_id, project_id=None, is_admin=True) if "\x00" not in flavor_id else None
        if row is None:
            raise FlavorNotFound(flavor_id)
        await db.set_extra_specs(uow, flavor_id, change(dict(row.extra_specs)))


async def list_access(compute: Compute, flavor_id: str) -> list[str]:
    """Raises FlavorNotFound, and NotFound for a public flavor, as Nova has it."""
    row = await show_flavor(compute, flavor_id, project_id=None, is_admin=True)
    if row.is_public:
        raise NotFound("Access list not available for public flavors.")
    async with compute.db.read() as uow:
        return await db.list_access(uow, flavor_id)


async def change_access(compute: Compute, flavor_id: str, project_id: str, *, grant: bool) -> list[str]:
    """The projects with access afterwards. Raises FlavorNotFound, NotFound, Conflict."""
    row = await show_flavor(compute, flavor_id, project_id=None, is_admin=True)
    if row.is_public and grant:
        raise Conflict("Can not add access to a public flavor.", code="compute.flavor.public")
    async with compute.db.begin() as uow:
        if grant and not await db.add_access(uow, flavor_id, project_id):
            raise Conflict(f"Flavor access already exists for flavor {flavor_id} and project {project_id} combination.")
        if not grant and not await db.remove_access(uow, flavor_id, project_id):
            raise NotFound(f"Flavor access not found for {flavor_id} / {project_id} combination.")
        return await db.list_access(uow, flavor_id)
