"""A service as a whole: what every composition root builds (`Kit`), start and stop, and the command line.

Not for any one service's own parts: those are in its `main.build`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson
import uvicorn
from fastapi import FastAPI
from sqlalchemy import MetaData

from synnefo_common.auth.revocation import RevocationLog
from synnefo_common.auth.verifier import LocalVerifier, TokenVerifier
from synnefo_common.bus import Bus, ConsumerRunner, Consumers, MemoryBus, Relay
from synnefo_common.clock import Clock, SystemClock
from synnefo_common.crashpoint import arm_from_environment
from synnefo_common.db import Database, migrate
from synnefo_common.holder import free_the_dead
from synnefo_common.housekeeping import keep_house
from synnefo_common.http import HttpClient, IdentityKeys, ServiceClient, ServiceIdentity
from synnefo_common.ids import IdSource, RandomIds
from synnefo_common.log import get_logger, setup_logging
from synnefo_common.quota import QuotaClient
from synnefo_common.reconcile import Reconciler
from synnefo_common.saga import SagaEngine
from synnefo_common.settings import SERVICES, ServiceSettings, SettingsError, load_settings
from synnefo_common.web.app import create_worker_app
from synnefo_common.web.commissions import commission_routes
from synnefo_common.web.metrics import Reader
from synnefo_common.web.state_metrics import work_reader

log = get_logger(__name__)
# A list of a thousand things is tens of thousands of objects and no cycle: with Python's own thresholds a third of its time
# would go into looking for some.
_GC_THRESHOLDS = (50_000, 20, 50)
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
    identity = ServiceIdentity(name, settings.service_password, common, http, clock=clock)
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
    extra_apps: dict[int, Any] = field(default_factory=dict)  # port → ASGI application (metadata, console)
    state_metrics: Sequence[Reader] = ()  # gauges of the service's own state, beside those of its messages and sagas
    runner: ConsumerRunner = field(init=False)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _servers: list[uvicorn.Server] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.runner = ConsumerRunner(self.kit.db, self.kit.bus, self.consumers)
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
            for port, app in self.extra_apps.items():
                await self._listen(app, settings.listen_host, port)

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

    async def stop(self) -> None:
        """Finish requests in flight, stop the worker, close connections."""
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


Build = Callable[..., Service]


def cli(package: str, build: Build, settings_class: type[ServiceSettings]) -> Callable[[], None]:
    """The `main` of a service's `__main__`: serve, worker, all, migrate, reconcile, openapi, settings, health."""

    def main() -> None:
        parser = argparse.ArgumentParser(prog=package)
        verbs = parser.add_subparsers(dest="verb", required=True)
        for verb, text in (
            ("serve", "run the API"), ("worker", "run relay, consumers, sagas and reconcilers"), ("all", "API and worker in one process"),
            ("migrate", "bring the database to the newest revision"), ("openapi", "print the OpenAPI document"),
            ("settings", "print the settings in force, secrets hidden"), ("health", "exit 0 if the running service is ready"),
        ):  # fmt: skip
            verbs.add_parser(verb, help=text)
        reconcile = verbs.add_parser("reconcile", help="run the reconcilers once")
        reconcile.add_argument("--dry-run", action="store_true", help="print the plan and change nothing")
        revision = verbs.add_parser("revision", help="write a new migration")
        revision.add_argument("message")
        arguments = parser.parse_args()
        try:
            settings = load_settings(settings_class)
        except SettingsError as error:
            sys.exit(f"{package}: {error}")
        sys.exit(_run(arguments, package, build, settings))

    return main


def _run(arguments: argparse.Namespace, package: str, build: Build, settings: ServiceSettings) -> int:
    verb = arguments.verb
    if verb == "migrate":
        migrate.upgrade(settings.database_url, package)
        return 0 if settings.common.bus_url.startswith("memory:") else asyncio.run(_declare_queues(build(settings)))
    if verb == "revision":
        migrate.upgrade(settings.database_url, package)
        migrate.make_revision(settings.database_url, package, arguments.message)
        return 0
    if verb == "settings":
        for key, value in settings.model_dump().items():
            secret = "password" in key or "secret" in key or "bootstrap" in key
            print(f"{settings.section}.{key} = {'***' if secret and value else value!r}")
        return 0
    if verb == "health":
        return _health(settings)
    if verb == "openapi":
        service = build(settings)
        sys.stdout.write(orjson.dumps(service.app.openapi(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode() + "\n")
        return 0
    setup_logging(fmt=settings.common.log_format, level=settings.common.log_level, service=settings.section)
    arm_from_environment()
    check_schema(settings, package)
    if verb == "reconcile":
        return asyncio.run(_reconcile_once(build(settings), dry_run=arguments.dry_run))
    run_loop(_serve_until_signal(build(settings), serve=verb in ("serve", "all"), work=verb in ("worker", "all")))
    return 0


def check_schema(settings: ServiceSettings, package: str) -> None:
    """Refuse to start on a database of another revision."""
    found, wanted = migrate.current(settings.database_url), migrate.head(package)
    if found != wanted:
        sys.exit(f"{package}: the database is at revision {found}, this code needs {wanted}: run `python -m {package} migrate`")


def run_loop(main: Coroutine[Any, Any, None]) -> None:
    """Run on uvloop."""
    import uvloop

    gc.set_threshold(*_GC_THRESHOLDS)
    uvloop.run(main)


async def _serve_until_signal(service: Service, *, serve: bool, work: bool) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await service.start(serve=serve, work=work)
    log.info("service_started", serve=serve, work=work, port=service.kit.settings.port if serve else None)
    await stop.wait()
    await service.stop()


async def _declare_queues(service: Service) -> int:
    """A broker keeps messages only for queues that it knows: they are made with the tables, before anything starts."""
    bus = service.kit.bus
    try:
        await service.declare()
        await bus.start(wait_s=30)
        if bus.is_connected:
            return 0
        print(f"{service.name}: the broker has not taken the queues", file=sys.stderr)
        return 1
    finally:
        await service.close()


async def _reconcile_once(service: Service, *, dry_run: bool) -> int:
    for reconciler in service.reconcilers:
        for action in await reconciler.run_once(dry_run=dry_run):
            print(f"{reconciler.name}: {action}")
    await service.close()
    return 0


def _health(settings: ServiceSettings) -> int:
    from urllib.error import URLError
    from urllib.request import urlopen

    try:
        with urlopen(f"http://{settings.listen_host}:{settings.port}/readyz", timeout=5) as answer:
            return 0 if answer.status == 200 else 1
    except (URLError, OSError):
        return 1
