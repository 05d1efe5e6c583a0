"""What uploaded bytes really are: the headers of disk formats, their sizes, and the traps in them. Pure.

No disk of another format than a plain one is ever opened here or on a node; still a header that names other files, or lies of its size, is
refused at the door: whoever downloads the image might open it.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass

Read = Callable[[int, int], bytes]  # offset, length; shorter at the end
PLAIN = frozenset({"raw", "iso", "ami", "ari", "aki"})
_SECTOR = 512
_QCOW2_DATA_FILE = 1 << 2
_VHDX_METADATA = bytes.fromhex("06a27c8b90479a4bb8fe575f050f886e")
_VHDX_PARAMETERS = bytes.fromhex("3767a1ca36fa434db3b633f0aa44e76b")
_VHDX_SIZE = bytes.fromhex("2442a52f1bcd7648b2115dbed83bf4b8")


@dataclass(frozen=True)
class Disk:
    """`virtual_size`: of the disk in the file; None where the header does not tell. `trap`: why it is not taken."""

    format: str
    virtual_size: int | None = None
    trap: str | None = None


def inspect(read: Read) -> Disk | None:
    """The disk that the header tells of; None: no known header, so the bytes are the disk. Never raises for what it reads."""
    head = read(0, _SECTOR)
    for magic, offset, look in _MAGICS:
        if head[offset : offset + len(magic)] == magic:
            try:
                return look(head, read)
            except (struct.error, IndexError):
                return Disk(look.__name__.strip("_"), trap="its header is cut off")
    return None


def why_not(declared: str | None, found: Disk | None, *, most_bytes: int) -> str | None:
    """Why an image of the declared format (None: to be declared) is refused, or None.

    Bytes without any header may be called what one likes: nobody opens them as more than bytes.
    """
    if found is None:
        return None
    if declared is not None and declared != found.format:
        return f"the data is {found.format}, not {declared}"
    if found.trap:
        return found.trap
    if found.virtual_size is not None and not 0 < found.virtual_size <= most_bytes:
        return f"its header tells of a disk of {found.virtual_size} bytes"
    return None


def _qcow2(head: bytes, read: Read) -> Disk:
    version, backing, _length, bits, size, encryption = struct.unpack_from(">IQIIQI", head, 4)
    trap = None
    if version not in (2, 3) or not 9 <= bits <= 21:
        trap = "its qcow2 header is not valid"
    elif backing:
        trap = "it has a backing file"
    elif encryption:
        trap = "it is encrypted"
    elif version == 3 and struct.unpack_from(">Q", head, 72)[0] & _QCOW2_DATA_FILE:
        trap = "its data is in another file"
    elif version == 3 and struct.unpack_from(">Q", head, 72)[0] >> 5:
        trap = "it has features that are not known"
    return Disk("qcow2", size, trap)


def _vmdk(head: bytes, read: Read) -> Disk:
    if head[:4] != b"KDMV":
        return Disk("vmdk", trap="it is a description alone: the data is in other files")
    capacity, _grain, place, length = struct.unpack_from("<QQQQ", head, 12)
    if not 0 < length <= 2048:
        return Disk("vmdk", capacity * _SECTOR, "it has no description")
    text = read(place * _SECTOR, length * _SECTOR).split(b"\0")[0].decode("latin-1")
    values = {k.strip().lower(): v.strip().strip('"') for k, eq, v in (line.partition("=") for line in text.splitlines()) if eq}
    extents = re.findall(r"^\s*(?:RW|RDONLY|NOACCESS)\s+\d+\s+(\w+)", text, flags=re.MULTILINE | re.IGNORECASE)
    trap = None
    if values.get("parentcid", "").lower() != "ffffffff":
        trap = "it has a parent"
    elif values.get("createtype") not in ("monolithicSparse", "streamOptimized") or [e.upper() for e in extents] != ["SPARSE"]:
        trap = "its data is in other files"
    return Disk("vmdk", capacity * _SECTOR, trap)


def _vdi(head: bytes, read: Read) -> Disk:
    kind, size = struct.unpack_from("<I", head, 0x4C)[0], struct.unpack_from("<Q", head, 0x170)[0]
    return Disk("vdi", size, None if kind in (1, 2) else "it has a parent")


def _vhd(head: bytes, read: Read) -> Disk:
    size, kind = struct.unpack_from(">Q", head, 48)[0], struct.unpack_from(">I", head, 60)[0]
    return Disk("vhd", size, None if kind in (2, 3) else "it has a parent")


def _vhdx(head: bytes, read: Read) -> Disk:
    regions = _entries(read(192 << 10, 64 << 10), b"regi", count_at=8, first=16, form="<QI")
    start, _length = regions.get(_VHDX_METADATA, (0, 0))
    items = _entries(read(start, 64 << 10), b"metadata", count_at=10, first=32, form="<II") if start else {}
    if _VHDX_PARAMETERS not in items or _VHDX_SIZE not in items:
        return Disk("vhdx", trap="its vhdx header is not valid")
    flags = struct.unpack("<I", read(start + items[_VHDX_PARAMETERS][0] + 4, 4))[0]
    size = struct.unpack("<Q", read(start + items[_VHDX_SIZE][0], 8))[0]
    return Disk("vhdx", size, "it has a parent" if flags & 2 else None)


def _entries(table: bytes, magic: bytes, *, count_at: int, first: int, form: str) -> dict[bytes, tuple[int, int]]:
    """GUID → (offset, length) of a table of a VHDX."""
    if not table.startswith(magic):
        return {}
    count = struct.unpack_from("<H", table, count_at)[0]
    places = [first + 32 * i for i in range(min(count, 2047))]
    return {table[p : p + 16]: struct.unpack_from(form, table, p + 16) for p in places}


_MAGICS: tuple[tuple[bytes, int, Callable[[bytes, Read], Disk]], ...] = (
    (b"QFI\xfb", 0, _qcow2), (b"KDMV", 0, _vmdk), (b"# Disk DescriptorFile", 0, _vmdk), (b"\x7f\x10\xda\xbe", 0x40, _vdi),
    (b"conectix", 0, _vhd), (b"vhdxfile", 0, _vhdx),
)  # fmt: skip
