"""`openstack server create` with all that a guest is to be told, by the real client; then what the guest finds.

Without `--file`: openstackclient 10.5 cannot send one (it gives the open file itself to its JSON encoder).
"""

from __future__ import annotations

import io
import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pycdlib
import pytest

from synnefo_archipelago import open_store
from synnefo_compute.api.metadata import sign
from tests.stack import Stack, free_port_base

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("stack")]
SECRET = "shared with the nodes"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl me"
USER_DATA = "#cloud-config\nhostname: x\n"


class Cloud:
    """A running cloud, and the client."""

    def __init__(self, stack: Stack, port: int) -> None:
        self.stack = stack
        self.port = port

    def run(self, *arguments: str) -> Any:
        done = subprocess.run(["openstack", *arguments, "-f", "json"], env=self.stack.env(), capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def read(self, path: str, *, server: str, project: str) -> bytes:
        """As the proxy of the server's node would."""
        headers = {"X-Instance-ID": server, "X-Tenant-ID": project, "X-Instance-ID-Signature": sign(SECRET, server)}
        with urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers), timeout=10) as answer:
            return bytes(answer.read())

    def drives(self) -> list[bytes]:
        """The config drives in the block store."""
        found = []
        with open_store(f"file://{self.stack.layout.data / 'store'}") as store:
            for name in store.list_volumes():
                if store.read_volume(name, 0x8001, 5) == b"CD001":
                    found.append(store.read_volume(name, 0, 1 << 20))
        return found


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    port = free_port_base()
    env = {"SYNNEFO_COMPUTE_METADATA_SECRET": SECRET, "SYNNEFO_COMPUTE_METADATA_PORT": str(port)}
    with Stack("embedded", "fake", env=env) as stack:
        yield Cloud(stack, port)


def _on_drive(image: bytes, path: str) -> bytes:
    iso, found = pycdlib.PyCdlib(), io.BytesIO()
    iso.open_fp(io.BytesIO(image))
    iso.get_file_from_iso_fp(found, rr_path=f"/{path}")
    iso.close()
    return found.getvalue()


def test_a_guest_finds_what_the_client_sent(cloud: Cloud, tmp_path: Path) -> None:
    for name, text in (("key.pub", KEY), ("user_data", USER_DATA)):
        (tmp_path / name).write_text(text)
    cloud.run("keypair", "create", "--public-key", str(tmp_path / "key.pub"), "laptop")
    made = cloud.run(
        "server", "create", "--image", "tiny", "--flavor", "m1.nano", "--key-name", "laptop", "--config-drive", "true",
        "--user-data", str(tmp_path / "user_data"), "--property", "role=db", "--wait", "web",
    )  # fmt: skip
    assert (made["status"], made["config_drive"]) == ("ACTIVE", "True")
    server, project = made["id"], made["project_id"]
    (drive,) = cloud.drives()
    document = json.loads(_on_drive(drive, "openstack/latest/meta_data.json"))
    assert (document["uuid"], document["hostname"], document["meta"]) == (server, "web", {"role": "db"})
    assert (document["public_keys"], document["admin_pass"]) == ({"laptop": KEY}, made["adminPass"])
    assert _on_drive(drive, "openstack/latest/user_data").decode() == USER_DATA
    served = json.loads(cloud.read("/openstack/latest/meta_data.json", server=server, project=project))
    assert (served["uuid"], served["public_keys"], served["meta"]) == (server, {"laptop": KEY}, {"role": "db"})
    assert "admin_pass" not in served
    assert cloud.read("/openstack/latest/user_data", server=server, project=project).decode() == USER_DATA
    with pytest.raises(urllib.error.HTTPError) as refused:
        cloud.read("/latest", server=server, project="0" * 32)
    assert refused.value.code == 404
    refused.value.close()
    assert cloud.run("volume", "list") == []
    # The drive is no secret's last home: neither Ganeti nor a log has what is on it.
    state = b"".join(path.read_bytes() for path in (cloud.stack.layout.ganeti).rglob("*") if path.is_file())
    for secret in (made["adminPass"], USER_DATA.strip()):
        assert secret.encode() not in state
        assert secret not in cloud.stack.log("cloud")
    cloud.stack.assert_invariants()
    subprocess.run(["openstack", "server", "delete", "--wait", "web"], env=cloud.stack.env(), check=True, timeout=60)
    deadline = time.monotonic() + 20
    while cloud.drives():
        assert time.monotonic() < deadline, "the config drive outlives its server"
        time.sleep(0.2)
    cloud.stack.assert_invariants()
