"""Volume types: labels here, since all bytes are in one store. The default one is made at start and stays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row
from sqlalchemy.exc import IntegrityError

from synnefo_common.errors import BadRequest, Conflict, Forbidden, NotFound
from synnefo_common.ids import uuid5
from synnefo_volume.app.services import Services
from synnefo_volume.db import volume_types, volumes
from synnefo_volume.domain.errors import VolumeTypeNotFound


async def ensure_default(svc: Services) -> None:
    """Make the default type if it is missing."""
    name = svc.settings.default_volume_type
    row: dict[str, Any] = {
        "id": uuid5("synnefo.volume_type", name),
        "name": name,
        "description": None,
        "is_public": True,
        "extra_specs": {},
        "created_at": svc.clock.now_us(),
        "updated_at": None,
    }
    async with svc.db.begin() as uow:
        await volume_types.ensure(uow, row)


async def show_type(svc: Services, key: str, *, project_id: str | None) -> Row[Any]:
    """A type by id, or `default`. Raises VolumeTypeNotFound."""
    is_default = key == "default"
    async with svc.db.read() as uow:
        wanted = svc.settings.default_volume_type if is_default else key
        row = None if "\x00" in key else await volume_types.find(uow, wanted, project_id=project_id, by_name=is_default)
    if row is None:
        raise VolumeTypeNotFound(key)
    return row


async def list_types(svc: Services, *, project_id: str | None, is_public: bool | None) -> Sequence[Row[Any]]:
    """The types that a project may use."""
    async with svc.db.read() as uow:
        return await volume_types.list_all(uow, project_id=project_id, is_public=is_public)


async def create_type(
    svc: Services, *, name: str, description: str | None, is_public: bool, extra_specs: Mapping[str, str]
) -> Row[Any]:
    """Raises Conflict for a name that is taken."""
    row: dict[str, Any] = {
        "id": svc.ids.uuid(),
        "name": name,
        "description": description,
        "is_public": is_public,
        "extra_specs": dict(extra_specs),
        "created_at": svc.clock.now_us(),
        "updated_at": None,
    }
    try:
        async with svc.db.begin() as uow:
            await volume_types.add(uow, row)
    except IntegrityError as error:
        raise Conflict(f"Volume Type {name} already exists.", code="volume.type.exists") from error
    return await show_type(svc, row["id"], project_id=None)


async def update_type(svc: Services, row: Row[Any], values: Mapping[str, Any]) -> Row[Any]:
    """Raises Conflict for a name that is taken, BadRequest for another name of the default type."""
    if row.name == svc.settings.default_volume_type and values.get("name", row.name) != row.name:
        raise BadRequest("The default volume type keeps its name: it is in the settings.", code="volume.type.default")
    try:
        async with svc.db.begin() as uow:
            await volume_types.change(uow, row.id, {**values, "updated_at": svc.clock.now_us()})
    except IntegrityError as error:
        raise Conflict(f"Volume Type {values.get('name')} already exists.", code="volume.type.exists") from error
    return await show_type(svc, row.id, project_id=None)


async def delete_type(svc: Services, row: Row[Any]) -> None:
    """Raises BadRequest for the default type and for one that volumes have."""
    if row.name == svc.settings.default_volume_type:
        raise BadRequest(
            f"The volume type {row.id} is a default volume type and cannot be deleted.", code="volume.type.default"
        )
    async with svc.db.begin() as uow:
        if await volumes.count_of_type(uow, row.id):
            raise BadRequest("Target volume type is still in use.", code="volume.type.in_use")
        await volume_types.remove(uow, row.id)


async def list_access(svc: Services, row: Row[Any]) -> Sequence[Row[Any]]:
    """The projects of a private type. Raises NotFound for a public one."""
    if row.is_public:
        raise NotFound("Access list not available for public volume types.", code="volume.type.public")
    async with svc.db.read() as uow:
        return await volume_types.list_access(uow, row.id)


async def set_access(svc: Services, row: Row[Any], project_id: str, *, may_use: bool) -> None:
    """Raises Conflict if it is so already, NotFound if it was not given, Forbidden for a public type."""
    if row.is_public:
        raise Forbidden("Type access modification is not applicable to public volume type.", code="volume.type.public")
    async with svc.db.begin() as uow:
        if may_use and not await volume_types.grant(uow, row.id, project_id):
            raise Conflict(
                f"Volume type access for {row.id} / {project_id} combination already exists.", code="volume.type.access"
            )
        if not may_use and not await volume_types.revoke(uow, row.id, project_id):
            raise NotFound(
                f"Volume type access not found for {row.id} / {project_id} combination.", code="volume.type.access"
            )
