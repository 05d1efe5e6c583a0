"""os-simple-tenant-usage: what servers, deleted ones too, were used in a period."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from synnefo_common.clock import MICROS, iso
from synnefo_compute.app.core import Compute
from synnefo_compute.db import servers

_HOUR_US = 3600 * MICROS


async def usages(
    compute: Compute, *, start_us: int, stop_us: int, project_id: str | None = None, with_servers: bool
) -> list[dict[str, Any]]:
    """A project each, of those that used anything. The period ends now if it would end later."""
    now = compute.clock.now_us()
    stop_us = min(stop_us, now)
    async with compute.db.read() as uow:
        rows = await servers.list_in_period(
            uow, start_us=start_us, stop_us=stop_us, project_id=project_id, limit=compute.settings.max_page
        )
    by_project: dict[str, list[Row[Any]]] = {}
    for row in rows:
        by_project.setdefault(row.project_id, []).append(row)
    return [
        _project(project, of, start_us=start_us, stop_us=stop_us, now_us=now, with_servers=with_servers) for project, of in by_project.items()
    ]


def _project(
    project_id: str, rows: Sequence[Row[Any]], *, start_us: int, stop_us: int, now_us: int, with_servers: bool
) -> dict[str, Any]:
    items = [_server(row, start_us=start_us, stop_us=stop_us, now_us=now_us) for row in rows]
    usage: dict[str, Any] = {
        "tenant_id": project_id,
        "start": iso(start_us, micros=True, zone=False),
        "stop": iso(stop_us, micros=True, zone=False),
        "total_hours": sum(item["hours"] for item in items),
    }
    for key in ("local_gb", "vcpus", "memory_mb"):
        usage[f"total_{key}_usage"] = sum(item[key] * item["hours"] for item in items)
    if with_servers:
        usage["server_usages"] = items
    return usage


def _server(row: Row[Any], *, start_us: int, stop_us: int, now_us: int) -> dict[str, Any]:
    flavor, ended = row.flavor, row.deleted_at
    used = min(stop_us, ended or stop_us) - max(start_us, row.launched_at)
    return {
        "instance_id": row.id, "name": row.name, "tenant_id": row.project_id, "flavor": flavor["name"], "vcpus": flavor["vcpus"],
        "memory_mb": flavor["ram"], "local_gb": flavor["disk"] + flavor.get("ephemeral", 0), "hours": max(0, used) / _HOUR_US,
        "started_at": iso(row.launched_at, micros=True, zone=False), "ended_at": iso(ended, micros=True, zone=False),
        "state": "terminated" if ended else row.vm_state, "uptime": ((ended or now_us) - row.launched_at) // MICROS,
    }  # fmt: skip
