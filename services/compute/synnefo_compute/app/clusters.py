"""Clusters as zones, hypervisors and services."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from synnefo_common.clock import MICROS, iso
from synnefo_common.errors import NotFound
from synnefo_compute.app.core import Compute
from synnefo_compute.app.jobs import instance_name
from synnefo_compute.app.place import zones_of
from synnefo_compute.db import clusters, servers


async def list_clusters(compute: Compute) -> Sequence[Row[Any]]:
    """All clusters with their promises."""
    async with compute.db.read() as uow:
        return await clusters.list_clusters(uow)


async def search(compute: Compute, pattern: str) -> Sequence[Row[Any]]:
    """Clusters with the text in their name. Raises NotFound if there is none."""
    rows = [row for row in await list_clusters(compute) if pattern in row.name]
    if not rows:
        raise NotFound(f"No hypervisor matching '{pattern[:60]}' could be found.")
    return rows


async def servers_of(compute: Compute, names: Sequence[str]) -> dict[str, list[dict[str, str]]]:
    """cluster → its servers as Nova lists them under a hypervisor."""
    async with compute.db.read() as uow:
        rows = await servers.list_on_clusters(uow, names)
    found: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        found.setdefault(row.cluster, []).append({"uuid": row.id, "name": instance_name(compute.settings, row.id)})
    return found


def is_up(compute: Compute, row: Row[Any]) -> bool:
    """True while its reports say so and are fresh."""
    return bool(row.online) and compute.clock.now_us() - row.reported_at < compute.settings.cluster_stale_s * MICROS


async def zones(compute: Compute, *, with_hosts: bool) -> list[dict[str, Any]]:
    """Availability zones."""
    by_zone: dict[str, list[Row[Any]]] = {}
    for row in await list_clusters(compute):
        for zone in zones_of(row):
            by_zone.setdefault(zone, []).append(row)
    by_zone.setdefault(compute.settings.availability_zone, [])
    shown = []
    for zone, rows in sorted(by_zone.items()):
        hosts = None
        if with_hosts:
            hosts = {
                row.name: {"nova-compute": {"available": is_up(compute, row), "active": not row.drained, "updated_at": _stamp(row)}} for row in rows
            }
        shown.append({"zoneName": zone, "zoneState": {"available": any(is_up(compute, r) for r in rows) or not rows}, "hosts": hosts})
    return shown


def _stamp(row: Row[Any]) -> str | None:
    return iso(row.reported_at, micros=True, zone=False)


def hypervisor_summary(compute: Compute, row: Row[Any]) -> dict[str, Any]:
    """An item of os-hypervisors: one cluster."""
    return {
        "id": row.id, "hypervisor_hostname": row.name, "state": "up" if is_up(compute, row) else "down",
        "status": "disabled" if row.drained else "enabled",
    }  # fmt: skip


def hypervisor_detail(compute: Compute, row: Row[Any]) -> dict[str, Any]:
    """One cluster in Nova's shape at 2.1."""
    kind = (row.hypervisors or ["fake"])[0]
    return {
        **hypervisor_summary(compute, row),
        "hypervisor_type": "QEMU" if kind == "kvm" else kind, "hypervisor_version": 3000002, "host_ip": None, "cpu_info": "",
        "vcpus": row.cpu_total, "vcpus_used": row.cpu_used, "memory_mb": row.ram_total_mib,
        "memory_mb_used": row.ram_total_mib - row.ram_free_mib, "free_ram_mb": row.ram_free_mib, "local_gb": row.disk_total_gib,
        "local_gb_used": row.disk_total_gib - row.disk_free_gib, "free_disk_gb": row.disk_free_gib, "disk_available_least": row.disk_free_gib,
        "running_vms": row.instances, "current_workload": row.reserved_servers,
        "service": {"id": row.id, "host": row.name, "disabled_reason": "drained" if row.drained else None},
    }  # fmt: skip


def statistics(rows: Sequence[Row[Any]]) -> dict[str, int]:
    """Sums over all clusters."""
    return {
        "count": len(rows), "vcpus": sum(r.cpu_total for r in rows), "vcpus_used": sum(r.cpu_used for r in rows),
        "memory_mb": sum(r.ram_total_mib for r in rows), "memory_mb_used": sum(r.ram_total_mib - r.ram_free_mib for r in rows),
        "free_ram_mb": sum(r.ram_free_mib for r in rows), "local_gb": sum(r.disk_total_gib for r in rows),
        "local_gb_used": sum(r.disk_total_gib - r.disk_free_gib for r in rows), "free_disk_gb": sum(r.disk_free_gib for r in rows),
        "disk_available_least": sum(r.disk_free_gib for r in rows), "running_vms": sum(r.instances for r in rows),
        "current_workload": sum(int(r.reserved_servers) for r in rows),
    }  # fmt: skip


def service(compute: Compute, row: Row[Any]) -> dict[str, Any]:
    """An item of os-services: the dispatcher's hold on one cluster."""
    return {
        "id": row.id, "binary": "nova-compute", "host": row.name, "zone": row.zone, "status": "disabled" if row.drained else "enabled",
        "state": "up" if is_up(compute, row) else "down", "updated_at": _stamp(row), "disabled_reason": "drained" if row.drained else None,
    }  # fmt: skip
