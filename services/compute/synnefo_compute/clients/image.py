"""The image service as compute calls it."""

from __future__ import annotations

from typing import Any

from synnefo_common.http import ServiceClient


class ImageClient:
    """Images to boot from, and images made of servers."""

    def __init__(self, peer: ServiceClient) -> None:
        self._peer = peer

    async def get_image(self, image_id: str, *, project_id: str) -> dict[str, Any]:
        """Raises NotFound if the project may not see it."""
        return dict(await self._peer.get(f"/internal/v1/images/{image_id}?project_id={project_id}"))

    async def create_image(self, body: dict[str, Any], *, key: str) -> str:
        """Register an active image; its id."""
        return str((await self._peer.post("/internal/v1/images", body, key=key))["id"])
