"""The load client: a fixed number of HTTP/1.1 requests over keep-alive connections, in a process of its own.

`run(…)` starts it; `python -m tests.perf.load` is the process: the specification comes on stdin, the result goes to stdout.
Raw sockets, so that the client leaves the machine's cores to the cloud.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

_BLOCK = 4 << 20  # the store's: each gets another content, so that nothing is found to be there already
_READ = 1 << 20


@dataclass(frozen=True)
class Load:
    """What a run showed. Times in ms; `ended` are seconds since the epoch, one per request, begun at `begun`."""

    n: int
    seconds: float
    p50: float
    p99: float
    bodies: list[str]
    begun: list[float]

    @property
    def rate(self) -> float:
        return self.n / self.seconds


def run(
    url: str, *, n: int, clients: int = 4, method: str = "GET", headers: dict[str, str] | None = None, tokens: list[str] | None = None,
    body: str | None = None, size: int | None = None, expect: int = 200, keep: bool = False,
) -> Load:  # fmt: skip
    """`n` requests of one kind. `{i}` in the path is the request's number; `tokens`: one each; `size`: random body bytes.

    Raises RuntimeError if an answer has another status than `expect`.
    """
    spec = {
        "url": url, "n": n, "clients": clients, "method": method, "headers": headers or {}, "tokens": tokens, "body": body, "size": size,
        "expect": expect, "keep": keep,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "tests.perf.load"], input=json.dumps(spec), capture_output=True, text=True, check=False, timeout=900
    )
    if done.returncode:
        raise RuntimeError(f"load client: {done.stderr[-3000:]}")
    return Load(**json.loads(done.stdout))


class _Client:
    """One connection. Blocking reads would be simpler, but a loop with many of them needs `asyncio`."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.spec = spec
        url = urlsplit(spec["url"])
        self.address = (url.hostname or "127.0.0.1", url.port or 80)
        self.target = url.path + (f"?{url.query}" if url.query else "")
        self.loop = asyncio.get_running_loop()
        self.buffer = bytearray(_READ)

    async def open(self) -> None:
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await self.loop.sock_connect(self.socket, self.address)

    def head(self, index: int, length: int | None) -> bytes:
        spec = self.spec
        lines = [f"{spec['method']} {self.target.replace('{i}', str(index))} HTTP/1.1", f"Host: {self.address[0]}:{self.address[1]}"]
        lines += [f"{k}: {v}" for k, v in spec["headers"].items()]
        if spec["tokens"]:
            lines.append(f"X-Auth-Token: {spec['tokens'][index % len(spec['tokens'])]}")
        if length is not None:
            lines.append(f"Content-Length: {length}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    async def request(self, index: int, body: bytes | bytearray | None) -> tuple[int, bytes]:
        head = self.head(index, None if body is None else len(body))
        if body is None or len(body) < _READ:
            await self.loop.sock_sendall(self.socket, head + (body or b""))
        else:
            await self.loop.sock_sendall(self.socket, head)
            await self.loop.sock_sendall(self.socket, body)
        return await self.answer()

    async def answer(self) -> tuple[int, bytes]:
        """Status and body; of a body that is not kept only the end is."""
        got = bytearray()
        while (end := got.find(b"\r\n\r\n")) < 0:
            got += await self.more()
        head = got[:end].decode("latin-1").lower()
        status = int(head.split(" ", 2)[1])
        length = next((int(line.split(":")[1]) for line in head.split("\r\n") if line.startswith("content-length:")), 0)
        left = 0 if self.spec["method"] == "HEAD" else length - (len(got) - end - 4)
        if left > 64 << 10 and not self.spec["keep"]:
            while left > 0:
                n = await self.loop.sock_recv_into(self.socket, self.buffer)
                if not n:
                    raise ConnectionError("closed within an answer")
                left -= n
            return status, b""
        while left > 0:
            part = await self.more()
            got += part
            left -= len(part)
        return status, bytes(got[end + 4 :])

    async def more(self) -> bytes:
        part = await self.loop.sock_recv(self.socket, _READ)
        if not part:
            raise ConnectionError("closed within an answer")
        return part


async def _main(spec: dict[str, Any]) -> dict[str, Any]:
    numbers = iter(range(spec["n"]))
    took: list[float] = []
    bodies: list[str] = [""] * spec["n"]
    begun: list[float] = [0.0] * spec["n"]
    fixed = spec["body"].encode() if spec["body"] is not None else None
    clients = [_Client(spec) for _ in range(spec["clients"])]
    payloads = [bytearray(secrets.token_bytes(spec["size"])) if spec["size"] else fixed for _ in clients]
    for client in clients:
        await client.open()

    async def work(client: _Client, payload: bytearray | bytes | None) -> None:
        for index in numbers:
            if isinstance(payload, bytearray):
                for start in range(0, len(payload), _BLOCK):
                    payload[start : start + 8] = secrets.token_bytes(min(8, len(payload)))
            begun[index] = time.time()
            started = time.perf_counter()
            status, body = await client.request(index, payload)
            took.append((time.perf_counter() - started) * 1000)
            if status != spec["expect"]:
                raise RuntimeError(f"{spec['method']} {client.target}: {status} {body[:500]!r}")
            if spec["keep"]:
                bodies[index] = body.decode()

    started = time.perf_counter()
    await asyncio.gather(*(work(c, p) for c, p in zip(clients, payloads, strict=True)))
    seconds = time.perf_counter() - started
    took.sort()
    return {
        "n": spec["n"], "seconds": seconds, "p50": took[len(took) // 2], "p99": took[int(len(took) * 0.99)],
        "bodies": bodies if spec["keep"] else [], "begun": begun if spec["keep"] else [],
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_main(json.load(sys.stdin)))))
