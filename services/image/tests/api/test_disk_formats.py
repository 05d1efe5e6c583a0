"""Uploads are what they are said to be, and name no other files."""

import asyncio
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest

from synnefo_common.testing import Harness

GIB = 1 << 30


def qcow2(*, size: int = GIB, backing: int = 0, features: int = 0, version: int = 3, encryption: int = 0) -> bytes:
    head = b"QFI\xfb" + struct.pack(">IQIIQI", version, backing, 8 if backing else 0, 16, size, encryption)
    return (head.ljust(72, b"\0") + struct.pack(">QQQII", features, 0, 0, 4, 104)).ljust(4096, b"\0") + b"/etc/passwd"


def vmdk(*, parent: str = "ffffffff", kind: str = "monolithicSparse", extent: str = 'RW 2048 SPARSE "disk.vmdk"') -> bytes:
    text = f'# Disk DescriptorFile\nversion=1\nparentCID={parent}\ncreateType="{kind}"\n{extent}\n'.encode()
    head = b"KDMV" + struct.pack("<IIQQQQ", 1, 3, 2048, 128, 1, 20)
    return head.ljust(512, b"\0") + text.ljust(20 * 512, b"\0")


def vdi(kind: int) -> bytes:
    head = bytearray(1024)
    head[0x40:0x44], head[0x4C:0x50], head[0x170:0x178] = b"\x7f\x10\xda\xbe", struct.pack("<I", kind), struct.pack("<Q", GIB)
    return bytes(head)


def vhd(kind: int) -> bytes:
    return (b"conectix".ljust(48, b"\0") + struct.pack(">QII", GIB, 0, kind)).ljust(1536, b"\0")


def vhdx(*, metadata: int, item: int = 0) -> bytes:
    """Tables that point where they like."""
    guids = "06a27c8b90479a4bb8fe575f050f886e", "3767a1ca36fa434db3b633f0aa44e76b", "2442a52f1bcd7648b2115dbed83bf4b8"
    region, parameters, size = (bytes.fromhex(guid) for guid in guids)
    head = b"vhdxfile".ljust(192 << 10, b"\0") + b"regi" + struct.pack("<IHHI", 0, 1, 0, 0) + region + struct.pack("<QII", metadata, 1 << 20, 1)
    items = b"".join(guid + struct.pack("<IIQ", item, 8, 0) for guid in (parameters, size))
    return head.ljust(2 << 20, b"\0") + (b"metadata" + struct.pack("<HH", 0, 2)).ljust(32, b"\0") + items


async def upload(h: Harness, disk_format: str, data: bytes) -> tuple[Any, dict[str, Any]]:
    me = h.as_member()
    image = (await me.post("/v2/images", json={"name": "i", "disk_format": disk_format, "container_format": "bare"})).json()
    answer = await me.put(image["file"], content=data, headers={"Content-Type": "application/octet-stream"})
    return answer, (await me.get(image["self"])).json()


