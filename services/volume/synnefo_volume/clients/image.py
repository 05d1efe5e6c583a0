"""The image service as volume calls it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from synnefo_common.errors import NotFound
from synnefo_common.http import ServiceClient
from synnefo_common.ids import is_uuid
from synnefo_volume.domain.errors import InvalidInput

PLAIN_FORMATS = ("raw", "iso", "ami", "aki", "ari")


class ImageClient:
    """Images to clone, and images made of volumes."""

    def __init__(self, peer: ServiceClient) -> None:
        self._peer = peer

    async def to_clone(
        self, image_id: str, *, project_id: str, size_gib: int, known: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """An active image with its root that fits into `size_gib`; `known` is what the image service said a moment ago.

        Raises InvalidInput: not there, not active, too large, or of a format that is no plain disk.
        """
        unknown = InvalidInput("Invalid image identifier or unable to access requested image.")
        if not is_uuid(image_id):
            raise unknown
        try:
            image: dict[str, Any] = known or await self._peer.get(
                f"/internal/v1/images/{image_id}?project_id={quote(project_id)}"
            )
        except NotFound as error:
            raise unknown from error
        if image["status"] != "active" or not image["root"]:
            raise InvalidInput(f"Image {image_id} is not active.")
        if image["disk_format"] not in PLAIN_FORMATS:
            raise InvalidInput(
                f"Image {image_id} has disk format {image['disk_format']}: "
                f"only {', '.join(PLAIN_FORMATS)} can become a volume."
            )
        if image["size"] > size_gib << 30:
            needed = -(-image["size"] // (1 << 30))
            raise InvalidInput(f"Size of specified image {needed}GB is larger than volume size {size_gib}GB.")
        if (image["min_disk"] or 0) > size_gib:
            raise InvalidInput(
                f"Volume size {size_gib}GB cannot be smaller than the image minDisk size {image['min_disk']}GB."
            )
        return image

    async def create(self, body: dict[str, Any], *, key: str) -> dict[str, Any]:
        """An active image of a root."""
        image: dict[str, Any] = await self._peer.post("/internal/v1/images", body, key=key)
        return image


def image_metadata(image: dict[str, Any]) -> dict[str, str]:
    """What a volume remembers of its image, as Cinder shows it: text only."""
    names = ("container_format", "disk_format", "min_disk", "min_ram", "size", "checksum")
    found = {name: str(image[name]) for name in names if image.get(name) is not None}
    found |= {"image_id": image["id"], "image_name": image.get("name") or ""}
    return {**{k: str(v) for k, v in image.get("properties", {}).items()}, **found}
