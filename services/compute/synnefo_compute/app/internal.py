"""Facts for other services and for the auditor."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from synnefo_common.clock import MICROS
from synnefo_compute.app.core import Compute
from synnefo_compute.db import keypairs as keypairs_db
from synnefo_compute.db import projections
from synnefo_compute.db import servers as servers_db
from synnefo_compute.db.servers import servers
from synnefo_compute.domain.errors import ServerNotFound


def _facts(row: Any) -> dict[str, Any]:
    return {
        "id": row.id, "project_id": row.project_id, "vm_state": row.vm_state, "task_state": row.task_state, "cluster": row.cluster,
        "task_since": row.task_since, "saga_id": row.saga_id, "job_token": row.job_token, "launched_at": row.launched_at,
    }  # fmt: skip


_COLUMNS = (
    servers.c.id, servers.c.project_id, servers.c.vm_state, servers.c.task_state, servers.c.cluster, servers.c.task_since, servers.c.saga_id,
    servers.c.job_token, servers.c.launched_at,
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


async def usage(compute: Compute) -> dict[str, dict[str, int]]:
    """project → ledger resource → amount. Servers whose first commission is still pending are in `pending`."""
    async with compute.db.read() as uow:
        rows = await servers_db.count_by_project(uow)
        keys = await keypairs_db.count_by_project(uow)
    found: dict[str, dict[str, int]] = {}
    for row in rows:
        found[row.project_id] = {
            "compute.instances": row.instances, "compute.cores": int(row.cores or 0), "compute.ram_mib": int(row.ram_mib or 0),
        }  # fmt: skip
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
    return {
        "servers": [{**s, "age_s": (now - s["task_since"]) / MICROS if s["task_since"] else 0.0} for s in live],
        "volumes": {server: [v["id"] for v in found] for server, found in volumes.items()},
        "ports": {server: [p["id"] for p in found] for server, found in ports.items()},
        "usage": await usage(compute),
    }
