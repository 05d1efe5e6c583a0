"""Facts for other services and for the auditor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import select

from synnefo_common.clock import MICROS
from synnefo_common.db.tables import sagas
from synnefo_common.db.work import LIVE_SAGAS
from synnefo_compute.app.core import Compute
from synnefo_compute.db import actions, projections
from synnefo_compute.db import keypairs as keypairs_db
from synnefo_compute.db import server_groups as server_groups_db
from synnefo_compute.db import servers as servers_db
from synnefo_compute.db.servers import servers
from synnefo_compute.domain.errors import ServerNotFound


def _facts(row: Any) -> dict[str, Any]:
    return {
        "id": row.id, "project_id": row.project_id, "vm_state": row.vm_state, "task_state": row.task_state, "cluster": row.cluster,
        "task_since": row.task_since, "saga_id": row.saga_id, "job_token": row.job_token, "launched_at": row.launched_at,
        "vcpus": row.vcpus, "ram_mib": row.ram_mib, "fact_order": row.fact_order,
    }  # fmt: skip


_COLUMNS = (
    servers.c.id, servers.c.project_id, servers.c.vm_state, servers.c.task_state, servers.c.cluster, servers.c.task_since, servers.c.saga_id,
    servers.c.job_token, servers.c.launched_at, servers.c.vcpus, servers.c.ram_mib, servers.c.fact_order,
)  # fmt: skip


async def server_facts(compute: Compute, server_id: str) -> dict[str, Any]:
    """Raises ServerNotFound for one that is deleted or never was."""
    async with compute.db.read() as uow:
        row = await servers_db.get_server(uow, server_id, project_id=None)
    if row is None:
        raise ServerNotFound(server_id)
    return _facts(row)


async def list_server_facts(compute: Compute) -> list[dict[str, Any]]:
    """All live servers."""
    async with compute.db.read() as uow:
        rows = await uow.all(select(*_COLUMNS).where(servers.c.deleted_at.is_(None)).order_by(servers.c.id))
    return [_facts(row) for row in rows]


async def list_devices(compute: Compute, server_ids: Sequence[str]) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Ports and volumes of servers, as compute believes: two maps from server to ids."""
    async with compute.db.read() as uow:
        ports = await projections.of_servers(uow, projections.server_ports, server_ids)
        volumes = await projections.of_servers(uow, projections.server_volumes, server_ids)
    return {s: {p["id"] for p in found} for s, found in ports.items()}, {s: {v["id"] for v in found} for s, found in volumes.items()}


async def list_hard_members(compute: Compute) -> list[dict[str, Any]]:
    """Where the members of server groups with a hard policy run."""
    async with compute.db.read() as uow:
        return [dict(row._mapping) for row in await server_groups_db.list_hard_members(uow)]


async def list_busy_servers(compute: Compute) -> set[str]:
    """Servers that a saga is about."""
    async with compute.db.read() as uow:
        rows = await uow.all(select(sagas.c.data).where(sagas.c.state.in_(LIVE_SAGAS)))
    return {server_id for row in rows if (server_id := orjson.loads(row.data).get("server_id"))}


async def usage(compute: Compute) -> dict[str, dict[str, int]]:
    """project → ledger resource → amount. Servers whose first commission is still pending are in `pending`."""
    async with compute.db.read() as uow:
        rows = await servers_db.count_by_project(uow)
        keys = await keypairs_db.count_by_project(uow)
        groups = await server_groups_db.count_by_project(uow)
    found: dict[str, dict[str, int]] = {}
    for row in rows:
        found[row.project_id] = {
            "compute.instances": row.instances, "compute.cores": int(row.cores or 0), "compute.ram_mib": int(row.ram_mib or 0),
        }  # fmt: skip
    for row in groups:
        found.setdefault(row.project_id, {})["compute.server_groups"] = row.groups
    if keys:
        found["*"] = {"compute.key_pairs": sum(row.keys for row in keys)}  # the ledger counts them by user, over all projects
    return found


async def audit_facts(compute: Compute) -> dict[str, Any]:
    """Servers, their volumes and ports as compute believes, and what each project uses."""
    now = compute.clock.now_us()
    live = await list_server_facts(compute)
    ids = [server["id"] for server in live]
    async with compute.db.read() as uow:
        volumes = await projections.of_servers(uow, projections.server_volumes, ids)
        ports = await projections.of_servers(uow, projections.server_ports, ids)
        unexplained = await actions.servers_without(uow)
        open_actions = await actions.open_of_idle_servers(uow, before_us=now - int(60 * MICROS))
        silent = await servers_db.in_error_without_fault(uow)
    return {
        "servers": [{**s, "age_s": (now - s["task_since"]) / MICROS if s["task_since"] else 0.0} for s in live],
        "volumes": {server: [v["id"] for v in found] for server, found in volumes.items()},
        "ports": {server: [p["id"] for p in found] for server, found in ports.items()},
        "servers_without_action": unexplained, "actions_never_ended": open_actions, "errors_without_reason": silent,
        "usage": await usage(compute),
    }
