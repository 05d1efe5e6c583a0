"""The dispatcher's events, as other services read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row

from synnefo_common.contracts.envelope import Event
from synnefo_dispatcher.domain.jobs import RANK, JobState

_PRIVATE = ("node_names", "uuid", "master", "nodes_offline", "nodes_drained")


def job_event(
    job: Row[Any] | Mapping[str, Any], state: str, *, rank: int | None = None, **extra: Any
) -> Event:
    """`ganeti.job.<state>`; in the order of the server's other events."""
    row = job if isinstance(job, Mapping) else job._mapping
    error, node = extra.pop("error", row["error"]), extra.pop("node", row["node"])
    ganeti_job_id = extra.pop("ganeti_job_id", row["ganeti_job_id"])
    order = [ganeti_job_id or 0, extra.pop("op_index", row["op_index"]), RANK[JobState(state)] if rank is None else rank]
    data = {
        "job_token": row["job_token"], "server_id": row["server_id"], "cluster": row["cluster"], "verb": row["verb"],
        "ganeti_job_id": ganeti_job_id, "status": state, "error": error, "order": order, **extra,
    }  # fmt: skip
    if node is not None:
        data["node"] = node
    kind = "progress" if "progress" in extra else state
    return Event(f"ganeti.job.{kind}", "server", row["server_id"], data)


def observed_event(cluster: str, server_id: str, facts: Mapping[str, Any] | None, *, order: int) -> Event:
    """`ganeti.instance.observed`: without facts the instance does not exist (any more)."""
    known = {"exists": facts is not None, **(facts or {})}
    for key in ("admin_state", "oper_state", "status", "pnode", "beparams", "nics", "disks"):
        known.setdefault(key, None)
    data = {"server_id": server_id, "cluster": cluster, **known, "order": [order, 0, 0]}
    return Event("ganeti.instance.observed", "server", server_id, data)


def reported_event(cluster: str, report: Mapping[str, Any], *, online: bool, reported_at: int) -> Event:
    """`ganeti.cluster.reported`."""
    figures = _public(report)
    figures["groups"] = [_public(group) for group in report["groups"]]
    data = {"cluster": cluster, "online": online, **figures, "reported_at": reported_at}
    return Event("ganeti.cluster.reported", "cluster", cluster, data)


def _public(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in figures.items() if key not in _PRIVATE}


def removed_event(cluster: str) -> Event:
    """`ganeti.cluster.removed`."""
    return Event("ganeti.cluster.removed", "cluster", cluster, {"cluster": cluster})
