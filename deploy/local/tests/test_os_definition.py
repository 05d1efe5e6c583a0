"""The OS definition `synnefo-image` as Ganeti calls it: a disk is a clone, and no script writes to it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

OS = Path(__file__).parents[2] / "ganeti/os/synnefo-image"


def run(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    base = {"PATH": "/usr/bin:/bin", "OS_NAME": "synnefo-image", "OS_VARIANT": "default", "INSTANCE_NAME": "snf-x", "DISK_COUNT": "1"}
    return subprocess.run([OS / script], env=base | environment, capture_output=True, text=True, check=False, timeout=10)


@pytest.mark.parametrize("reinstall", ["0", "1"])
def test_create_touches_no_disk_and_logs_no_parameter(tmp_path: Path, reinstall: str) -> None:
    disk = tmp_path / "disk"
    disk.write_bytes(b"clone of the image")
    done = run("create", DISK_0_PATH=str(disk), INSTANCE_REINSTALL=reinstall, OSP_IMG_PROPERTIES='{"s": "ecret"}', DISK_0_NAME="snf-vol-1")
    assert done.returncode == 0
    assert disk.read_bytes() == b"clone of the image"
    assert "DISK_0_NAME=snf-vol-1" in done.stderr and "ecret" not in done.stderr + done.stdout


def test_sound_parameters_are_taken() -> None:
    assert run("verify").returncode == 0
    whole = {"OSP_IMG_ID": "c0ffee00-c0ff-4eec-8ffe-c0ffeec0ffee", "OSP_IMG_FORMAT": "raw", "OSP_IMG_PROPERTIES": '{"os_distro": "debian"}'}
    assert run("verify", **whole).returncode == 0


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("OSP_IMG_FORMAT", "qcow2", "no plain disk"), ("OSP_IMG_ID", "../../etc/passwd", "id of an image"),
        ("OSP_IMG_PROPERTIES", "[]", "JSON object"), ("OSP_IMG_PROPERTIES", "$(reboot)", "JSON object"), ("OS_VARIANT", "windows", "no variant"),
    ],
)  # fmt: skip
def test_others_are_refused_with_a_reason(name: str, value: str, reason: str) -> None:
    done = run("verify", **{name: value})
    assert done.returncode == 1
    assert reason in done.stderr


@pytest.mark.parametrize("script", ["export", "import"])
def test_what_goes_around_the_store_is_refused(script: str) -> None:
    done = run(script)
    assert done.returncode == 1
    assert "through Ganeti" in done.stderr
