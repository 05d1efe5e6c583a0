"""What one boot costs in statements, internal HTTP calls and messages, over all services in this process.

Counted is what the boot causes, to the end of its last message. What a service does by the clock is held back meanwhile
(polls, reports of clusters) or known by its place in the code (looks at the revocation log, sums of usage).
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from sqlalchemy import Executable, func, select

from synnefo_common.db import Database
from synnefo_common.db.outbox import Wakeup
from synnefo_common.db.tables import outbox
from synnefo_common.http import ServiceClient
from synnefo_common.testing import wait_until
from synnefo_compute.db.servers import servers
from synnefo_dispatcher.app.survey import Surveyor
from tests.fleet import Fleet

_BY_THE_CLOCK = ("feed.py", "housekeeping.py", "app/fleet.py", "usage.py", "expiry.py", "reconcile", "lease.py")
_TINY = b"\0" * 4096


@dataclass
class Counted:
    """What was seen, in order; statements as (service, place, SQL)."""

    statements: list[tuple[str, str, str]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"{service:<10} {place:<48} {sql[:100]}" for service, place, sql in self.statements]
        counts = f"{len(self.statements)} statements, {len(self.calls)} calls, {len(self.messages)} messages"
        return "\n".join([*lines, *self.calls, *self.messages, counts])


def count_boot() -> Counted:
    """Boot a server from an image with one port, in a cloud of its own, and count."""
    return asyncio.run(count())


async def count() -> Counted:
    async with Fleet() as fleet:
        body = await _prepare(fleet)
        await _boot(fleet, body)  # the first one has tokens to get and defaults to make
        with _no_polls():
            await asyncio.sleep(1.2)  # waits that began before
            await _quiet(fleet)
            counted = Counted()
            with _counting(fleet, counted):
                await _boot(fleet, body)
                await _quiet(fleet)
                await asyncio.sleep(0.3)
        return counted


async def _prepare(fleet: Fleet) -> dict[str, Any]:
    """The body of POST /servers: an image, a network."""
    demo = fleet.demo
    image = await demo.json("image", "POST", "/v2/images", {"name": "tiny", "disk_format": "raw", "container_format": "bare"})
    headers = {"Content-Type": "application/octet-stream"}
    sent = await demo.call("image", "PUT", f"/v2/images/{image['id']}/file", content=_TINY, headers=headers)
    assert sent.status_code == 204, sent.text
    network = (await demo.json("network", "POST", "/v2.0/networks", {"network": {"name": "n"}}))["network"]["id"]
    subnet = {"network_id": network, "ip_version": 4, "cidr": "10.0.0.0/24"}
    await demo.json("network", "POST", "/v2.0/subnets", {"subnet": subnet})
    return {"server": {"name": "s", "flavorRef": "1", "imageRef": image["id"], "networks": [{"uuid": network}]}}


async def _boot(fleet: Fleet, body: dict[str, Any]) -> None:
    made = await fleet.demo.json("compute", "POST", "/v2.1/servers", body)
    db = fleet.services["compute"].kit.db
    state = select(servers.c.vm_state).where(servers.c.id == made["server"]["id"])

    async def is_active() -> bool:
        return bool(await _ask(db, state) == "active")

    await wait_until(is_active)


async def _quiet(fleet: Fleet) -> None:
    """Wait until no service has anything to send."""

    async def is_empty() -> bool:
        return not sum([await _ask(s.kit.db, select(func.count()).select_from(outbox)) for s in fleet.services.values()])

    await wait_until(is_empty)


async def _ask(db: Database, statement: Executable) -> Any:
    async with db.read() as uow:
        return await uow.scalar(statement)


@contextmanager
def _no_polls() -> Iterator[None]:
    """Loops wake by their bells only, and clusters are not surveyed."""
    wait = Wakeup.wait

    async def patient(self: Wakeup, timeout_s: float) -> bool:
        return await wait(self, timeout_s if timeout_s < 0.5 else 3600)

    async def nothing(_self: Surveyor) -> None:
        return None

    with patch.object(Wakeup, "wait", patient), patch.object(Surveyor, "survey", nothing):
        yield


@contextmanager
def _counting(fleet: Fleet, counted: Counted) -> Iterator[None]:
    once: Callable[..., Awaitable[Any]] = ServiceClient._once

    async def call(self: ServiceClient, method: str, path: str, **kwargs: Any) -> Any:
        counted.calls.append(f"{method} {self.peer}{path}")
        return await once(self, method, path, **kwargs)

    with ExitStack() as stack:
        stack.enter_context(patch.object(ServiceClient, "_once", call))
        for name, service in fleet.services.items():
            recorder = _recorder(name, counted)
            service.kit.db.recorders.append(recorder)
            stack.callback(service.kit.db.recorders.remove, recorder)
        listener = _listener(counted)
        fleet.bus.listeners.append(listener)
        stack.callback(fleet.bus.listeners.remove, listener)
        yield


def _listener(counted: Counted) -> Callable[[Any], None]:
    return lambda message: counted.messages.append(message.routing_key)


def _recorder(service: str, counted: Counted) -> Callable[[Executable], None]:
    def record(statement: Executable) -> None:
        places = _places()
        is_ours = places[0].startswith("perf/boot.py")
        if not is_ours and not any(part in place for place in places for part in _BY_THE_CLOCK):
            counted.statements.append((service, " < ".join(places[:2]), " ".join(str(statement).split())))

    return record


def _places() -> list[str]:
    """Where in our code this statement comes from, innermost first, the database layer left out."""
    found = []
    frame = sys._getframe(2)
    while frame is not None:
        name = frame.f_code.co_filename
        if ("/synnefo_" in name or "tests/perf" in name) and "synnefo_common/db/" not in name:
            found.append("/".join(name.split("/")[-2:]) + f":{frame.f_lineno}")
        frame = frame.f_back  # type: ignore[assignment]
    return found
