"""The command line of a service: `python -m synnefo_<name> serve|worker|all|migrate|…`."""

from __future__ import annotations

import argparse
import asyncio
import gc
import signal
import sqlite3
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import orjson

from synnefo_common import backup
from synnefo_common.crashpoint import arm_from_environment
from synnefo_common.db import migrate
from synnefo_common.health import is_ready
from synnefo_common.log import get_logger, setup_logging
from synnefo_common.service import Service
from synnefo_common.settings import ServiceSettings, SettingsError, load_settings, show_value

log = get_logger(__name__)
# A list of a thousand things is tens of thousands of objects and no cycle: with Python's own thresholds a third of its time
# would go into looking for some.
_GC_THRESHOLDS = (50_000, 20, 50)
Build = Callable[..., Service]
Verb = Callable[[Service], Awaitable[str]]  # a command of one service only: what it did, as a sentence


def cli(
    package: str, build: Build, settings_class: type[ServiceSettings], own: Mapping[str, tuple[str, Verb]] | None = None
) -> Callable[[], None]:
    """The `main` of a service's `__main__`: serve, worker, all, migrate and so on; `own` are those of this service only."""

    def main() -> None:
        parser = argparse.ArgumentParser(prog=package)
        verbs = parser.add_subparsers(dest="verb", required=True)
        for verb, text in (
            ("serve", "run the API"), ("worker", "run relay, consumers, sagas and reconcilers"), ("all", "API and worker in one process"),
            ("migrate", "bring the database to the newest revision"), ("openapi", "print the OpenAPI document"),
            ("settings", "print the settings in force, secrets hidden"), ("health", "exit 0 if the running service is ready"),
        ):  # fmt: skip
            verbs.add_parser(verb, help=text)
        for verb, (text, _) in (own or {}).items():
            verbs.add_parser(verb, help=text)
        for verb, text in (
            ("backup", "copy the database into a directory; the service may run"),
            ("restore", "replace the database with the copy in a directory; the service must not run"),
        ):
            verbs.add_parser(verb, help=text).add_argument("directory", type=Path)
        reconcile = verbs.add_parser("reconcile", help="run the reconcilers once")
        reconcile.add_argument("--dry-run", action="store_true", help="print the plan and change nothing")
        revision = verbs.add_parser("revision", help="write a new migration")
        revision.add_argument("message")
        arguments = parser.parse_args()
        try:
            settings = load_settings(settings_class)
        except SettingsError as error:
            sys.exit(f"{package}: {error}")
        if arguments.verb in (own or {}):
            sys.exit(asyncio.run(_run_own((own or {})[arguments.verb][1], build(settings))))
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
            print(f"{settings.section}.{key} = {show_value(key, value)}")
        return 0
    if verb == "health":
        return _health(settings)
    if verb in ("backup", "restore"):
        return _copy(verb, settings, arguments.directory)
    if verb == "openapi":
        service = build(settings)
        sys.stdout.write(orjson.dumps(service.app.openapi(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode() + "\n")
        return 0
    common = settings.common
    setup_logging(fmt=common.log_format, level=common.log_level, service=settings.section, stream=common.log_stream)
    arm_from_environment()
    check_schema(settings, package)
    if verb == "reconcile":
        return asyncio.run(_reconcile_once(build(settings), dry_run=arguments.dry_run))
    run_loop(_serve_until_signal(build(settings), serve=verb in ("serve", "all"), work=verb in ("worker", "all")))
    return 0


async def _run_own(work: Verb, service: Service) -> int:
    print(await work(service))
    await service.close()
    return 0


def _copy(verb: str, settings: ServiceSettings, directory: Path) -> int:
    path = backup.backup_file(settings.database_url, directory, settings.section)
    try:
        if verb == "backup":
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            backup.backup(settings.database_url, path)
        else:
            _refuse_running(settings)
            backup.restore(settings.database_url, path)
    except (backup.BackupError, OSError, sqlite3.Error) as error:
        print(f"{settings.section}: {error}", file=sys.stderr)
        return 1
    print(f"{settings.section}: {verb} {path}, {path.stat().st_size} bytes")
    return 0


def _refuse_running(settings: ServiceSettings) -> None:
    if _health(settings) == 0:
        raise backup.BackupError(f"{settings.section} answers on port {settings.port}: stop it first, its workers too")


def check_schema(settings: ServiceSettings, package: str) -> None:
    """Refuse to start on a database on which this code does not run: older, or so much newer that what it needs is gone."""
    try:
        newer = migrate.check(settings.database_url, package)
    except migrate.SchemaError as error:
        sys.exit(f"{package}: {error}")
    if newer is not None:
        log.warning("schema_is_newer", found=newer, own=migrate.head(package))


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
    if serve and service.kit.settings.drain_s:
        await service.drain(service.kit.settings.drain_s)
    await service.stop()
    log.info("service_stopped")


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
    """Of the API, or of the worker where only that answers."""
    ports = [settings.port, settings.worker_port] if settings.worker_port else [settings.port]
    return 0 if any(is_ready(settings.listen_host, port) for port in ports) else 1
