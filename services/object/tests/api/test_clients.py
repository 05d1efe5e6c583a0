"""The real `swift` client against the service on a loopback port."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from synnefo_common.testing import Harness
from synnefo_object.main import build
from synnefo_object.settings import Settings

pytestmark = pytest.mark.slow  # two dozen processes of the client


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@pytest_asyncio.fixture
async def live(tmp_path: Path) -> AsyncIterator[tuple[Harness, str]]:
    port = free_port()
    overrides = {"store_url": f"file://{tmp_path}/blocks", "listen_port": port}
    async with Harness(build, Settings, overrides) as h:
        await h.service._listen(h.service.app, "127.0.0.1", port)
        yield h, f"http://127.0.0.1:{port}/v1/AUTH_{h.project_id}"


async def swift(live: tuple[Harness, str], *arguments: str, cwd: Path) -> str:
    h, url = live
    token = h.token("member", "reader", project_id=h.project_id)
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).parent / "swift"),
        "--os-storage-url",
        url,
        f"--os-auth-token={token}",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=cwd,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, out.decode()
    return out.decode()


@pytest.mark.parametrize("slo", [False, True])
async def test_segmented_upload_comes_back(live: tuple[Harness, str], tmp_path: Path, slo: bool) -> None:
    data = os.urandom(5_000_000)
    (tmp_path / "file.bin").write_bytes(data)
    kind = ["--use-slo"] if slo else ["--use-dlo"]
    await swift(live, "upload", "c", "file.bin", "--segment-size", "1500000", *kind, cwd=tmp_path)
    assert "file.bin" in await swift(live, "list", "c", cwd=tmp_path)
    out = await swift(live, "stat", "c", "file.bin", cwd=tmp_path)
    assert "5000000" in out
    await swift(live, "download", "c", "file.bin", "-o", "back", cwd=tmp_path)
    assert (tmp_path / "back").read_bytes() == data
    await swift(live, "upload", "c", "file.bin", "--segment-size", "1500000", "--changed", *kind, cwd=tmp_path)
    await swift(live, "post", "c", "-r", ".r:*", cwd=tmp_path)
    await swift(live, "copy", "c", "file.bin", "-d", "/c/copy", cwd=tmp_path)
    await swift(live, "delete", "--all", cwd=tmp_path)
    assert await swift(live, "list", cwd=tmp_path) == ""
    stat = await swift(live, "stat", cwd=tmp_path)
    assert "Containers: 0" in stat and "Bytes: 0" in stat


async def test_folder_and_capabilities(live: tuple[Harness, str], tmp_path: Path) -> None:
    for name in ("d/a", "d/b/c", "d/empty"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name if "empty" not in name else "")
    await swift(live, "upload", "c", "d", cwd=tmp_path)
    assert (await swift(live, "list", "c", cwd=tmp_path)).split() == ["d/a", "d/b/c", "d/empty"]
    assert "slo" in await swift(live, "capabilities", cwd=tmp_path)
    await swift(live, "download", "c", "-D", "out", cwd=tmp_path)
    assert (tmp_path / "out/d/b/c").read_text() == "d/b/c"
