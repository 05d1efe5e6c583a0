"""Ports and volumes of servers, as their owners tell."""

from __future__ import annotations

from synnefo_common.bus import Consumers
from synnefo_common.contracts.envelope import Envelope
from synnefo_common.db import UnitOfWork
from synnefo_compute.db import projections
from synnefo_compute.db.projections import server_ports, server_volumes


def register(consumers: Consumers) -> None:
    """Listen to network and volume."""

    @consumers.on("network.port.created", "network.port.updated")
    async def port_changed(uow: UnitOfWork, message: Envelope) -> None:
        port, server_id = message.data["port"], message.data.get("device_id")
        if server_id and message.data.get("device_owner", "compute:").startswith("compute:"):
            await projections.put(uow, server_ports, server_id, [port], seq=message.aggregate_seq)
        elif message.type == "network.port.updated":
            await projections.drop(uow, server_ports, port["id"])

    @consumers.on("network.port.deleted")
    async def port_deleted(uow: UnitOfWork, message: Envelope) -> None:
        await projections.drop(uow, server_ports, message.data["port"]["id"])

    @consumers.on("volume.attachment.created")
    async def volume_attached(uow: UnitOfWork, message: Envelope) -> None:
        await projections.put(uow, server_volumes, message.data["server_id"], [message.data["volume"]], seq=message.aggregate_seq)

    @consumers.on("volume.attachment.deleted")
    async def volume_detached(uow: UnitOfWork, message: Envelope) -> None:
        await projections.drop(uow, server_volumes, message.data["volume"]["id"], server_id=message.data["server_id"])
