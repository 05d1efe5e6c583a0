"""Create, find, change and delete image records. Data is `app.data`'s."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Row
from sqlalchemy.exc import IntegrityError

from synnefo_common.db import UnitOfWork
from synnefo_common.errors import BadRequest, Conflict, Forbidden
from synnefo_common.ids import is_uuid
from synnefo_image.app.services import Services
from synnefo_image.db import images
from synnefo_image.domain.errors import ImageChanged, ImageNotFound, ImageProtected
from synnefo_image.domain.image import Change, Draft, apply_patch
from synnefo_image.domain.states import Status
from synnefo_image.domain.viewing import Filters, Viewer

SORT_KEYS = tuple(images.SORT_KEYS)


def columns_of(draft: Draft) -> dict[str, Any]:
    """A draft as columns."""
    return {
        "owner": draft.owner,
        "name": draft.name,
        "visibility": draft.visibility,
        "protected": draft.protected,
        "os_hidden": draft.os_hidden,
        "container_format": draft.container_format,
        "disk_format": draft.disk_format,
        "min_ram": draft.min_ram,
        "min_disk": draft.min_disk,
        "tags": dict.fromkeys(draft.tags, "t"),
        "properties": dict(draft.properties),
    }


def draft_of(row: Row[Any]) -> Draft:
    """A row as a draft."""
    return Draft(
        owner=row.owner,
        name=row.name,
        visibility=row.visibility,
        protected=row.protected,
        os_hidden=row.os_hidden,
        container_format=row.container_format,
        disk_format=row.disk_format,
        min_ram=row.min_ram,
        min_disk=row.min_disk,
        tags=tuple(row.tags),
        properties=row.properties,
    )


def new_row(svc: Services, draft: Draft, *, image_id: str | None) -> dict[str, Any]:
    """The columns of a queued image."""
    now = svc.clock.now_us()
    return columns_of(draft) | {
        "id": (image_id or svc.ids.uuid()).lower(),
        "status": Status.QUEUED,
        "size": None,
        "virtual_size": None,
        "checksum": None,
        "os_hash_algo": None,
        "os_hash_value": None,
        "charged_bytes": 0,
        "generation": 0,
        "created_at": now,
        "updated_at": now,
    }


async def create_image(svc: Services, draft: Draft, *, image_id: str | None) -> dict[str, Any]:
    """A queued image. Raises Conflict if the id is taken."""
    row = new_row(svc, draft, image_id=image_id)
    try:
        async with svc.db.begin() as uow:
            await images.insert_image(uow, row)
    except IntegrityError as error:
        raise Conflict(f"Image ID {row['id']} already exists!", code="image.image.exists") from error
    return row


async def find(uow: UnitOfWork, image_id: str, *, viewer: Viewer, with_root: bool = False) -> Row[Any]:
    """The image. Raises ImageNotFound if it does not exist or the viewer may not see it."""
    row = await images.get(uow, image_id.lower(), viewer=viewer, with_root=with_root) if is_uuid(image_id) else None
    if row is None:
        raise ImageNotFound(image_id)
    return row


async def show_image(svc: Services, image_id: str, *, viewer: Viewer, with_root: bool = False) -> Row[Any]:
    """The image. Raises ImageNotFound."""
    async with svc.db.read() as uow:
        return await find(uow, image_id, viewer=viewer, with_root=with_root)


async def list_images(
    svc: Services, *, viewer: Viewer, filters: Filters, sort: Sequence[tuple[str, str]], limit: int, marker: str | None
) -> Sequence[Row[Any]]:
    """A page. Raises BadRequest for a marker that the viewer cannot see."""
    async with svc.db.read() as uow:
        start = None
        if marker is not None:
            start = await images.get(uow, marker, viewer=viewer) if is_uuid(marker) else None
            if start is None:
                raise BadRequest(f"Marker {marker[:64]} could not be found.", code="image.marker.not_found")
        return await images.list_page(uow, viewer=viewer, filters=filters, sort=sort, limit=limit, marker=start)


async def update_image(
    svc: Services, row: Row[Any], changes: list[Change], *, check: Callable[[str, Any], None]
) -> dict[str, Any]:
    """Apply a patch to the image as it was read. Raises ImageChanged if it is not so any more."""
    if not changes:
        return dict(row._mapping)
    draft = apply_patch(draft_of(row), changes, status=row.status, limits=svc.limits, check=check)
    values = columns_of(draft) | {"updated_at": svc.clock.now_us()}
    async with svc.db.begin() as uow:
        if not await images.change(uow, row.id, generation=row.generation, values=values):
            raise ImageChanged
    return {**row._mapping, **values}


async def set_tags(svc: Services, row: Row[Any], tags: dict[str, str]) -> None:
    """Replace the tags. Raises ImageChanged."""
    values = {"tags": tags, "updated_at": svc.clock.now_us()}
    async with svc.db.begin() as uow:
        if not await images.change(uow, row.id, generation=row.generation, values=values):
            raise ImageChanged


async def delete_image(svc: Services, image_id: str) -> None:
    """Remove the image and give its bytes back to the ledger. Raises ImageProtected, ImageNotFound."""
    async with svc.db.begin() as uow:
        gone = await images.remove(uow, image_id)
        if gone is None:
            await find(uow, image_id, viewer=Viewer(project_id=None, is_admin=True))
            raise ImageProtected(image_id)
        if gone.charged_bytes:
            svc.quota.release(
                uow,
                project_id=gone.charged_project,
                user_id=gone.charged_user,
                provisions={"image.bytes": gone.charged_bytes},
            )


async def set_active(svc: Services, row: Row[Any], *, is_active: bool) -> None:
    """Deactivate or reactivate; nothing happens if it is so already. Raises Forbidden in other statuses."""
    wanted, other = (Status.ACTIVE, Status.DEACTIVATED) if is_active else (Status.DEACTIVATED, Status.ACTIVE)
    if row.status == wanted:
        return
    verb = "reactivate" if is_active else "deactivate"
    values = {"status": wanted, "updated_at": svc.clock.now_us()}
    async with svc.db.begin() as uow:
        if row.status != other or not await images.move(uow, row.id, old=[other], values=values):
            raise Forbidden(f"Not allowed to {verb} image in status '{row.status}'", code="image.image.wrong_status")
