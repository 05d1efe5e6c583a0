"""Image data: streamed into the block store and out of it.

A root is a column of the image, written in the transaction that makes the image active: until then the blocks belong to
nobody, and the collector takes those of an upload that never ended.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from typing import Any

from sqlalchemy import Row

from synnefo_archipelago import Root, StoreError, StoreFull
from synnefo_common.clock import MICROS
from synnefo_common.errors import BadRequest, Forbidden, TooLarge, Unavailable
from synnefo_common.ids import uuid5
from synnefo_common.log import get_logger
from synnefo_image.app.images import find, new_row
from synnefo_image.app.services import Services
from synnefo_image.db import images
from synnefo_image.domain.disk_format import PLAIN, inspect, why_not
from synnefo_image.domain.errors import InvalidImage, UploadAbandoned, WrongStatus
from synnefo_image.domain.image import Draft, missing_for_data
from synnefo_image.domain.states import DOWNLOADABLE, Status
from synnefo_image.domain.viewing import Viewer

log = get_logger(__name__)
HASH_ALGO = "sha512"
_SYSTEM = Viewer(project_id=None, is_admin=True)


async def upload(
    svc: Services,
    row: Row[Any],
    chunks: AsyncIterator[bytes],
    *,
    expected: int | None,
    user_id: str,
    is_stage: bool = False,
) -> None:
    """Take the data of a queued image; it is active afterwards, or staged. Whatever goes wrong, it is queued again.

    Raises WrongStatus, BadRequest (no formats, wrong length), TooLarge (limit, quota, store full), UploadAbandoned.
    """
    if row.status != Status.QUEUED:
        raise WrongStatus(
            f"Image status transition from {row.status} to {'uploading' if is_stage else 'saving'} is not allowed"
        )
    if not is_stage:
        missing_for_data(row.disk_format, row.container_format)
    upload_id = svc.ids.uuid()
    status = Status.UPLOADING if is_stage else Status.SAVING
    begun = {"status": status, "upload_id": upload_id, "upload_until": _until(svc), "updated_at": svc.clock.now_us()}
    async with svc.db.begin() as uow:
        if not await images.move(uow, row.id, old=[Status.QUEUED], values=begun):
            raise WrongStatus(f"Image {row.id} is not queued any more.")
    try:
        root, digests = await _store(svc, row.id, upload_id, chunks, expected=expected)
        virtual_size = await _check(svc, root, row.disk_format)
        await _keep(svc, row, root, digests, virtual_size=virtual_size, upload_id=upload_id, user_id=user_id, is_stage=is_stage)
    except BaseException:
        await asyncio.shield(_give_up(svc, row.id, upload_id=upload_id, status=status))
        raise


def _until(svc: Services) -> int:
    return svc.clock.now_us() + int(svc.settings.upload_lease_s * MICROS)


async def _store(
    svc: Services, image_id: str, upload_id: str, chunks: AsyncIterator[bytes], *, expected: int | None
) -> tuple[Root, Mapping[str, str]]:
    limit = svc.settings.max_image_bytes
    renew_at = svc.clock.monotonic() + svc.settings.upload_lease_s / 4
    try:
        async with svc.store.writer(extra_hashes=("md5", HASH_ALGO)) as writer:
            async for chunk in chunks:
                if not chunk:
                    continue
                await writer.write(chunk)
                if writer.size > limit:
                    raise TooLarge(f"The image is larger than {limit} bytes.", code="image.too_large")
                if svc.clock.monotonic() >= renew_at:
                    renew_at = svc.clock.monotonic() + svc.settings.upload_lease_s / 4
                    await _renew(svc, image_id, upload_id)
            root = await writer.finish()
            if expected is not None and root.size != expected:
                raise BadRequest(
                    f"{root.size} bytes came, but {expected} were announced.", code="image.upload.incomplete"
                )
            return root, writer.hexdigests
    except StoreFull as error:
        raise TooLarge("The image store is full.", code="image.store.full") from error
    except StoreError as error:
        raise Unavailable("The image store does not answer. Try again.") from error


async def _check(svc: Services, root: Root, disk_format: str | None) -> int | None:
    """The size of the disk, as far as it is known. Raises InvalidImage for data that is not what it should be, or a trap."""

    def read(offset: int, length: int) -> bytes:
        """Headers may point behind the end: there is nothing."""
        start = min(offset, root.size)
        return svc.store.store.read(root, start, min(length, root.size - start))

    try:
        found = await svc.store.run(inspect, read)
    except StoreError as error:
        raise Unavailable("The image store does not answer. Try again.") from error
    reason = why_not(disk_format, found, most_bytes=svc.settings.max_image_bytes)
    if reason is not None:
        raise InvalidImage(f"The data is refused: {reason}.", code="image.data.refused")
    return found.virtual_size if found else root.size if disk_format is None or disk_format in PLAIN else None


async def _renew(svc: Services, image_id: str, upload_id: str) -> None:
    async with svc.db.begin() as uow:
        alive = await images.renew_upload(uow, image_id, upload_id=upload_id, until=_until(svc))
    if not alive:
        raise UploadAbandoned(f"Image {image_id} could not be found after upload: it was deleted meanwhile.")


async def _keep(
    svc: Services,
    row: Row[Any],
    root: Root,
    digests: Mapping[str, str],
    *,
    virtual_size: int | None,
    upload_id: str,
    user_id: str,
    is_stage: bool,
) -> None:
    project_id = row.owner or ""
    values = {
        **_data_columns(root, virtual_size=virtual_size, project_id=project_id, user_id=user_id),
        "checksum": digests["md5"],
        "os_hash_algo": HASH_ALGO,
        "os_hash_value": digests[HASH_ALGO],
        "upload_until": None,
        "updated_at": svc.clock.now_us(),
        "status": Status.UPLOADING if is_stage else Status.ACTIVE,
    }
    charge = svc.quota.reserved(project_id=project_id, user_id=user_id, provisions={"image.bytes": root.size})
    async with charge as commission, svc.db.begin() as uow:
        old = [Status.UPLOADING if is_stage else Status.SAVING]
        if not await images.move(uow, row.id, old=old, upload_id=upload_id, values=values):
            raise UploadAbandoned(f"Image {row.id} could not be found after upload: it was deleted meanwhile.")
        svc.quota.accept(uow, commission)


def _data_columns(root: Root, *, virtual_size: int | None, project_id: str, user_id: str) -> dict[str, Any]:
    return {
        "size": root.size,
        "virtual_size": virtual_size,
        "root": root.to_bytes(),
        "digest": root.digest,
        "charged_bytes": root.size,
        "charged_project": project_id,
        "charged_user": user_id,
        "upload_id": None,
    }


async def _give_up(svc: Services, image_id: str, *, upload_id: str, status: str) -> bool:
    """Back to queued, if this upload is still the one; no data was recorded yet."""
    values = {"status": Status.QUEUED, "upload_id": None, "upload_until": None, "updated_at": svc.clock.now_us()}
    async with svc.db.begin() as uow:
        return await images.move(uow, image_id, old=[status], upload_id=upload_id, values=values)


async def give_up_expired(svc: Services, image_id: str, *, upload_id: str, status: str) -> None:
    """Give up an upload whose process died."""
    if await _give_up(svc, image_id, upload_id=upload_id, status=status):
        log.info("upload_given_up", image_id=image_id)


async def import_staged(svc: Services, row: Row[Any]) -> None:
    """Make a staged image active. Raises WrongStatus if nothing is staged."""
    missing_for_data(row.disk_format, row.container_format)
    values = {"status": Status.ACTIVE, "updated_at": svc.clock.now_us()}
    async with svc.db.begin() as uow:
        # `upload_id` is gone as soon as all staged bytes are recorded.
        ready = row.status == Status.UPLOADING and row.size is not None
        if not ready or not await images.move(uow, row.id, old=[Status.UPLOADING], values=values):
            raise WrongStatus(f"Only images with status 'uploading' can be imported, not '{row.status}'")


def download(svc: Services, row: Row[Any], *, start: int, length: int) -> AsyncIterator[bytes]:
    """Verified bytes of a range."""
    return svc.store.iter_range(Root.from_bytes(row.root), start, length)


def check_downloadable(row: Row[Any], *, may_read_deactivated: bool) -> bool:
    """False if there is no data yet. Raises Forbidden for a deactivated image."""
    if row.status == Status.DEACTIVATED and not may_read_deactivated:
        raise Forbidden(
            "The requested image has been deactivated. Image data download is forbidden.",
            code="image.image.deactivated",
        )
    return row.status in DOWNLOADABLE and row.root is not None


async def create_from_root(
    svc: Services, draft: Draft, root_base64: str, *, user_id: str, key: str | None
) -> tuple[dict[str, Any], bool]:
    """An active image whose bytes are in the store already; the same key gives the same image. True if it is new."""
    try:
        root = Root.from_bytes(base64.b64decode(root_base64, validate=True))
    except (ValueError, StoreError) as error:
        raise BadRequest("root is not the base64 of a block store root.", code="image.root.malformed") from error
    project_id = draft.owner or ""
    image_id = uuid5("synnefo.image", key) if key else svc.ids.uuid()
    async with svc.db.read() as uow:
        there = await images.get(uow, image_id, viewer=_SYSTEM)
    if there is not None:
        return dict(there._mapping), False
    row = new_row(svc, draft, image_id=image_id) | _data_columns(
        root, virtual_size=root.size if draft.disk_format in (None, *PLAIN) else None, project_id=project_id, user_id=user_id
    )
    row["status"] = Status.ACTIVE
    charge = svc.quota.reserved(project_id=project_id, user_id=user_id, provisions={"image.bytes": root.size})
    async with charge as commission, svc.db.begin() as uow:
        await images.insert_image(uow, row)
        svc.quota.accept(uow, commission)
    return row, True


async def find_for_project(svc: Services, image_id: str, *, project_id: str | None) -> Row[Any]:
    """The image with its root, as a project sees it. Raises ImageNotFound."""
    viewer = Viewer(project_id=project_id, is_admin=project_id is None)
    async with svc.db.read() as uow:
        return await find(uow, image_id, viewer=viewer, with_root=True)