@pytest.mark.parametrize(
    ("disk_format", "data", "reason"),
    [
        ("qcow2", qcow2(backing=4096), "backing file"),
        ("qcow2", qcow2(features=1 << 2), "in another file"),
        ("qcow2", qcow2(size=1 << 62), "tells of a disk of"),
        ("qcow2", qcow2(size=0), "tells of a disk of 0"),
        ("qcow2", qcow2(encryption=1), "encrypted"),
        ("qcow2", qcow2(version=9), "not valid"),
        ("qcow2", qcow2()[:60], "cut off"),
        ("raw", qcow2(backing=4096), "the data is qcow2, not raw"),
        ("raw", qcow2(), "the data is qcow2, not raw"),
        ("iso", vmdk(), "the data is vmdk, not iso"),
        ("vmdk", vmdk(parent="12345678"), "a parent"),
        ("vmdk", vmdk(kind="monolithicFlat", extent='RW 2048 FLAT "/etc/passwd" 0'), "other files"),
        ("vmdk", vmdk(extent='RW 2048 SPARSE "a"\nRW 2048 FLAT "/etc/shadow" 0'), "other files"),
        ("vmdk", b'# Disk DescriptorFile\nRW 1 FLAT "/etc/passwd" 0\n', "description alone"),
        ("vmdk", vmdk()[:28] + struct.pack("<QQ", 1 << 54, 20), "a parent"),  # a description far behind the end
        ("vhdx", b"vhdxfile", "not valid"),
        ("vhdx", vhdx(metadata=1 << 62), "not valid"),
        ("vhdx", vhdx(metadata=2 << 20, item=1 << 31), "cut off"),
        ("vdi", vdi(4), "a parent"),
        ("vhd", vhd(4), "a parent"),
        ("vhdx", b"vhdxfile" + bytes(1 << 20), "not valid"),
    ],
)
async def test_a_trap_is_refused_and_leaves_nothing(h: Harness, disk_format: str, data: bytes, reason: str) -> None:
    answer, image = await upload(h, disk_format, data)
    assert answer.status_code == 400, answer.text
    assert reason in answer.text
    assert (image["status"], image["size"]) == ("queued", None)
    assert not h.quota.used["image.bytes"]


@pytest.mark.parametrize(
    ("disk_format", "data", "size"),
    [("qcow2", qcow2(), GIB), ("qcow2", qcow2(version=2), GIB), ("vmdk", vmdk(), 1 << 20), ("vdi", vdi(1), GIB), ("vhd", vhd(3), GIB)],
)
async def test_the_size_of_the_disk_is_read_from_its_header(h: Harness, disk_format: str, data: bytes, size: int) -> None:
    answer, image = await upload(h, disk_format, data)
    assert answer.status_code == 204, answer.text
    assert (image["status"], image["virtual_size"], image["size"]) == ("active", size, len(data))


async def test_bytes_without_a_header_are_taken(h: Harness) -> None:
    for disk_format, data in (("raw", b"x"), ("raw", b""), ("qcow2", b"no header"), ("iso", bytes(40_000))):
        answer, image = await upload(h, disk_format, data)
        assert answer.status_code == 204, answer.text
        assert image["virtual_size"] == (None if disk_format == "qcow2" else len(data))


async def _qemu_img(*arguments: str) -> None:
    await asyncio.to_thread(subprocess.run, ["qemu-img", *arguments], check=True)


@pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")
@pytest.mark.parametrize(("disk_format", "name"), [("qcow2", "qcow2"), ("vmdk", "vmdk"), ("vdi", "vdi"), ("vhd", "vpc"), ("vhdx", "vhdx")])
async def test_what_qemu_makes_is_taken(h: Harness, tmp_path: Path, disk_format: str, name: str) -> None:
    made = tmp_path / "disk"
    await _qemu_img("create", "-q", "-f", name, str(made), "8M")
    answer, image = await upload(h, disk_format, made.read_bytes())
    assert answer.status_code == 204, answer.text
    assert 8 << 20 <= image["virtual_size"] < 9 << 20  # a VHD has whole cylinders
    if disk_format == "qcow2":
        await _qemu_img("create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", str(made), str(tmp_path / "over"))
        assert "backing file" in (await upload(h, "qcow2", (tmp_path / "over").read_bytes()))[0].text


async def test_staged_data_is_checked_as_well(h: Harness) -> None:
    me = h.as_member()
    octets = {"Content-Type": "application/octet-stream"}
    image = (await me.post("/v2/images", json={"name": "i", "disk_format": "raw", "container_format": "bare"})).json()
    assert (await me.put(f"/v2/images/{image['id']}/stage", content=qcow2(), headers=octets)).status_code == 400
    image = (await me.post("/v2/images", json={"name": "i"})).json()
    assert (await me.put(f"/v2/images/{image['id']}/stage", content=qcow2(backing=4096), headers=octets)).status_code == 400
