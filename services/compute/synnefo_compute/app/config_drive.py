"""Config drives: a small disk with a file system named `config-2`, of which the guest reads what it is.

It is a hidden disk of the server like its root disk: made, moved, and deleted with the server, neither shown nor charged. What is on it goes
from here to the volume service; Ganeti knows the disk's name alone.
"""

from __future__ import annotations

import asyncio
import base64
import io
import lzma
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import pycdlib

from synnefo_common.errors import BadRequest
from synnefo_compute.app.core import Compute
from synnefo_compute.app.guests import make_guest
from synnefo_compute.db import guests, servers
from synnefo_compute.domain.guest import File, drive_files
from synnefo_compute.settings import Settings

LABEL = "config-2"
NAME = "config-drive"
DISK = {"boot_index": None, "source": "blank", "size_gib": 1, "delete_on_termination": True, "visible": False, "name": NAME}


def is_wanted(settings: Settings, asked: bool | None, *, image: Mapping[str, Any] | None, has_files: bool) -> bool:
    """Whether a server gets one: its user, its image or the operator wants it, or there are files to bring. Raises BadRequest."""
    properties = (image or {}).get("properties") or {}
    if asked is False and has_files:
        raise BadRequest("personality: files reach the server on its config drive: leave config_drive out, or set it.")
    return bool(asked) or has_files or settings.force_config_drive or properties.get("img_config_drive") == "mandatory"


def find(volumes: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The config drive among a server's disks."""
    return next((v for v in volumes if v.get("name") == NAME and not v.get("visible", True)), None)


async def write(compute: Compute, server_id: str, *, ports: Sequence[dict[str, Any]], volumes: Sequence[dict[str, Any]], key: str) -> None:
    """Fill the server's drive; done if it has none. May be repeated until the server runs."""
    drive = find(volumes)
    if drive is None:
        return
    async with compute.db.read() as uow:
        row = await servers.get_server(uow, server_id, project_id=None)
        told = await guests.get_guest(uow, server_id)
    if row is None or told is None:
        return  # deleted meanwhile
    subnets = await compute.network.list_subnets(server_id) if ports else []
    guest = make_guest(compute, row, told, ports=ports, volumes=[v for v in volumes if v is not drive], subnets=subnets)
    files = [File(f["path"], base64.b64decode(f["contents"])) for f in told.files]
    content = drive_files(guest, files=files, admin_pass=told.admin_pass)
    packed = await asyncio.to_thread(lambda: base64.b64encode(lzma.compress(make_image(content), preset=1)).decode())
    await compute.volume.put_content(server_id, drive["id"], packed, key=key)


def make_image(files: Iterable[tuple[str, bytes]]) -> bytes:
    """An ISO 9660 image with Joliet and Rock Ridge names. What is the same in several versions is there once. Takes 30 ms of CPU."""
    image = pycdlib.PyCdlib()
    image.new(interchange_level=4, joliet=3, rock_ridge="1.09", vol_ident=LABEL)
    folders = {PurePosixPath("/")}
    first: dict[bytes, str] = {}
    for path, content in files:
        where = PurePosixPath("/") / path
        for folder in reversed(where.parents):
            if folder not in folders:
                image.add_directory(str(folder), rr_name=folder.name, joliet_path=str(folder))
                folders.add(folder)
        if content in first:
            image.add_hard_link(iso_old_path=first[content], iso_new_path=str(where), rr_name=where.name)
            image.add_hard_link(iso_old_path=first[content], joliet_new_path=str(where))
        else:
            image.add_fp(io.BytesIO(content), len(content), str(where), rr_name=where.name, joliet_path=str(where))
            first[content] = str(where)
    made = io.BytesIO()
    image.write_fp(made)
    image.close()
    return made.getvalue()
