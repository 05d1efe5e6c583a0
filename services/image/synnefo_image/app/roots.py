"""What the collector asks: which roots images hold. What freezing tells: a root of the same bytes, to be held instead."""

from __future__ import annotations

import base64
from typing import Any

from synnefo_archipelago import CorruptData, Root
from synnefo_common.errors import BadRequest
from synnefo_image.app.services import Services
from synnefo_image.db import images


async def list_roots(svc: Services, *, after: str, limit: int) -> dict[str, Any]:
    """A page of roots; `next` is the `after` of the following one."""
    async with svc.db.read() as uow:
        rows = await images.list_roots(uow, after_id=after.replace("\x00", ""), limit=limit)
    found = [{"id": row.id, "root": base64.b64encode(row.root).decode()} for row in rows]
    is_last = len(found) < limit
    return {"roots": found, "next": None if is_last else found[-1]["id"], "complete": is_last}


async def replace_root(svc: Services, image_id: str, *, old: str, new: str) -> bool:
    """Hold `new` instead of `old` (base64). False when the image is gone or holds another. Raises BadRequest."""
    try:
        blobs = [base64.b64decode(text, validate=True) for text in (old, new)]
        before, after = (Root.from_bytes(blob) for blob in blobs)
    except (ValueError, CorruptData) as error:
        raise BadRequest("That is no root.", code="image.root.invalid") from error
    if not after.is_frozen or (after.size, after.block_size) != (before.size, before.block_size):
        raise BadRequest("The new root is not the frozen form of the old one.", code="image.root.invalid")
    async with svc.db.begin() as uow:
        return await images.replace_root(uow, image_id.replace("\x00", ""), old=blobs[0], new=blobs[1], digest=after.digest)
