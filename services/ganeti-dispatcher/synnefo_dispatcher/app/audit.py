"""What the auditor reads of the dispatcher: instances as Ganeti has them now, live jobs, and how often each token had an effect."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from synnefo_dispatcher.app.core import Dispatcher
from synnefo_dispatcher.app.instances import list_instances
from synnefo_dispatcher.db import clusters as clusters_db
from synnefo_dispatcher.db.jobs import jobs
from synnefo_dispatcher.domain.jobs import LIVE, JobState
from synnefo_dispatcher.rapi import RapiError


async def audit_facts(dispatcher: Dispatcher) -> dict[str, Any]:
    """See the module. Jobs that Ganeti has archived already are not counted."""
    seen = await list_instances(dispatcher)
    async with dispatcher.db.read() as uow:
        live = await uow.all(select(jobs.c.job_token).where(jobs.c.state.in_((JobState.QUEUED, *LIVE))))
        rows = await clusters_db.list_clusters(uow)
    effective: dict[str, int] = {}
    for row in rows:
        if row.name in seen["unreachable"]:
            continue
        try:
            found = await dispatcher.connections.client(row).jobs()
        except RapiError:
            continue
        for job in found:
            if job.status == "success":
                for token in job.tokens:
                    effective[token] = effective.get(token, 0) + 1
    return {
        "instances": [
            {
                "name": i["name"], "server_id": i["server_id"], "cluster": i["cluster"], "status": i.get("status"),
                "disks": [d.get("name") for d in i.get("disks") or ()], "nics": [n.get("name") for n in i.get("nics") or ()],
            }
            for i in seen["instances"]
        ],
        "unreachable": seen["unreachable"],
        "live_jobs": [row.job_token for row in live],
        "effective_jobs": effective,
    }  # fmt: skip
