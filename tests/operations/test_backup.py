"""All databases into files and back; what the audit says of the cloud afterwards."""

import os
import subprocess
from pathlib import Path

import pytest

from synnefo_common import backup
from synnefo_common.db import migrate
from tests.stack import Stack, why_not

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


def run(name: str, stack: Stack, directory: Path) -> "subprocess.CompletedProcess[str]":
    env = {**os.environ, "SYNNEFO_ETC": str(stack.layout.etc)}
    return subprocess.run([str(DEPLOY / name), str(directory)], env=env, capture_output=True, text=True, check=False, timeout=300)


def openstack(stack: Stack, *arguments: str) -> str:
    done = subprocess.run(["openstack", *arguments], env=stack.env(), capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("profile", ["embedded", pytest.param("full", marks=pytest.mark.full)])
def test_a_cloud_restored_is_the_cloud_that_was_copied(profile: str, tmp_path: Path) -> None:
    if reason := why_not(profile, "fake"):
        pytest.skip(reason)
    with Stack(profile) as stack:
        openstack(stack, "server", "create", "--flavor", "m1.nano", "--image", "tiny", "--wait", "kept")
        copied = run("backup", stack, tmp_path / "copy")  # the cloud runs
        assert copied.returncode == 0, copied.stdout + copied.stderr
        assert {p.stem for p in (tmp_path / "copy").iterdir()} == {"identity", "compute", "network", "image", "volume", "object", "dispatcher"}
        assert all(p.stat().st_mode & 0o077 == 0 for p in (tmp_path / "copy").iterdir())
        openstack(stack, "network", "create", "lost")

        refused = run("restore", stack, tmp_path / "copy")
        assert refused.returncode != 0
        assert "stop it first" in refused.stderr
        stack.stop_services()
        restored = run("restore", stack, tmp_path / "copy")
        assert restored.returncode == 0, restored.stdout + restored.stderr
        stack.start()
        assert openstack(stack, "server", "list", "-f", "value", "-c", "Name", "-c", "Status") == "kept ACTIVE"
        assert "lost" not in openstack(stack, "network", "list", "-f", "value", "-c", "Name")
        openstack(stack, "server", "delete", "--wait", "kept")
        stack.assert_invariants()


def test_a_copy_that_is_damaged_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/x.db"
    migrate.upgrade(url, "synnefo_image")
    copy = tmp_path / "image.sqlite3"
    backup.backup(url, copy)
    content = bytearray(copy.read_bytes())
    content[8192:] = os.urandom(len(content) - 8192)
    copy.write_bytes(content)
    with pytest.raises(Exception, match=r"damaged|malformed"):
        backup.restore(url, copy)
    assert migrate.current(url) == migrate.head("synnefo_image")
