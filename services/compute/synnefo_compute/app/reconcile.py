"""Compute's reconcilers: what compute believes against what Ganeti, network and volume say. Facts in, a pure plan out.

Covered: a job whose end never arrived (asked for again: the dispatcher knows tokens), a server whose instance is gone,
instances without a server, power states, projections of ports and volumes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from synnefo_common.clock import MICROS
from synnefo_common.log import get_logger
from synnefo_common.reconcile import Reconciler
from synnefo_compute.app import facts, internal
from synnefo_compute.app.core import Compute
from synnefo_compute.app.jobs import emit_job
from synnefo_compute.db import servers as servers_db
from synnefo_compute.domain.states import TaskState

log = get_logger(__name__)
_VERBS = {
    TaskState.POWERING_ON: ("instance.startup", {}), TaskState.POWERING_OFF: ("instance.shutdown", {}),
    TaskState.REBOOTING: ("instance.reboot", {"type": "soft"}), TaskState.REBOOTING_HARD: ("instance.reboot", {"type": "hard"}),
}  # fmt: skip


@dataclass(frozen=True)
class AskAgain:
    """A single action's job is overdue."""

    server_id: str
    cluster: str
    token: str
    task_state: str


@dataclass(frozen=True)
class TakeFact:
    """Ganeti says something else than we believe."""

    server_id: str
    data: dict[str, Any] = field(hash=False)


@dataclass(frozen=True)
class ReportOrphan:
    """An instance with our prefix that belongs to no live server. Removed only by an operator's word."""

    name: str
    cluster: str


Action = AskAgain | TakeFact | ReportOrphan


@dataclass
class Facts:
    """What `plan` compares."""

    now_us: int
    overdue_us: int
    servers: list[dict[str, Any]]
    instances: list[dict[str, Any]]
    silent_clusters: frozenset[str]


def plan(seen: Facts) -> list[Action]:
    """Pure."""
    actions: list[Action] = []
    by_id = {i["server_id"]: i for i in seen.instances if i.get("server_id")}
    live = {s["id"] for s in seen.servers}
    for server in seen.servers:
        overdue = server["task_since"] is not None and server["task_since"] < seen.now_us - seen.overdue_us
        token = server["job_token"] or ""
        if overdue and token.startswith("action:") and server["task_state"] in _VERBS and server["cluster"]:
            actions.append(AskAgain(server["id"], server["cluster"], token, server["task_state"]))
        if server["task_state"] is not None or not server["cluster"] or server["cluster"] in seen.silent_clusters:
            continue
        if server["launched_at"] is None or server["launched_at"] > seen.now_us - seen.overdue_us:
            continue
        found = by_id.get(server["id"])
        if found is None:
            if server["vm_state"] != "error":
                actions.append(TakeFact(server["id"], {"server_id": server["id"], "cluster": server["cluster"], "exists": False}))
        else:
            actions.extend(_differs(server, found))
    actions.extend(ReportOrphan(i["name"], i["cluster"]) for i in seen.instances if i.get("server_id") not in live)
    return actions


def _differs(server: dict[str, Any], found: dict[str, Any]) -> list[Action]:
    running = found.get("status") == "running"
    if (server["vm_state"] == "active" and not running) or (server["vm_state"] == "stopped" and running):
        data = {
            "server_id": server["id"], "cluster": server["cluster"], "exists": True, "status": found.get("status"), "pnode": found.get("pnode"),
        }  # fmt: skip
        return [TakeFact(server["id"], data)]
    return []


def instances_reconciler(compute: Compute) -> Reconciler[Facts, Action]:
    """Servers against Ganeti's instances."""

    async def observe() -> Facts:
        answer = await compute.dispatcher.observe()
        return Facts(
            now_us=compute.clock.now_us(), overdue_us=int(compute.settings.overdue_s * MICROS),
            servers=await internal.list_server_facts(compute), instances=answer["instances"],
            silent_clusters=frozenset(answer.get("unreachable") or ()),
        )  # fmt: skip

    async def execute(action: Action) -> None:
        if isinstance(action, ReportOrphan):
            log.warning("instance_without_server", instance=action.name, cluster=action.cluster)
            return
        async with compute.db.begin() as uow:
            if isinstance(action, TakeFact):
                row = await servers_db.get_server(uow, action.server_id, project_id=None)
                if row is not None:
                    await facts.observe(uow, {**action.data, "order": row.fact_order})
            else:
                verb, params = _VERBS[TaskState(action.task_state)]
                emit_job(uow, server_id=action.server_id, cluster=action.cluster, verb=verb, token=action.token, params=params)

    return Reconciler(
        "instances", db=compute.db, observe=observe, plan=_sequence, execute=execute, period_s=compute.settings.reconcile_period_s
    )


def _sequence(seen: Facts) -> Sequence[Action]:
    return plan(seen)
