"""The ExtStorage provider `archipelago` as Ganeti calls it, installed by `install-node`, beside a real NBD server."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from synnefo_archipelago import open_store

PARTS = Path(__file__).parents[2] / "ganeti"
ACTIONS = ("create", "attach", "detach", "remove", "grow", "setinfo", "verify", "open", "close")
MIB = 1 << 20
needed = [name for name in ("nbdkit", "nbdinfo", "qemu-io") if shutil.which(name) is None]


class Provider:
    """The scripts, with the environment of one disk."""

    def __init__(self, folder: Path, socket: Path) -> None:
        words: list[str | Path] = ["--os-dir", folder / "os", "--extstorage-dir", folder / "ext"]
        words += ["--iallocator-dir", folder / "ia", "--log-dir", folder / "log"]
        subprocess.run([PARTS / "install-node", *words], check=True)
        self.folder, self.socket = folder / "ext/archipelago", socket

    def run(self, action: str, **environment: str) -> subprocess.CompletedProcess[str]:
        given = {"VOL_NAME": "uuid.ext.disk0", "VOL_CNAME": "snf-vol-vol", "VOL_SIZE": "64", "SYNNEFO_NBD_SOCKET": str(self.socket)}
        base = {"PATH": os.environ["PATH"], "SYNNEFO_NODE_CONF": "/nonexistent"}
        command = [self.folder / action]
        return subprocess.run(command, env=base | given | environment, capture_output=True, text=True, check=False, timeout=30)


@pytest.fixture
def provider(tmp_path: Path) -> Provider:
    return Provider(tmp_path, tmp_path / "nbd.sock")


@pytest.fixture
def served(tmp_path: Path, provider: Provider) -> Iterator[Provider]:
    """With a volume `vol` of 64 MiB behind a server."""
    if needed:
        pytest.skip(f"{', '.join(needed)} not installed")
    with open_store(f"file://{tmp_path}/store") as store:
        store.create_volume("vol", 64 * MIB)
    words: list[str | Path] = ["--store", f"file://{tmp_path}/store", "--socket", provider.socket, "--state", tmp_path / "state", "--owner", "node1"]
    with subprocess.Popen([sys.executable, "-m", "synnefo_archipelago.nbd", *words]) as server:
        try:
            deadline = time.monotonic() + 20
            while not provider.socket.exists():
                assert time.monotonic() < deadline
                time.sleep(0.02)
            yield provider
        finally:
            server.kill()


@pytest.mark.parametrize("action", ACTIONS)
def test_each_action_succeeds_and_again(served: Provider, action: str) -> None:
    for _ in range(2):
        done = served.run(action, VOL_NEW_SIZE="128", VOL_METADATA="snf-x", VOL_OPEN_EXCLUSIVE="True")
        assert (done.returncode, done.stderr) == (0, "")
        assert (action == "attach") == bool(done.stdout)


def test_qemu_reads_and_writes_where_attach_says(served: Provider) -> None:
    first, uri = served.run("attach").stdout.splitlines()
    assert first == ""  # there is no block device
    hypervisor, _, uri = uri.partition(":")
    assert hypervisor == "kvm"
    words = ["qemu-io", "-f", "raw", "-c", "write -P 7 1M 64k", "-c", "flush", "-c", "read -P 7 1M 64k", uri]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0 and "failed" not in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"VOL_CNAME": "other"}, "volume 'other' is not in the store"), ({"VOL_SIZE": "65"}, "'vol' has 64 MiB, and Ganeti wants 65"),
        ({"VOL_SIZE": "0"}, "whole number of MiB above 0"), ({"VOL_CNAME": "../x"}, "bad volume name"), ({"VOL_CNAME": "a?b"}, "bad volume name"),
    ],
)  # fmt: skip
def test_creation_of_what_is_not_right_says_what(served: Provider, environment: dict[str, str], words: str) -> None:
    done = served.run("create", **environment)
    assert done.returncode == 1
    assert words in done.stderr


def test_node_without_a_server_takes_disks_unless_it_must_have_one(provider: Provider) -> None:
    assert provider.run("create").returncode == 0
    refused = provider.run("create", SYNNEFO_NBD_REQUIRED="1")
    assert refused.returncode == 1
    assert "no NBD server listens" in refused.stderr
    assert provider.run("remove", SYNNEFO_NBD_REQUIRED="1").returncode == 0  # what is forgotten needs no server
    assert provider.run("grow", VOL_NEW_SIZE="32").returncode == 1
    assert provider.run("snapshot").returncode == 1
