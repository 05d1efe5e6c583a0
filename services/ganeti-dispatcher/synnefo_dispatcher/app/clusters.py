"""Clusters as the operator registers them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row
from sqlalchemy.exc import IntegrityError

from synnefo_common.clock import MICROS, iso
from synnefo_common.db import UnitOfWork
from synnefo_common.errors import BadRequest, Conflict, Unavailable
from synnefo_common.log import get_logger
from synnefo_dispatcher.app.capacity import EMPTY_REPORT, report_of, survey
from synnefo_dispatcher.app.core import Dispatcher
from synnefo_dispatcher.app.events import job_event, removed_event, reported_event
from synnefo_dispatcher.clients.vault import VaultError
from synnefo_dispatcher.db import clusters as db
from synnefo_dispatcher.db import instances as instances_db
from synnefo_dispatcher.db import jobs as jobs_db
from synnefo_dispatcher.domain.errors import ClusterExists, ClusterInUse, ClusterNotFound
from synnefo_dispatcher.domain.jobs import CLUSTER_NAME, JobState
from synnefo_dispatcher.rapi import RapiError

log = get_logger(__name__)

WRITABLE = ("rapi_url", "username", "password", "certificate_pem", "zone", "drained", "offline")


async def list_clusters(dispatcher: Dispatcher) -> list[dict[str, Any]]:
    async with dispatcher.db.read() as uow:
        return [view(row) for row in await db.list_clusters(uow)]


async def load(uow: UnitOfWork, name: str) -> Row[Any]:
    """The row. Raises ClusterNotFound."""
    row = await db.get_cluster(uow, name) if CLUSTER_NAME.fullmatch(name) else None
    if row is None:
        raise ClusterNotFound(name)
    return row


async def show(dispatcher: Dispatcher, name: str) -> dict[str, Any]:
    async with dispatcher.db.read() as uow:
        return view(await load(uow, name))


async def register(dispatcher: Dispatcher, body: Mapping[str, Any]) -> dict[str, Any]:
    """Take a cluster into service: looked at at once, so that servers may go there as soon as this answers.

    A cluster that does not answer is registered all the same, offline. Raises ClusterExists, BadRequest.
    """
    name = str(body["name"])
    async with dispatcher.db.read() as uow:
        if await db.get_cluster(uow, name) is not None:
            raise ClusterExists(name)
    report, error, began = await _probe(dispatcher, body)
    now = dispatcher.clock.now_us()
    row = {
        "name": name, **{key: body[key] for key in WRITABLE if key != "password"},
        "password": _encrypt(dispatcher, str(body["password"])), "generation": 1, "is_online": error is None, "error": error,
        "report": report, "reported_at": began, "created_at": now, "updated_at": now,
    }  # fmt: skip
    try:
        async with dispatcher.db.begin() as uow:
            await db.add_cluster(uow, row)
            uow.emit(reported_event(name, report, online=error is None, reported_at=began))
            uow.after_commit(dispatcher.clusters_changed.set)
            await dispatcher.notify(uow)
    except IntegrityError as lost:
        raise ClusterExists(name) from lost
    log.info("cluster_registered", cluster=name, online=error is None, error=error)
    return await show(dispatcher, name)


async def _probe(dispatcher: Dispatcher, body: Mapping[str, Any]) -> tuple[dict[str, Any], str | None, int]:
    """Report, reason for having none, and when it was begun."""
    began = dispatcher.clock.now_us()
    empty = {**EMPTY_REPORT, "zone": body["zone"], "drained": body["drained"]}
    if body["offline"]:
        return empty, "taken offline by the operator", began
    client = dispatcher.connections.open(body["rapi_url"], body["username"], body["password"], body["certificate_pem"])
    try:
        found = await survey(client)
        return report_of(found, zone=body["zone"], drained=body["drained"]), None, began
    except RapiError as error:
        return empty, str(error)[:1000], began
    finally:
        await client.close()


def _encrypt(dispatcher: Dispatcher, password: str) -> str:
    try:
        return dispatcher.vault.encrypt(password)
    except VaultError as error:
        raise Unavailable(f"The password cannot be stored: {error}.") from error


async def change(dispatcher: Dispatcher, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Change what is given. Its worker starts anew with it. Raises ClusterNotFound, BadRequest, Conflict."""
    if body.get("name") not in (None, name):
        raise BadRequest("A cluster cannot be renamed: its jobs and servers know it by name.")
    values = {key: body[key] for key in WRITABLE if key in body}
    for key in ("rapi_url", "username", "password", "drained", "offline"):
        if key in values and values[key] is None:
            raise BadRequest(f"{key} may not be null.")
    if "password" in values:
        values["password"] = _encrypt(dispatcher, values["password"])
    async with dispatcher.db.begin() as uow:
        row = await load(uow, name)
        now = dispatcher.clock.now_us()
        if values:
            values["updated_at"] = now
            report = {**EMPTY_REPORT, **row.report}
            report |= {key: values[key] for key in ("zone", "drained") if key in values}
            goes_offline = values.get("offline", False) and not row.offline
            if goes_offline:
                values |= {"is_online": False, "error": "taken offline by the operator"}
            values["report"] = report
            if not await db.change_cluster(uow, name, values, generation=row.generation):
                raise Conflict(f"Cluster {name!r} changed at the same time; try again.", code="dispatcher.cluster.conflict")
            if goes_offline or "zone" in values or "drained" in values:
                online = bool(row.is_online) and not values.get("offline", row.offline)
                uow.emit(reported_event(name, report, online=online, reported_at=now))
            uow.after_commit(dispatcher.clusters_changed.set)
            await dispatcher.notify(uow)
    return await show(dispatcher, name)


