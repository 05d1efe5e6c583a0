"""The hand-made boot sector is a boot sector, and a PC that boots from it says its line."""

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from synnefo_local.tiny_image import DISK_BYTES, MESSAGE, boot_sector, tiny_disk


def test_disk_is_one_mebibyte_and_bootable() -> None:
    disk = tiny_disk()
    assert len(disk) == DISK_BYTES == 1 << 20
    assert disk[510:512] == b"\x55\xaa"


@pytest.mark.parametrize("message", [b"x" * 500, b"a\0b"])
def test_message_that_cannot_be_shown_is_refused(message: bytes) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        boot_sector(message)


@pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="qemu-system-x86_64 is not installed")
def test_a_machine_booting_from_it_prints_its_line_on_the_serial_port(tmp_path: Path) -> None:
    disk, serial = tmp_path / "tiny.raw", tmp_path / "serial"
    disk.write_bytes(tiny_disk())
    machine = subprocess.Popen(
        ["qemu-system-x86_64", "-nodefaults", "-display", "none", "-accel", "tcg", "-m", "16",
         "-drive", f"file={disk},format=raw,if=ide", "-serial", f"file:{serial}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not (serial.exists() and MESSAGE in serial.read_bytes()):
            assert machine.poll() is None, "qemu stopped"
            time.sleep(0.05)
        assert MESSAGE in serial.read_bytes()
    finally:
        machine.kill()
        machine.wait()
