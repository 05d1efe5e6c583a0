"""Our instances as they are now, on all clusters; and their consoles."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from sqlalchemy import Row

from synnefo_common.errors import Unavailable
from synnefo_common.log import get_logger
from synnefo_dispatcher.app.capacity import hypervisor_of
from synnefo_dispatcher.app.core import Dispatcher
from synnefo_dispatcher.app.facts import facts_of
from synnefo_dispatcher.clients.vault import VaultError
from synnefo_dispatcher.db import clusters as clusters_db
from synnefo_dispatcher.db import instances as instances_db
from synnefo_dispatcher.db import jobs as jobs_db
from synnefo_dispatcher.domain.errors import ConsoleUnavailable, InstanceNotFound
from synnefo_dispatcher.domain.jobs import SERVER_ID, instance_name, server_id_of, token_of
from synnefo_dispatcher.rapi import Instance, NotFound, RapiError

log = get_logger(__name__)


def view(cluster: str, server_id: str, instance: Instance) -> dict[str, Any]:
    """An instance as other services read it."""
    return {
        "server_id": server_id, "name": instance.name, "cluster": cluster, "exists": True, **facts_of(instance),
        "tags": sorted(instance.tags), "created_at": int(instance.created_at * 1_000_000),
    }  # fmt: skip


async def list_instances(dispatcher: Dispatcher) -> dict[str, Any]:
    """All that have our prefix, asked of Ganeti now; and the clusters that did not answer."""
    async with dispatcher.db.read() as uow:
        rows = await clusters_db.list_clusters(uow)
    prefix = dispatcher.settings.instance_prefix

    async def of_cluster(row: Row[Any]) -> list[dict[str, Any]] | None:
        if row.offline:
            return None
        try:
            found = await dispatcher.connections.client(row).instances()
        except (RapiError, VaultError, KeyError, TypeError, ValueError) as error:
            log.warning("instances_not_listed", cluster=row.name, error=str(error))
            return None
        ours = ((server_id_of(prefix, instance.name), instance) for instance in found)
        return [view(row.name, server_id, instance) for server_id, instance in ours if server_id is not None]

    answers = await asyncio.gather(*(of_cluster(row) for row in rows))
    return {
        "instances": [shown for answer in answers if answer is not None for shown in answer],
        "unreachable": [row.name for row, answer in zip(rows, answers, strict=True) if answer is None],
    }


async def audit_facts(dispatcher: Dispatcher) -> dict[str, Any]:
    """For the auditor: instances with the names of their disks, unfinished jobs, and how often each token had an effect."""
    async with dispatcher.db.read() as uow:
        rows, live = await clusters_db.list_clusters(uow), await jobs_db.unfinished_tokens(uow)
        recorded = await jobs_db.last_ganeti_jobs(uow)
    listed = await list_instances(dispatcher)
    effective: Counter[str] = Counter()
    last: dict[str, int] = {}
    silent = set(listed["unreachable"])
    for row in rows:
        if row.name in silent:
            continue
        try:
            found = await dispatcher.connections.client(row).jobs()
        except RapiError as error:
            log.warning("jobs_not_listed", cluster=row.name, error=str(error))
            continue
        if found:  # all may have been archived
            last[row.name] = max(job.job_id for job in found)
        effective.update(token_of(text) for job in found if job.status == "success" for text in job.tokens if token_of(text))
    instances = [{**shown, "disks": [disk["name"] for disk in shown["disks"]]} for shown in listed["instances"]]
    return {
        "instances": instances, "unreachable": listed["unreachable"], "effective_jobs": effective, "live_jobs": live,
        "last_jobs": last, "recorded_jobs": recorded,
    }  # fmt: skip


async def find(dispatcher: Dispatcher, server_id: str) -> tuple[Row[Any], Instance]:
    """A server's cluster and its instance now. Raises InstanceNotFound, Unavailable."""
    if not SERVER_ID.fullmatch(server_id):
        raise InstanceNotFound(server_id[:100])
    async with dispatcher.db.read() as uow:
        seen = await instances_db.of_server(uow, server_id)
        name = seen[0].cluster if seen else await jobs_db.cluster_of_server(uow, server_id)
        row = None if name is None else await clusters_db.get_cluster(uow, name)
    if row is None:
        raise InstanceNotFound(server_id)
    if row.offline:
        raise Unavailable(f"Cluster {row.name} is offline.")
    try:
        client = dispatcher.connections.client(row)
        return row, await client.instance(instance_name(dispatcher.settings.instance_prefix, server_id))
    except NotFound as error:
        raise InstanceNotFound(server_id) from error
    except (RapiError, VaultError) as error:
        raise Unavailable(f"Cluster {row.name} does not answer: {error}.") from error


def _hypervisor(dispatcher: Dispatcher, row: Row[Any]) -> str:
    known = hypervisor_of(row.name, row.report.get("hypervisors") or [], dispatcher.settings.hypervisor)
    return known or "unknown"


async def console(dispatcher: Dispatcher, server_id: str) -> dict[str, Any]:
    """Where the screen is. Raises InstanceNotFound, ConsoleUnavailable, Unavailable.

    Ganeti 3.0's own call for a VNC console fails: the address is the instance's network port on its node.
    """
    row, instance = await find(dispatcher, server_id)
    hypervisor = _hypervisor(dispatcher, row)
    if instance.is_running is not True:
        raise ConsoleUnavailable(f"The instance of server {server_id} does not run.")
    port = instance.raw.get("network_port")
    if hypervisor != "kvm" or not port:
        raise ConsoleUnavailable(f"The hypervisor '{hypervisor}' of cluster {row.name} has no graphical console.")
    return {"kind": "vnc", "host": instance.node, "port": int(port), "cluster": row.name}


async def console_log(dispatcher: Dispatcher, server_id: str, *, length: int | None) -> str:
    """The end of the serial console's output. Raises InstanceNotFound, ConsoleUnavailable, Unavailable."""
    row, _ = await find(dispatcher, server_id)
    hypervisor = _hypervisor(dispatcher, row)
    if hypervisor == "kvm":
        raise ConsoleUnavailable(f"Cluster {row.name} does not keep what its serial consoles print.")
    raise ConsoleUnavailable(f"The hypervisor '{hypervisor}' of cluster {row.name} has no serial console.")
