"""The volume service as compute calls it."""

from __future__ import annotations

from typing import Any

from synnefo_common.http import ServiceClient


class VolumeClient:
    """Disks of servers; writes carry the caller's idempotency key."""

    def __init__(self, peer: ServiceClient) -> None:
        self._peer = peer

    async def check(self, *, project_id: str, volumes: list[dict[str, Any]]) -> list[int]:
        """The sizes that these volumes and snapshots would have as disks. Raises the volume service's fault for a bad one."""
        body = {"project_id": project_id, "volumes": volumes}
        answer = await self._peer.call("POST", "/internal/v1/servers/check", json=body)
        return list(answer["sizes_gib"])

    async def put_volumes(self, server_id: str, body: dict[str, Any], *, key: str) -> list[dict[str, Any]]:
        """Create and attach all disks of a new server at once."""
        answer = await self._peer.put(f"/internal/v1/servers/{server_id}/volumes", body, key=key)
        return list(answer["volumes"])

    async def put_content(self, server_id: str, volume_id: str, xz: str, *, key: str) -> None:
        """Fill a hidden disk of a server that does not run yet; `xz` in base64."""
        await self._peer.put(f"/internal/v1/servers/{server_id}/volumes/{volume_id}/content", {"xz": xz}, key=key)

    async def attach(self, server_id: str, volume_id: str, body: dict[str, Any], *, key: str) -> dict[str, Any]:
        answer = await self._peer.post(f"/internal/v1/servers/{server_id}/volumes/{volume_id}", body, key=key)
        return dict(answer.get("volume", answer))

    async def detach(self, server_id: str, volume_id: str, *, key: str) -> None:
        await self._peer.delete(f"/internal/v1/servers/{server_id}/volumes/{volume_id}", key=key)

    async def remove_volumes(self, server_id: str, *, key: str) -> None:
        await self._peer.delete(f"/internal/v1/servers/{server_id}/volumes", key=key)

    async def list_volumes(self, server_id: str) -> list[dict[str, Any]]:
        answer = await self._peer.get(f"/internal/v1/servers/{server_id}/volumes")
        return list(answer["volumes"])

    async def grow_root(self, server_id: str, size_gib: int, *, key: str) -> None:
        await self._peer.put(f"/internal/v1/servers/{server_id}/volumes/root/size", {"size_gib": size_gib}, key=key)

    async def freeze(self, volume_id: str, *, project_id: str, key: str) -> dict[str, Any]:
        """A snapshot's root: `{"root": base64, "size_bytes", "digest"}`."""
        return dict(await self._peer.post(f"/internal/v1/volumes/{volume_id}/freeze", {"project_id": project_id}, key=key))
