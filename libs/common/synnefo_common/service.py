"""A service as a whole: what every composition root builds (`Kit`), start and stop.

Not for any one service's own parts: those are in its `main.build`. Its command line is `command`.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import uvicorn
from fastapi import FastAPI
from sqlalchemy import MetaData

from synnefo_common.auth.revocation import RevocationLog
from synnefo_common.auth.verifier import LocalVerifier, TokenVerifier
from synnefo_common.bus import Bus, ConsumerRunner, Consumers, MemoryBus, Relay
from synnefo_common.clock import Clock, SystemClock
from synnefo_common.db import Database
from synnefo_common.holder import free_the_dead
from synnefo_common.housekeeping import keep_house
from synnefo_common.http import HttpClient, IdentityKeys, ServiceClient, ServiceIdentity
from synnefo_common.ids import IdSource, RandomIds
from synnefo_common.log import get_logger
from synnefo_common.quota import QuotaClient
from synnefo_common.reconcile import Reconciler
from synnefo_common.saga import SagaEngine
from synnefo_common.settings import SERVICES, ServiceSettings
from synnefo_common.web.app import create_worker_app
from synnefo_common.web.commissions import commission_routes
from synnefo_common.web.metrics import Reader
from synnefo_common.web.state_metrics import work_reader

log = get_logger(__name__)
Task = Callable[[], Coroutine[Any, Any, None]]


@dataclass
class Kit:
    """What a composition root starts from. Tests replace any part."""

    name: str
    settings: ServiceSettings
    clock: Clock
    ids: IdSource
    db: Database
    bus: Bus
    http: HttpClient
    identity: ServiceIdentity
    verifier: TokenVerifier
    peers: dict[str, ServiceClient]
    quota: QuotaClient
    owns_bus: bool = True

    def ready_checks(self) -> list[Callable[[], Awaitable[str | None]]]:
        """What every service needs before it is ready: its database, and a revocation log that is fresh."""

        async def database() -> str | None:
            await self.db.ping()
            return None

        async def tokens() -> str | None:
            fresh = getattr(self.verifier, "ready", lambda: True)()
            return None if fresh else "the revocation log has not been read from identity yet"

        return [database, tokens]


def make_kit(
    settings: ServiceSettings,
    *,
    bus: Bus | None = None,
    clock: Clock | None = None,
    ids: IdSource | None = None,
    verifier: TokenVerifier | None = None,
    http: HttpClient | None = None,
    quota: QuotaClient | None = None,
) -> Kit:
    """Build the common parts of a service from its settings; what is given is used as it is."""
    name = settings.section
    common = settings.common
    clock = clock or SystemClock()
    ids = ids or RandomIds()
    http = http or HttpClient()
    db = Database(settings.database_url, clock=clock, ids=ids)
    identity = ServiceIdentity(name, settings.service_password, common, http, old_password=settings.service_password_old, clock=clock)
    if verifier is None:
        source = IdentityKeys(common, http, identity)
        # A poll that waited out the log's age would make the log look too old with identity well.
        revocations = RevocationLog(source, clock=clock, wait_s=min(20.0, common.revocation_max_age_s / 3))
        verifier = LocalVerifier(source, revocations, clock=clock, max_age_s=common.revocation_max_age_s)
    peers = {peer: ServiceClient(peer, common, http, identity, clock=clock) for peer in SERVICES}
    return Kit(
        name=name, settings=settings, clock=clock, ids=ids, db=db, bus=bus or make_bus(common.bus_url), http=http,
        identity=identity, verifier=verifier, peers=peers, quota=quota or QuotaClient(peers["identity"], issuer=name, clock=clock, ids=ids, db=db),
        owns_bus=bus is None,
    )  # fmt: skip


def make_bus(url: str) -> Bus:
    """The bus of a settings URL: `memory:` or amqp://…"""
    if url.startswith("memory:"):
        return MemoryBus(is_strict=True)
    from synnefo_common.bus.rabbit import RabbitBus

    return RabbitBus(url)