async def encrypt_anew(dispatcher: Dispatcher) -> int:
    """Encrypt every stored password with the first key, so that the others can go; how many. Raises VaultError, changing nothing."""
    async with dispatcher.db.begin() as uow:
        rows = await db.list_clusters(uow)
        for row in rows:
            await db.put_report(uow, row.name, {"password": dispatcher.vault.renew(row.password)})
    return len(rows)


async def remove(dispatcher: Dispatcher, name: str, *, is_forced: bool) -> None:
    """Forget a cluster. Raises ClusterNotFound, ClusterInUse."""
    error = {"type": "ClusterRemoved", "message": f"cluster {name} was removed", "code": "cluster_removed"}
    async with dispatcher.db.begin() as uow:
        await load(uow, name)
        jobs, instances = await jobs_db.unfinished(uow, name), await instances_db.count(uow, name)
        if (jobs or instances) and not is_forced:
            raise ClusterInUse(name, instances=instances, jobs=jobs)
        if jobs:
            for job in await jobs_db.end_all(uow, name, error):
                uow.emit(job_event(job, JobState.FAILED))
        await instances_db.drop_all(uow, name)
        await db.remove_cluster(uow, name)
        uow.emit(removed_event(name))
        uow.after_commit(dispatcher.clusters_changed.set)
        await dispatcher.notify(uow)


async def health(dispatcher: Dispatcher) -> dict[str, Any]:
    """How the clusters and their queues are."""
    async with dispatcher.db.read() as uow:
        rows, counts = await db.list_clusters(uow), await jobs_db.counts(uow)
    now = dispatcher.clock.now_us()
    shown = []
    for row in rows:
        mine = [c for c in counts if c.cluster == row.name]
        oldest = min((c.oldest for c in mine), default=None)
        shown.append(
            {
                "name": row.name, "online": bool(row.is_online), "offline": bool(row.offline), "drained": bool(row.drained),
                "error": row.error, "reported_at": iso(row.reported_at, micros=True),
                "queued": sum(c.n for c in mine if c.state == JobState.QUEUED),
                "in_flight": sum(c.n for c in mine if c.state != JobState.QUEUED),
                "oldest_job_age_s": None if oldest is None else round((now - oldest) / MICROS, 3),
            }
        )  # fmt: skip
    is_well = all(c["online"] or c["offline"] for c in shown)
    return {"status": "ok" if is_well else "degraded", "clusters": shown}


def view(row: Row[Any]) -> dict[str, Any]:
    """A cluster as the admin API shows it: never its password."""
    report = {**EMPTY_REPORT, **row.report}
    figures = ("mem_total_mib", "mem_free_mib", "disk_total_gib", "disk_free_gib", "cpu_total", "cpu_used", "instances")
    return {
        "name": row.name, "rapi_url": row.rapi_url, "username": row.username, "certificate_pem": row.certificate_pem,
        "zone": row.zone, "drained": bool(row.drained), "offline": bool(row.offline), "online": bool(row.is_online),
        "error": row.error, "version": report["version"], "hypervisors": report["hypervisors"],
        "disk_templates": report["disk_templates"], "nodes": report["nodes"], **{key: report[key] for key in figures},
        "reported_at": iso(row.reported_at, micros=True), "created_at": iso(row.created_at, micros=True),
        "updated_at": iso(row.updated_at, micros=True),
    }  # fmt: skip


def capacity(row: Row[Any]) -> dict[str, Any]:
    """A cluster as other services read it: as in `ganeti.cluster.reported`."""
    event = reported_event(row.name, {**EMPTY_REPORT, **row.report}, online=bool(row.is_online), reported_at=row.reported_at)
    return dict(event.data)


async def list_capacities(dispatcher: Dispatcher) -> list[dict[str, Any]]:
    async with dispatcher.db.read() as uow:
        return [capacity(row) for row in await db.list_clusters(uow)]
