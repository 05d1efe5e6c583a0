"""What compute writes into a server's disk before the server sees it: the files of its config drive. Not for users' volumes."""

from __future__ import annotations

import base64
import binascii
import lzma

from synnefo_common.errors import NotFound, Unavailable
from synnefo_volume.app.services import Services
from synnefo_volume.app.store import store_faults
from synnefo_volume.db import volumes
from synnefo_volume.domain.errors import InvalidInput, VolumeBusy

MOST_BYTES = 16 << 20
_OWNER = "config-drive"


async def put_content(svc: Services, server_id: str, volume_id: str, *, xz: str) -> None:
    """Make this, and zeroes behind it, all that the disk holds. May be repeated.

    Raises NotFound unless it is a hidden disk of the server, InvalidInput, Unavailable while somebody has it open.
    """
    content = _unpack(xz)
    async with svc.db.read() as uow:
        row = next((r for r in await volumes.of_server(uow, server_id) if r.id == volume_id.lower()), None)
    if row is None or not row.is_hidden or row.a_boot_index is not None:
        raise NotFound(f"Server {server_id} has no disk {volume_id}.", code="volume.server.no_disk")
    try:
        with store_faults(row.id):
            disk = await svc.store.open_volume(row.id, owner=_OWNER)
            try:
                await disk.trim(0, disk.size)
                await disk.write(0, content)
                await disk.flush()
            finally:
                await disk.close()
    except VolumeBusy as error:  # a writer that died holds its lease for some seconds: the caller tries again
        raise Unavailable(error.message) from error


def _unpack(text: str) -> bytes:
    try:
        unpacker = lzma.LZMADecompressor(memlimit=64 << 20)
        content = unpacker.decompress(base64.b64decode(text, validate=True), max_length=MOST_BYTES)
    except (binascii.Error, ValueError, lzma.LZMAError):
        raise InvalidInput("The content is not base64 of xz.") from None
    if not unpacker.eof:
        raise InvalidInput(f"The content is cut off, or has more than {MOST_BYTES} bytes.")
    return content
