"""The network service as compute calls it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from synnefo_common.errors import BadRequest
from synnefo_common.http import ServiceClient


class NetworkClient:
    """Ports of servers; writes carry the caller's idempotency key."""

    def __init__(self, peer: ServiceClient) -> None:
        self._peer = peer

    async def check(self, *, project_id: str, networks: Any, security_groups: Sequence[str]) -> int:
        """How many ports a server with these networks would get. Raises the network service's fault for a bad reference."""
        body = {"project_id": project_id, "networks": networks, "security_groups": list(security_groups)}
        answer = await self._peer.call("POST", "/internal/v1/servers/check", json=body)
        return int(answer["new_ports"])

    async def change_groups(self, server_id: str, group: str, *, project_id: str, adds: bool) -> list[dict[str, Any]]:
        """Put the server's ports into a security group, or take them out; all its ports. Raises NotFound, Conflict."""
        body = {"project_id": project_id, "security_group": group, "is_member": adds}
        answer = await self._peer.put(f"/internal/v1/servers/{server_id}/security-groups", body)
        return list(answer["ports"])

    async def put_ports(self, server_id: str, body: dict[str, Any], *, key: str) -> list[dict[str, Any]]:
        """All ports of a new server at once."""
        answer = await self._peer.put(f"/internal/v1/servers/{server_id}/ports", body, key=key)
        return list(answer["ports"])

    async def add_port(self, server_id: str, body: dict[str, Any], *, key: str) -> dict[str, Any]:
        """One more port, or an existing one bound. Raises BadRequest if `auto` finds no network."""
        answer = await self._peer.post(f"/internal/v1/servers/{server_id}/ports", body, key=key)
        if not answer["ports"]:
            raise BadRequest("There is no network that the interface could be attached to: give net_id or port_id.")
        return dict(answer["ports"][0])

    async def remove_port(self, server_id: str, port_id: str, *, key: str) -> None:
        await self._peer.delete(f"/internal/v1/servers/{server_id}/ports/{port_id}", key=key)

    async def remove_ports(self, server_id: str, *, key: str) -> None:
        await self._peer.delete(f"/internal/v1/servers/{server_id}/ports", key=key)

    async def list_subnets(self, server_id: str) -> list[dict[str, Any]]:
        """The subnets in which the server has addresses."""
        answer = await self._peer.get(f"/internal/v1/servers/{server_id}/subnets")
        return list(answer["subnets"])

    async def list_ports(self, server_id: str) -> list[dict[str, Any]]:
        answer = await self._peer.get(f"/internal/v1/servers/{server_id}/ports")
        return list(answer["ports"])
