"""A server's guest, gathered from its row, its projections and the network service."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from synnefo_common.db import UnitOfWork
from synnefo_common.errors import BadRequest, Conflict
from synnefo_compute.app.core import Compute
from synnefo_compute.db import guests, projections
from synnefo_compute.db import servers as servers_db
from synnefo_compute.domain.errors import ServerNotFound
from synnefo_compute.domain.guest import PASSWORD_MAX, Guest
from synnefo_compute.domain.network_data import network_data


async def read_guest(compute: Compute, server_id: str, *, project_id: str, has_network_data: bool) -> Guest | None:
    """The guest of a server that lives and is the project's."""
    async with compute.db.read() as uow:
        row = await servers_db.get_server(uow, server_id, project_id=project_id)
        if row is None:
            return None
        told = await guests.get_guest(uow, server_id)
        ports = (await projections.of_servers(uow, projections.server_ports, [server_id])).get(server_id, [])
        volumes = (await projections.of_servers(uow, projections.server_volumes, [server_id])).get(server_id, [])
    subnets = await compute.network.list_subnets(server_id) if has_network_data and ports else []
    return make_guest(compute, row, told, ports=ports, volumes=volumes, subnets=subnets)


def make_guest(
    compute: Compute, row: Row[Any], told: Row[Any] | None, *, ports: Sequence[dict[str, Any]], volumes: Sequence[dict[str, Any]],
    subnets: Sequence[dict[str, Any]],
) -> Guest:  # fmt: skip
    """From what was read."""
    settings = compute.settings
    domain = f".{settings.guest_domain}" if settings.guest_domain else ""
    return Guest(
        id=row.id, project_id=row.project_id, name=row.name, hostname=row.hostname + domain, launch_index=row.launch_index,
        reservation_id=row.reservation_id, availability_zone=row.availability_zone or settings.availability_zone,
        flavor_name=row.flavor["name"], image_id=row.image_id, metadata=row.metadata, random=lambda size: _random(compute, size),
        key_name=row.key_name, public_key=told.public_key if told else None,
        user_data=None if row.user_data is None else base64.b64decode(row.user_data), password=told.password if told else "",
        ports=ports, volumes=volumes, network_data=network_data(ports, {s["id"]: s for s in subnets}), vendor_data=compute.vendor_data,
    )  # fmt: skip


def _random(compute: Compute, size: int) -> bytes:
    return base64.urlsafe_b64decode(compute.ids.token_urlsafe(size) + "==")


async def post_password(compute: Compute, server_id: str, body: bytes) -> None:
    """The guest tells its password, encrypted with the server's key. Raises Conflict if it has done so before, BadRequest."""
    if len(body) > PASSWORD_MAX:
        raise BadRequest(f"The password is too large: at most {PASSWORD_MAX} bytes.")
    async with compute.db.begin() as uow:
        if not await guests.set_password(uow, server_id, body.decode("ascii", "replace").replace("\x00", "")):
            raise Conflict("The password is set already.", code="compute.server.password_set")


async def show_password(compute: Compute, server_id: str, *, project_id: str | None) -> str:
    """What the guest has told, "" before. Raises ServerNotFound."""
    async with compute.db.read() as uow:
        await _ensure(uow, server_id, project_id=project_id)
        told = await guests.get_guest(uow, server_id)
    return told.password if told else ""


async def clear_password(compute: Compute, server_id: str, *, project_id: str | None) -> None:
    """Forget it here; the guest's own stays. Raises ServerNotFound."""
    async with compute.db.begin() as uow:
        await _ensure(uow, server_id, project_id=project_id)
        await guests.clear_password(uow, server_id)


async def _ensure(uow: UnitOfWork, server_id: str, *, project_id: str | None) -> None:
    if await servers_db.get_server(uow, server_id, project_id=project_id) is None:
        raise ServerNotFound(server_id)
