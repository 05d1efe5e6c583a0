"""Placing a server: the allocator over the clusters' reports and promises, settled by compare-and-set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Row

from synnefo_common.clock import MICROS
from synnefo_common.db import UnitOfWork
from synnefo_common.errors import Conflict
from synnefo_common.saga import Retry
from synnefo_compute.db import clusters as clusters_db
from synnefo_compute.db import server_groups
from synnefo_compute.domain.allocator import OFFLINE, Capacity, Demand, Rules, ServerGroup, choose
from synnefo_compute.settings import Settings

NO_HOST = "compute.no_valid_host"


def rules_of(settings: Settings) -> Rules:
    """The operator's part."""
    pins = {project: frozenset(names.replace(",", " ").split()) for project, names in settings.project_clusters.items()}
    return Rules(
        cpu=settings.cpu_ratio, ram=settings.ram_ratio, disk=settings.disk_ratio, stale_s=settings.cluster_stale_s,
        filters=tuple(settings.filters), weighers=settings.weighers, pins=pins,
    )  # fmt: skip


def _common(row: Row[Any], *, now_us: int) -> dict[str, Any]:
    return {
        "cluster": row.name, "online": row.online, "disk_templates": tuple(row.disk_templates), "hypervisors": tuple(row.hypervisors),
        "age_s": (now_us - row.reported_at) / MICROS,
    }  # fmt: skip


def _whole(row: Row[Any], *, now_us: int) -> Capacity:
    zone = row.node_groups[0]["zone"] if row.node_groups else None
    return Capacity(
        **_common(row, now_us=now_us), drained=row.drained, zone=zone or row.zone,
        ram_total=row.ram_total_mib, ram_free=row.ram_free_mib, disk_total=row.disk_total_gib, disk_free=row.disk_free_gib,
        cpu_total=row.cpu_total, cpu_used=row.cpu_used, instances=row.instances,
        reserved_ram=int(row.reserved_ram), reserved_disk=int(row.reserved_disk), reserved_cpu=int(row.reserved_cpu),
        reserved_servers=int(row.reserved_servers),
    )  # fmt: skip


def _part(row: Row[Any], group: Mapping[str, Any], promised: Row[Any] | None, *, now_us: int, **more: Any) -> Capacity:
    keys = ("reserved_ram", "reserved_disk", "reserved_cpu", "reserved_servers")
    reserved: dict[str, Any] = {key: int(getattr(promised, key)) for key in keys} if promised else {}
    return Capacity(
        **_common(row, now_us=now_us), drained=row.drained or not group["is_open"], zone=group["zone"] or row.zone, group=group["name"],
        ram_total=group["mem_total_mib"], ram_free=group["mem_free_mib"], disk_total=group["disk_total_gib"],
        disk_free=group["disk_free_gib"], cpu_total=group["cpu_total"], cpu_used=group["cpu_used"], instances=group["instances"], **reserved, **more,
    )  # fmt: skip


async def _nodes(uow: UnitOfWork, *, forced: str | None, members: Mapping[tuple[str, str], int]) -> tuple[list[Capacity], dict[str, int]]:
    """Every node as a place of its own."""
    rows = [row for row in await clusters_db.list_clusters(uow) if forced in (None, row.name)]
    promised, now_us = await clusters_db.promises_by_node(uow), uow.db.clock.now_us()
    places = [
        _part(
            row, {**group, **node, "name": group["name"] if len(row.node_groups) > 1 else None}, promised.get((row.name, node["name"])),
            now_us=now_us, node=node["name"], members=members.get((row.name, node["name"]), 0),
        )
        for row in rows for group in row.node_groups for node in group.get("members") or ()
    ]  # fmt: skip
    return places, {row.name: row.turn for row in rows}


def zones_of(row: Row[Any]) -> list[str]:
    """The availability zones of a cluster."""
    return list(dict.fromkeys(group["zone"] or row.zone for group in row.node_groups)) or [row.zone]


async def list_places(uow: UnitOfWork, *, forced: str | None = None) -> tuple[list[Capacity], dict[str, int]]:
    """Where servers may go, and each cluster's turn. One statement more where a cluster has several node groups."""
    rows = [row for row in await clusters_db.list_clusters(uow) if forced in (None, row.name)]
    promised: Mapping[tuple[str, str | None], Row[Any]] = {}
    if any(len(row.node_groups) > 1 for row in rows):
        promised = await clusters_db.promises_by_group(uow)
    now_us = uow.db.clock.now_us()
    places: list[Capacity] = []
    for row in rows:
        if len(row.node_groups) > 1:
            places += [_part(row, group, promised.get((row.name, group["name"])), now_us=now_us) for group in row.node_groups]
        else:
            places.append(_whole(row, now_us=now_us))
    return places, {row.name: row.turn for row in rows}


async def place(
    uow: UnitOfWork, settings: Settings, *, server_id: str, demand: Demand, since_us: int, forced: str | None = None,
    server_group_id: str | None = None,
) -> Capacity:
    """Promise room at the best place and return it. Raises Conflict (no valid host) or Retry.

    Retry: a race was lost, or all that could take the server are offline and it has not waited long `since_us`.
    A member of a server group is given a node: Ganeti is told which, so that no other choice comes between.
    """
    if server_group_id is not None and await server_groups.take_turn(uow, server_group_id):
        members = await server_groups.members_by_node(uow, server_group_id, without=server_id)
        assert demand.server_group is not None
        demand = replace(demand, server_group=replace(demand.server_group, placed=sum(members.values())))
        places, turns = await _nodes(uow, forced=forced, members=members)
    else:
        places, turns = await list_places(uow, forced=forced)
        demand = replace(demand, server_group=None)
    chosen, refused = choose(places, demand, rules_of(settings))
    if chosen is None:
        if OFFLINE in refused.values() and uow.db.clock.now_us() < since_us + settings.offline_patience_s * MICROS:
            raise Retry("every cluster that could take the server is offline", delay_s=2.0)
        raise Conflict(f"No valid host was found. {_reasons(refused)}.", code=NO_HOST)
    needs = {"vcpus": demand.vcpus, "ram_mib": demand.ram_mib, "disk_gib": demand.disk_gib}
    where = {"cluster": chosen.cluster, "node_group": chosen.group, "node": chosen.node}
    row = {"server_id": server_id, "refused": list(demand.exclude), **where, **needs}
    if not await clusters_db.reserve(uow, row, turn=turns[chosen.cluster]):
        raise Retry("another server was placed at the same time", delay_s=0.02)
    return chosen


def _reasons(refused: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {reason}" for name, reason in sorted(refused.items())) or "no cluster is known"


def demand_of(data: Mapping[str, Any], *, exclude: Sequence[str] = ()) -> Demand:
    """What a `server_create` saga's server needs."""
    group = data.get("server_group")
    return Demand(
        vcpus=data["vcpus"], ram_mib=data["ram_mib"], disk_gib=data["disk_gib"], zone=data.get("zone"), hypervisor=data.get("hypervisor"),
        project_id=data["project_id"], exclude=tuple(exclude), server_group=ServerGroup(**group["rules"]) if group else None,
    )  # fmt: skip
