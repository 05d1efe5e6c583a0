"""Ports whose server is gone: a reconciler asks compute and deletes them after a time of grace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from synnefo_common.clock import MICROS
from synnefo_common.errors import NotFound
from synnefo_common.reconcile import Reconciler
from synnefo_network.app import servers
from synnefo_network.app.services import Services
from synnefo_network.db import ports as db

SERVERS_PER_RUN = 200  # each is a call to compute: a big cloud is gone through in several runs


@dataclass(frozen=True, slots=True)
class RemovePorts:
    """Take away the ports of a server that does not exist."""

    server_id: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Servers that ports were made with, and those of them that compute does not know."""

    servers: tuple[str, ...]
    missing: frozenset[str]


def plan(facts: Facts) -> Sequence[RemovePorts]:
    """One action for each missing server."""
    return [RemovePorts(s) for s in facts.servers if s in facts.missing]


def orphans_reconciler(svc: Services) -> Reconciler[Facts, RemovePorts]:
    """The reconciler `network orphan ports`."""

    last = ""  # where the round through the servers has come to

    async def observe() -> Facts:
        nonlocal last
        before = svc.clock.now_us() - int(svc.settings.orphan_grace_s * MICROS)
        async with svc.db.read() as uow:
            ids = tuple(await db.servers_with_old_ports(uow, created_before=before, after=last, limit=SERVERS_PER_RUN))
        last = ids[-1] if len(ids) == SERVERS_PER_RUN else ""
        missing = set()
        for server_id in ids:
            try:
                await svc.peers["compute"].get(f"/internal/v1/servers/{server_id}")
            except NotFound:
                missing.add(server_id)
        return Facts(ids, frozenset(missing))

    async def execute(action: RemovePorts) -> None:
        await svc.write(lambda uow: servers.remove(uow, svc, action.server_id, port_id=None, user_id="", releases=True))

    return Reconciler(
        "network orphan ports",
        db=svc.db,
        observe=observe,
        plan=plan,
        execute=execute,
        period_s=svc.settings.reconcile_period_s,
    )
