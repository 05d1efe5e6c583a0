"""Fake clusters behind HTTPS: sockets, TLS, headers, and the faults that are done to a connection.

Not for: what a call answers, that is `rapi`.
"""

import asyncio
import contextlib
import random
import secrets
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import uvicorn

from synnefo_fake_ganeti.certificate import ensure_certificate
from synnefo_fake_ganeti.rapi import FakeRapi, Reply, Settings, User
from synnefo_fake_ganeti.store import FileStore

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
CONNECTION_FAULTS = ("lost_answer", "reset", "reset_in_body")


@dataclass(frozen=True)
class ClusterFiles:
    """What a client needs, also written to `<state>/<name>/cluster.json`."""

    name: str
    url: str
    user: str
    password: str
    reader: str
    reader_password: str
    certificate: str


class RapiAsgi:
    """The ASGI face of a fake cluster: no keep-alive, as with the real one."""

    def __init__(self, rapi: FakeRapi) -> None:
        self._rapi = rapi

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        path = scope["raw_path"].decode("latin-1")
        query = scope["query_string"].decode("latin-1")
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        reply = await self._rapi.handle(scope["method"], f"{path}?{query}" if query else path, headers, body)
        kind = None if reply.fault is None else reply.fault["fault"]
        if kind in CONNECTION_FAULTS:
            await self._break_connection(reply, send, has_half_body=kind == "reset_in_body")
            return
        await self._start(reply, send, len(reply.body))
        await send({"type": "http.response.body", "body": reply.body})

    @staticmethod
    async def _start(reply: Reply, send: Send, length: int) -> None:
        headers = {**reply.headers, "Connection": "close", "Server": "Ganeti 3.0.2", "Content-Length": str(length)}
        encoded = [(key.lower().encode(), value.encode()) for key, value in headers.items()]
        await send({"type": "http.response.start", "status": reply.status, "headers": encoded})

    async def _break_connection(self, reply: Reply, send: Send, *, has_half_body: bool) -> None:
        transport = getattr(send, "__self__").transport  # uvicorn gives an application no other way  # noqa: B009
        if has_half_body:
            await self._start(reply, send, len(reply.body) + 1000)
            await send({"type": "http.response.body", "body": reply.body[:1], "more_body": True})
            await asyncio.sleep(0.05)
        transport.abort()


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield  # signals are the affair of `serve`, which has several servers


def _users(directory: Path) -> dict[str, str]:
    """Names and passwords; generated once."""
    path = directory / "passwords.json"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_bytes(orjson.dumps({"synnefo": secrets.token_urlsafe(18), "reader": secrets.token_urlsafe(18)}))
    passwords: dict[str, str] = orjson.loads(path.read_bytes())
    return passwords


def _bind(host: str, port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((host, port))
    return bound


@contextlib.asynccontextmanager
async def run_cluster(
    name: str,
    port: int,
    *,
    state_dir: Path,
    settings: Settings,
    host: str = "127.0.0.1",
    seed: int | None = None,
    sync: bool = True,
) -> AsyncIterator[ClusterFiles]:
    """One fake cluster for as long as the context is open; port 0 takes a free one."""
    directory = state_dir / name
    directory.mkdir(parents=True, exist_ok=True)
    certificate, key = ensure_certificate(directory)
    passwords = _users(directory)
    rapi = FakeRapi(
        name,
        {user: User(password, may_write=user == "synnefo") for user, password in passwords.items()},
        settings=settings,
        store=FileStore(directory / "state", sync=sync),
        random_source=random.SystemRandom() if seed is None else random.Random(seed),
    )
    bound = _bind(host, port)
    config = uvicorn.Config(
        RapiAsgi(rapi),
        ssl_certfile=certificate,
        ssl_keyfile=key,
        ssl_version=ssl.PROTOCOL_TLS_SERVER,
        log_level="error",
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
        backlog=1024,
    )
    server = _Server(config)
    await rapi.start()
    task = asyncio.create_task(server.serve(sockets=[bound]))
    try:
        while not server.started:
            if task.done():
                task.result()
            await asyncio.sleep(0.01)
        files = ClusterFiles(
            name=name,
            url=f"https://{host}:{bound.getsockname()[1]}",
            user="synnefo",
            password=passwords["synnefo"],
            reader="reader",
            reader_password=passwords["reader"],
            certificate=str(certificate),
        )
        written = directory / "cluster.json"
        written.touch(mode=0o600)
        written.write_bytes(orjson.dumps(files, option=orjson.OPT_INDENT_2))
        yield files
    finally:
        server.should_exit = True
        await task
        await rapi.stop()
        bound.close()


async def serve(
    clusters: dict[str, int],
    *,
    state_dir: Path,
    settings: Settings,
    host: str = "127.0.0.1",
    seed: int | None = None,
    sync: bool = True,
) -> None:
    """All clusters until SIGTERM or SIGINT; says on standard output when they answer."""
    stopping = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stopping.set)
    async with contextlib.AsyncExitStack() as stack:
        running = [
            await stack.enter_async_context(run_cluster(name, port, state_dir=state_dir, settings=settings, host=host, seed=seed, sync=sync))
            for name, port in clusters.items()
        ]
        print("fake-ganeti ready " + " ".join(f"{files.name}={files.url}" for files in running), flush=True)
        await stopping.wait()
