"""All services in one process and one event loop, each on its own port, with the memory bus and a SQLite file each.

Started by `synnefo_local up` as `python -m synnefo_local embedded`. Not for production: see the full profile.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import signal
import sys
from typing import Any

from synnefo_common.bus import MemoryBus
from synnefo_common.command import run_loop
from synnefo_common.crashpoint import arm_from_environment
from synnefo_common.db import migrate
from synnefo_common.log import get_logger, setup_logging
from synnefo_common.service import Service
from synnefo_common.settings import ServiceSettings, SettingsError, load_settings

log = get_logger(__name__)

# In the order in which they start: identity signs what the others verify.
PACKAGES = ("identity", "network", "image", "volume", "object", "dispatcher", "compute")


def load_service(name: str, bus: MemoryBus) -> Service:
    """Settings, migrations and the built service. Raises SettingsError."""
    package = f"synnefo_{name}"
    settings_class: type[ServiceSettings] = importlib.import_module(f"{package}.settings").Settings
    settings = load_settings(settings_class)
    found = migrate.current(settings.database_url)
    if found is None or found < (migrate.head(package) or ""):
        migrate.upgrade(settings.database_url, package)
    migrate.check(settings.database_url, package)
    build: Any = importlib.import_module(f"{package}.main").build
    service: Service = build(settings, bus=bus)
    return service


async def serve(services: list[Service], bus: MemoryBus) -> None:
    """Run until SIGTERM or SIGINT. All queues exist before the first relay runs: the memory bus keeps nothing for later."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await bus.start()
    for service in services:
        await service.declare()
    for service in services:
        await service.start()
    gc.collect()
    gc.freeze()  # what start-up made stays: later collections need not look at it
    log.info("cloud_started", ports={s.name: s.kit.settings.port for s in services})
    await stop.wait()
    for service in reversed(services):
        await service.stop()
    await bus.close()


def main() -> None:
    """Build and run."""
    arm_from_environment()
    bus = MemoryBus(is_strict=True)
    try:
        services = [load_service(name, bus) for name in PACKAGES]
    except (SettingsError, migrate.SchemaError) as error:
        sys.exit(f"synnefo: {error}")
    common = services[0].kit.settings.common
    setup_logging(fmt=common.log_format, level=common.log_level, stream=common.log_stream)
    run_loop(serve(services, bus))
