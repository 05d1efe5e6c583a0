"""Brings the data plane to what our database says, and what it says of ports into our database.

There is no list of work to lose: it compares the revisions of all resources with those that it has brought over, and computes anew
the rows of what differs. After a start, a lost lock or a lost connection it compares all rows, and so it does now and then.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Collection
from typing import Any

from prometheus_client import Counter, Gauge, Histogram

from synnefo_common.db import UnitOfWork
from synnefo_common.log import get_logger
from synnefo_network.app.port_events import describe, emit_port
from synnefo_network.app.services import Services
from synnefo_network.db import topology as db
from synnefo_network.domain.northbound.everything import rows_of
from synnefo_network.domain.northbound.rows import Scope, plan
from synnefo_network.domain.northbound.topology import Chassis

log = get_logger(__name__)
MOST_SCOPES = 1000  # more than that, and all is compared
_POLL_S = 1.0
_changes = Counter("synnefo_dataplane_changes_total", "Rows written to the data plane.", ["kind"])
_seconds = Histogram("synnefo_dataplane_seconds", "From noticing a change to its rows being written.", ["kind"])
_drift = Gauge("synnefo_dataplane_drift", "Rows that the last full comparison found to be different.")
_PARTS = {
    "networks": "network", "ports": "port", "routers": "router", "security_groups": "security_group", "address_groups": "address_group",
}  # fmt: skip


class Projection:
    """One for a worker process. Only the one whose driver has a session writes."""

    def __init__(self, svc: Services) -> None:
        self._svc = svc
        self._driver = svc.driver
        self._bell = svc.changed
        self._session: int | None = None
        self._seen: db.Scan = {}
        self._chassis: tuple[Any, ...] = ()
        self._full_at = 0.0
        self._status_at = 0.0
        self._is_stirred = True

    def stir(self) -> None:
        """The data plane has something to tell."""
        self._is_stirred = True
        self._bell.set()

    async def run(self) -> None:
        """Until cancelled. A failed turn is logged and repeated, with everything compared."""
        await self._driver.start(self.stir)
        unlisten = None
        try:
            while True:
                try:
                    if unlisten is None:
                        unlisten = await self._svc.db.listen(db.CHANNEL, self._bell.set)
                    await self.turn()
                except Exception:
                    self._session = None
                    log.warning("dataplane_turn_failed", exc_info=True)
                    await asyncio.sleep(_POLL_S)
                await self._bell.wait(_POLL_S)
        finally:
            await self._driver.stop()
            if unlisten is not None:
                with contextlib.suppress(Exception):
                    await unlisten()

    async def is_even(self) -> bool:
        """Whether all that has been committed has been brought over."""
        if self._session is None:
            return False
        async with self._svc.db.read() as uow:
            return await db.scan(uow) == self._seen

    async def turn(self) -> None:
        """Bring over what has changed; then the statuses if they may have changed."""
        session = self._driver.session
        if session is None:
            self._session = None
            return
        settings, now = self._svc.settings, time.monotonic()
        if session != self._session or now >= self._full_at:
            await self.bring_all()
            self._session, self._full_at = session, time.monotonic() + settings.dataplane_compare_s
        else:
            await self._bring_changed()
        if self._is_stirred or now >= self._status_at:
            self._is_stirred = False
            self._status_at = now + settings.dataplane_status_s
            await self._bring_statuses()

    async def bring_all(self) -> int:
        """Compare all rows and make them so; how many were different."""
        with _seconds.labels("full").time():
            chassis = await self._driver.chassis()
            async with self._svc.db.read() as uow:
                seen = await db.scan(uow)
                topology = await db.load(uow, None)
            actual = await self._driver.observe()
            changes = await asyncio.to_thread(lambda: plan(rows_of(topology, chassis, is_whole=True), actual))
            if changes:
                await self._apply(changes)
            await self._driver.admit()
        self._seen, self._chassis = seen, _shape(chassis)
        _drift.set(len(changes))
        if changes:
            log.info("dataplane_compared", rows=len(actual), changed=len(changes))
        return len(changes)

    async def _bring_changed(self) -> None:
        began = time.monotonic()
        chassis = await self._driver.chassis()
        async with self._svc.db.read() as uow:
            seen = await db.scan(uow)
            scopes = await self._changed_scopes(uow, self._seen, seen)
            if _shape(chassis) != self._chassis:
                scopes |= {Scope("router", i) for i in seen["routers"]}
            if len(scopes) > MOST_SCOPES:
                self._full_at = 0.0
                self._bell.set()
                return
            topology = await db.load(uow, scopes) if scopes else None
        if topology is not None:
            actual = await self._driver.observe(scopes)
            changes = plan(rows_of(topology, chassis), actual)
            if changes:
                await self._apply(changes)
            _seconds.labels("change").observe(time.monotonic() - began)
            self._is_stirred |= bool(scopes)
        self._seen, self._chassis = seen, _shape(chassis)

    async def _apply(self, changes: Collection[Any]) -> None:
        stale = await self._driver.apply(list(changes))
        for change in changes:
            _changes.labels(type(change).__name__).inc()
        if stale:
            log.warning("dataplane_rows_newer", names=[f"{t}/{k}" for t, k in stale][:20])

    async def _changed_scopes(self, uow: UnitOfWork, before: db.Scan, after: db.Scan) -> set[Scope]:
        """The scopes whose rows depend on what is different between two scans."""
        scopes: set[Scope] = set()
        owners: dict[str, set[str]] = {}
        for table, rows in after.items():
            old = before.get(table, {})
            different = {k for k in old.keys() | rows.keys() if old.get(k) != rows.get(k)}
            if kind := _PARTS.get(table):
                scopes |= {Scope(kind, k) for k in different}
            owners[table] = {o for k in different for o in (*(old.get(k) or (0, None))[1:], *(rows.get(k) or (0, None))[1:]) if o}
        scopes |= {Scope("network", o) for o in owners["subnets"]}
        scopes |= {Scope("security_group", o) for o in owners["security_group_rules"]}
        scopes |= {Scope("router", o) for o in owners["router_ports"] | owners["floating_ips"]}
        for floating_ip in owners["port_forwardings"]:
            for known in (before, after):
                router = known["floating_ips"].get(floating_ip, (0, None))[1]
                scopes |= {Scope("router", router)} if router else set()
        networks = {s.id for s in scopes if s.kind == "network" and s.id in before.get("networks", {})}
        if networks:
            scopes |= await db.users_of_networks(uow, networks)
        if owners["qos_rules"]:
            scopes |= await db.users_of_policies(uow, owners["qos_rules"])
        for scope in [s for s in scopes if s.kind == "port"]:
            for known in (before, after):
                router = known["router_ports"].get(scope.id, (0, None))[1]
                scopes |= {Scope("router", router)} if router else set()
        # A port that came to a router, or left it, has another logical port.
        for known in (before, after):
            scopes |= {Scope("port", k) for k, (_, router) in known["router_ports"].items() if Scope("router", router or "") in scopes}
        return scopes

    async def _bring_statuses(self) -> None:
        """Ports are ACTIVE where packets reach them; floating IPs where their NAT has been written."""
        up = await self._driver.statuses()
        async with self._svc.db.read() as uow:
            known = await db.port_statuses(uow)
        changed: dict[str, list[str]] = {"ACTIVE": [], "DOWN": []}
        for port_id, status, admin_state_up in known:
            actual = "ACTIVE" if admin_state_up and up.get(port_id) else "DOWN"
            if status != actual:
                changed[actual].append(port_id)

        async def work(uow: UnitOfWork) -> None:
            for status, ids in changed.items():
                for start in range(0, len(ids), MOST_SCOPES):
                    rows = await db.set_port_status(uow, ids[start : start + MOST_SCOPES], status)
                    documents = {d["id"]: d for d in await describe(uow, list(rows.values()))}
                    for row in rows.values():
                        emit_port(uow, "updated", documents[row.id], row=row)
            await db.set_floating_ip_statuses(uow, self._seen.get("floating_ips", {}))

        if any(changed.values()) or await self._floating_ips_wait():
            await self._svc.db.run(work)

    async def _floating_ips_wait(self) -> bool:
        async with self._svc.db.read() as uow:
            return await db.has_waiting_floating_ips(uow)


def _shape(chassis: Collection[Chassis]) -> tuple[Any, ...]:
    """What of the nodes the rows depend on: not whether they answer."""
    return tuple((c.name, c.physical_networks, c.is_gateway) for c in chassis)