@dataclass
class Service:
    """A built service. `start` and `stop` are all that a process needs."""

    kit: Kit
    app: FastAPI
    metadata: MetaData
    consumers: Consumers = field(default_factory=lambda: Consumers("none"))
    sagas: SagaEngine | None = None
    reconcilers: Sequence[Reconciler[Any, Any]] = ()
    serve_tasks: Sequence[Task] = ()  # run where the API runs
    work_tasks: Sequence[Task] = ()  # run where the worker runs
    on_declare: Sequence[Callable[[], Awaitable[None]]] = ()  # queues beside the service's own: make them exist
    on_start: Sequence[Callable[[], Awaitable[None]]] = ()  # before anything is served
    on_stop: Sequence[Callable[[], Awaitable[None]]] = ()
    extra_apps: Sequence[tuple[str, int, Any]] = ()  # host ("": the API's), port, ASGI application (metadata, console)
    state_metrics: Sequence[Reader] = ()  # gauges of the service's own state, beside those of its messages and sagas
    runner: ConsumerRunner = field(init=False)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _servers: list[uvicorn.Server] = field(default_factory=list)
    _is_draining: bool = False

    def __post_init__(self) -> None:
        self.runner = ConsumerRunner(self.kit.db, self.kit.bus, self.consumers)
        self.app.state.why_not_ready = lambda: "the process is stopping" if self._is_draining else None
        self.app.state.metrics.add_readers(work_reader(self.kit.db, service=self.kit.name, sagas=self.sagas), *self.state_metrics)
        if self.kit.name != "identity":  # the ledger is its own
            self.app.include_router(commission_routes(self.kit.db))

    @property
    def name(self) -> str:
        return self.kit.name

    async def declare(self) -> None:
        """Make this service's queues exist: all services do so before any starts, or what one publishes early is lost."""
        await self.runner.declare()
        for hook in self.on_declare:
            await hook()

    async def start(self, *, serve: bool | Literal["in process"] = True, work: bool = True) -> None:
        """Start the API, the worker or both; returns when they run. Raises OSError if a port is taken.

        `serve="in process"`: no port is opened, the application is called directly (tests).
        """
        await free_the_dead(self.kit.db)
        for hook in self.on_start:
            await hook()
        if work:
            await self._start_work()
        settings = self.kit.settings
        if work and not serve and settings.worker_port:
            await self._listen(create_worker_app(self.name, self._worker_checks()), settings.listen_host, settings.worker_port)
        if serve:
            self._spawn(self.kit.verifier.follow(), "verifier")
            for task in self.serve_tasks:
                self._spawn(task(), "serve")
            if serve == "in process":
                return
            await self._listen(self.app, settings.listen_host, settings.port)
            for host, port, app in self.extra_apps:
                await self._listen(app, host or settings.listen_host, port)

    def _worker_checks(self) -> list[Callable[[], Awaitable[str | None]]]:
        async def database() -> str | None:
            await self.kit.db.ping()
            return None

        async def bus() -> str | None:
            return None if self.kit.bus.is_connected else "the bus is not connected"

        return [database, bus]

    async def _start_work(self) -> None:
        kit = self.kit
        if kit.owns_bus:
            await kit.bus.start()
        await self.runner.start()
        relay = Relay(kit.db, kit.bus, service=kit.name)
        self._spawn(relay.run(), "relay")
        self._spawn(keep_house(kit.db), "housekeeping")
        if self.sagas is not None:
            self._spawn(self.sagas.run(), "sagas")
        for reconciler in self.reconcilers:
            self._spawn(reconciler.run(), f"reconcile {reconciler.name}")
        for task in self.work_tasks:
            self._spawn(task(), "work")

    def _spawn(self, work: Coroutine[Any, Any, None], what: str) -> None:
        task = asyncio.create_task(work, name=f"{self.name}: {what}")

        def ended(done: asyncio.Task[None]) -> None:
            if not done.cancelled() and done.exception() is not None:
                log.error("background_task_died", task=done.get_name(), exc_info=done.exception())

        task.add_done_callback(ended)
        self._tasks.append(task)

    async def _listen(self, app: Any, host: str, port: int) -> None:
        listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
        listener.setblocking(False)
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=10, server_header=False, date_header=True,
            timeout_keep_alive=60, h11_max_incomplete_event_size=65536,
        )  # fmt: skip
        server = uvicorn.Server(config)
        server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]
        self._servers.append(server)
        self._spawn(server.serve(sockets=[listener]), f"port {port}")
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.005)

    async def drop(self) -> None:
        """Die as by kill -9, as far as one process can act it: nothing is finished, nothing is said to anybody (tests)."""
        if self.sagas is not None:
            await self.sagas.kill()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for hook in self.on_stop:
            with contextlib.suppress(Exception):
                await hook()
        await self.kit.http.close()
        await self.kit.db.close()

    async def drain(self, seconds: float) -> None:
        """Say at /readyz that we are going and ask clients to connect elsewhere, while every request is still served."""
        self._is_draining = True
        for server in self._servers:
            server.config.encoded_headers.append((b"connection", b"close"))  # from the next tick on, within a second
        await asyncio.sleep(seconds)

    async def stop(self) -> None:
        """Finish requests in flight, stop the worker, close connections. Messages and sagas under way go back and are taken up elsewhere."""
        for server in self._servers:
            server.should_exit = True
        serving = [t for t in self._tasks if ": port " in t.get_name()]
        if serving:
            await asyncio.wait(serving, timeout=15)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.close()

    async def close(self) -> None:
        """Close what was built: consumers first, which use the rest."""
        if self.kit.owns_bus:
            await self.kit.bus.close()
        for hook in self.on_stop:
            await hook()
        await self.kit.http.close()
        await self.kit.db.close()
