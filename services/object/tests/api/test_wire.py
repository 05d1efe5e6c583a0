"""What bad clients and bad disks do to the service: over a real socket, on real files."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest
import pytest_asyncio

from synnefo_common.testing import Harness, wait_until
from synnefo_object.main import build
from synnefo_object.settings import Settings

A = f"/v1/AUTH_{Harness.project_id}"
MIB = 1 << 20


class Live(NamedTuple):
    h: Harness
    port: int
    blocks: Path
    token: str


@pytest_asyncio.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    overrides = {"store_url": f"file://{tmp_path}/blocks", "listen_port": port, "client_timeout_s": 0.5}
    async with Harness(build, Settings, overrides) as h:
        await h.service._listen(h.service.app, "127.0.0.1", port)
        await h.as_member().put(f"{A}/c")
        yield Live(h, port, tmp_path / "blocks", h.token("member", "reader", project_id=h.project_id))


async def send(live: Live, *pieces: bytes, wait_s: float = 5.0) -> bytes:
    """What comes back until the connection ends or nothing more comes; an upload that is given up gets no answer read."""
    reader, writer = await asyncio.open_connection("127.0.0.1", live.port)
    got = b""
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        async with asyncio.timeout(wait_s):
            while part := await reader.read(1 << 16):
                got += part
                if b"\r\n\r\n" in got:
                    break
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.close()
    return got


def put(live: Live, name: str, *lines: str) -> bytes:
    return "\r\n".join([f"PUT {A}/c/{name} HTTP/1.1", "Host: x", f"X-Auth-Token: {live.token}", *lines, "", ""]).encode()


async def test_torn_uploads_leave_nothing(live: Live) -> None:
    me = live.h.as_member()
    half = os.urandom(5 * MIB)
    reader, writer = await asyncio.open_connection("127.0.0.1", live.port)
    writer.write(put(live, "torn", f"Content-Length: {10 * MIB}") + half)
    await writer.drain()
    writer.close()
    reader, writer = await asyncio.open_connection("127.0.0.1", live.port)
    writer.write(put(live, "chunks", "Transfer-Encoding: chunked") + b"%x\r\n" % len(half) + half + b"\r\n")
    await writer.drain()
    writer.close()
    del reader
    await asyncio.sleep(0.3)
    for name in ("torn", "chunks"):
        assert (await me.get(f"{A}/c/{name}")).status_code == 404
    head = (await me.head(f"{A}/c")).headers
    assert (head["x-container-object-count"], head["x-container-bytes-used"]) == ("0", "0")


async def test_stalled_upload_ends_with_408(live: Live) -> None:
    answer = await send(live, put(live, "slow", "Content-Length: 10"), b"half")
    assert answer.startswith(b"HTTP/1.1 408")
    assert (await live.h.as_member().get(f"{A}/c/slow")).status_code == 404


async def test_clients_that_never_finish_their_headers_keep_nobody_out(live: Live) -> None:
    slow = [await asyncio.open_connection("127.0.0.1", live.port) for _ in range(200)]
    for _, writer in slow:
        writer.write(f"PUT {A}/c/o HTTP/1.1\r\nHost: x\r\nX-A: ".encode())
    try:
        answer = await send(live, put(live, "o", "Content-Length: 2"), b"ok")
        assert answer.startswith(b"HTTP/1.1 201")
    finally:
        for _, writer in slow:
            writer.close()


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: -1"],
        ["Content-Length: x"],
        ["Content-Length: 1", "Content-Length: 2"],
        ["Content-Length: 99999999999999999999999"],
        ["Transfer-Encoding: gzip"],
        ["Transfer-Encoding: chunked", "Content-Length: 1"],
        ["Content-Length: 1", "Expect: magic"],
        ["Content-Length: 1", "X-Object-Meta-A: \x00"],
        [": empty"],
        ["no colon"],
        ["Content-Length: 1", "X-Object-Meta-A: " + "x" * 9000],
        [],
    ],
)
async def test_requests_that_are_none_are_refused(live: Live, lines: list[str]) -> None:
    answer = await send(live, put(live, "bad", *lines), b"1", wait_s=2.0)
    assert not answer or answer.split(b" ", 2)[1][:1] == b"4" or answer.startswith(b"HTTP/1.1 501"), answer[:200]
    assert (await live.h.as_member().get(f"{A}/c/bad")).status_code == 404
    assert (await send(live, put(live, "good", "Content-Length: 2"), b"ok")).startswith(b"HTTP/1.1 201")


async def test_bad_chunk_is_refused(live: Live) -> None:
    answer = await send(live, put(live, "bad", "Transfer-Encoding: chunked"), b"zz\r\nabc\r\n0\r\n\r\n", wait_s=2.0)
    assert not answer or b" 4" in answer[:13]
    assert (await live.h.as_member().get(f"{A}/c/bad")).status_code == 404


@pytest.mark.parametrize("size", [100 << 10, 9 * MIB])
@pytest.mark.parametrize("where", [0.1, 0.5, 0.99])
async def test_flipped_bit_is_never_sent(live: Live, size: int, where: float) -> None:
    me = live.h.as_member()
    body = os.urandom(size)
    await me.put(f"{A}/c/o", content=body)
    files = [path for path in live.blocks.rglob("*") if path.is_file() and path.stat().st_size > 50_000]
    assert files
    for path in files:
        path.chmod(0o600)
        with path.open("r+b") as file:
            at = int(path.stat().st_size * where)
            file.seek(at)
            old = file.read(1)
            file.seek(at)
            file.write(bytes([old[0] ^ 4]))
    reader, writer = await asyncio.open_connection("127.0.0.1", live.port)
    writer.write(f"GET {A}/c/o HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {live.token}\r\nConnection: close\r\n\r\n".encode())
    got = b""
    try:
        while part := await reader.read(1 << 20):
            got += part
    except ConnectionError:
        pass
    writer.close()
    head, _, sent = got.partition(b"\r\n\r\n")
    if head.startswith(b"HTTP/1.1 200"):
        assert len(sent) < size and body.startswith(sent)
    else:
        assert head.startswith(b"HTTP/1.1 5")
    assert (await send(live, put(live, "other", "Content-Length: 2"), b"ok")).startswith(b"HTTP/1.1 201")


async def test_client_that_leaves_a_download_keeps_nothing_busy(live: Live) -> None:
    me = live.h.as_member()
    await me.put(f"{A}/c/o", content=os.urandom(20 * MIB))
    for _ in range(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", live.port)
        writer.write(f"GET {A}/c/o HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {live.token}\r\n\r\n".encode())
        await reader.read(1000)
        writer.transport.abort()

    async def quiet() -> bool:
        return (await me.get(f"{A}/c/o", headers={"Range": "bytes=0-9"})).status_code == 206

    await wait_until(quiet)
