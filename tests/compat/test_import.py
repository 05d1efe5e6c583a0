"""An original Synnefo's pools taken over by `synnefo storage import`: its formats built here byte by byte."""

import csv
import hashlib
import json
import os
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openstack
import pytest

from tests.stack import Stack

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # the client's own
    pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK60Warning"),
    pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK50Warning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
BLOCK = 4 << 20
WRITABLE, ARCHIP, ZERO = 1, 2, 4


class OldPools:
    """Maps and blocks as the original's file blocker lays them out."""

    def __init__(self, directory: Path) -> None:
        self.maps, self.blocks = directory / "maps", directory / "blocks"
        self.maps.mkdir()
        self.blocks.mkdir()

    @staticmethod
    def place(pool: Path, name: str) -> Path:
        digest = hashlib.sha256(name.encode()).hexdigest()
        return pool / digest[:2] / digest[2:4] / digest[4:6] / name

    def put(self, pool: Path, name: str, data: bytes) -> None:
        path = self.place(pool, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def put_object(self, name: str, data: bytes) -> None:
        """A map of version 0: digests and nothing else."""
        digests = b""
        for at in range(0, len(data), BLOCK):
            block = data[at : at + BLOCK].rstrip(b"\0")
            digest = hashlib.sha256(block).digest()
            digests += digest
            self.put(self.blocks, digest.hex(), block)
        self.put(self.maps, name, digests)

    def put_volume(self, name: str, blocks: list[bytes | None], size: int) -> None:
        """A map of version 2 whose blocks have names of their own."""
        entries = b""
        for number, data in enumerate(blocks):
            own = f"{name}_{7:016x}_{number:016x}"
            flags = ZERO if data is None else WRITABLE | ARCHIP
            entries += struct.pack("<BI", flags, len(own)) + own.encode().ljust(123, b"\0")
            if data is not None:
                self.put(self.blocks, own, data)
        self.put(self.maps, name, b"AMF." + struct.pack(">IQIIQ", 2, size, BLOCK, 0, 7) + bytes(480))
        self.put(self.maps, f"{name}_{0:016x}", entries)


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with Stack("embedded", "fake") as running:
        yield running


@pytest.fixture(scope="module")
def cloud(stack: Stack) -> Iterator[Any]:
    os.environ["OS_CLIENT_CONFIG_FILE"] = str(stack.layout.root / "clouds.yaml")
    admin = openstack.connect(cloud="admin")
    admin.grant_role("ResellerAdmin", user="admin", project="admin")
    admin.close()
    connection = openstack.connect(cloud="demo")
    yield connection
    connection.close()


@pytest.fixture
def pools(tmp_path: Path) -> OldPools:
    return OldPools(tmp_path)


def write_list(path: Path, rows: list[dict[str, Any]]) -> Path:
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def take_over(stack: Stack, pools: OldPools, list_file: Path, *options: str) -> tuple[int, Any, str]:
    """Exit code, outcomes, and what went to standard error."""
    command = ["synnefo", "storage", "import", str(list_file), "--maps", f"file://{pools.maps}", "--blocks", f"file://{pools.blocks}", "--json"]
    done = subprocess.run([*command, *options], env=stack.env("admin"), capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


def test_objects_and_volumes_of_an_old_pool_come_over(stack: Stack, cloud: Any, pools: OldPools, tmp_path: Path) -> None:
    project = cloud.current_project_id
    shared, own = os.urandom(BLOCK), os.urandom(100_000)
    one, two = shared + own, shared + bytes(BLOCK) + b"end"
    pools.put_object("snf_file_1", one)
    pools.put_object("snf_file_2", two)
    disk = [b"boot" + os.urandom(1000), None, os.urandom(BLOCK)]
    pools.put_volume("vol.ext.disk0", disk, 3 * BLOCK)
    rows = [
        {
            "kind": "object",
            "map": "snf_file_1",
            "size": len(one),
            "project": project,
            "container": "pithos",
            "name": "a/one",
            "content_type": "text/x-one",
        },
        {"kind": "object", "map": "snf_file_2", "size": len(two), "project": project, "container": "pithos", "name": "two ü"},
        {"kind": "image", "map": "vol.ext.disk0", "project": project, "name": "old disk", "os_distro": "debian"},
    ]
    list_file = write_list(tmp_path / "list.csv", rows)

    code, found, _ = take_over(stack, pools, list_file, "--dry-run")
    assert code == 0 and [o["state"] for o in found] == ["readable"] * 3
    assert [c.name for c in cloud.object_store.containers()] == [] and not cloud.get_image("old disk")

    code, found, said = take_over(stack, pools, list_file)
    assert code == 0, said
    assert [o["state"] for o in found] == ["imported"] * 3
    assert found[0]["sent_bytes"] == len(one)
    assert found[1]["sent_bytes"] == 3, "a block that is there is not sent again"
    kept = cloud.object_store.get_object("a/one", container="pithos")
    assert kept.content_type == "text/x-one"
    assert cloud.object_store.download_object("a/one", container="pithos") == one
    assert cloud.object_store.download_object("two ü", container="pithos") == two
    image = cloud.get_image("old disk")
    assert image.status == "active" and image.owner == project and image.min_disk == 1
    assert image.os_distro == "debian"
    data = b"".join((block or b"").ljust(BLOCK, b"\0") for block in disk)
    assert cloud.image.download_image(image).content == data

    code, found, _ = take_over(stack, pools, list_file)
    assert code == 0 and [o["state"] for o in found] == ["there"] * 3
    assert [o["sent_bytes"] for o in found] == [0, 0, 0]
    stack.assert_invariants()


def test_a_damaged_or_missing_block_fails_its_line_alone(stack: Stack, cloud: Any, pools: OldPools, tmp_path: Path) -> None:
    project = cloud.current_project_id
    contents = {name: os.urandom(BLOCK + 10) for name in ("bad", "gone", "good")}
    for name, data in contents.items():
        pools.put_object(name, data)
    first = {name: hashlib.sha256(data[:BLOCK]).hexdigest() for name, data in contents.items()}
    pools.put(pools.blocks, first["bad"], bytes([contents["bad"][0] ^ 1]) + contents["bad"][1:BLOCK])
    pools.place(pools.blocks, first["gone"]).unlink()
    rows = [
        {"kind": "object", "map": name, "size": BLOCK + 10, "project": project, "container": "damage", "name": name}
        for name in (*contents, "never was")
    ]
    code, found, _ = take_over(stack, pools, write_list(tmp_path / "list.csv", rows))
    assert code == 1
    assert [o["state"] for o in found] == ["failed", "failed", "imported", "failed"]
    assert "is not what its name says" in found[0]["why"] and "is missing" in found[1]["why"] and "VolumeNotFound" in found[3]["why"]
    assert [o.name for o in cloud.object_store.objects("damage")] == ["good"]


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([{"kind": "volume", "map": "m", "project": "p", "name": "n"}], "line 2: kind is 'volume'"),
        ([{"kind": "object", "map": "m", "project": "p", "name": "n"}], "line 2: an object needs a container"),
        ([{"map": "m"}], "no column kind, project, name"),
    ],
)
def test_a_list_that_cannot_be_is_refused_whole(stack: Stack, pools: OldPools, tmp_path: Path, rows: list[dict[str, Any]], why: str) -> None:
    code, found, said = take_over(stack, pools, write_list(tmp_path / "list.csv", rows))
    assert code == 1 and found is None and why in said
