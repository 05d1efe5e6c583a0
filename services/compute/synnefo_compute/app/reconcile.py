"""Compute's reconcilers: what compute believes against what Ganeti, network and volume say. Facts in, a pure plan out.

Covered: a job whose end never arrived (asked for again: the dispatcher knows tokens), a server whose instance is gone,
instances without a server or elsewhere, power states, devices of ours that an instance lacks or has too many, sizes.
What an operator may have meant (an instance elsewhere, another size, members of a server group where its policy would not
have them) is reported, not undone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from synnefo_common.clock import MICROS
from synnefo_common.log import get_logger
from synnefo_common.reconcile import Reconciler
from synnefo_compute.app import facts, internal
from synnefo_compute.app.core import Compute
from synnefo_compute.app.jobs import disk_of, emit_job, nic_of
from synnefo_compute.db import projections
from synnefo_compute.db import servers as servers_db
from synnefo_compute.domain.allocator import AFFINITY
from synnefo_compute.domain.states import TaskState

log = get_logger(__name__)
_PREFIXES = {"nic": "snf-nic-", "disk": "snf-vol-"}
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


@dataclass(frozen=True)
class ReportDrift:
    """Something that only an operator can judge."""

    server_id: str
    what: str


@dataclass(frozen=True)
class MendDevice:
    """The instance lacks a port or volume of the server, or has one that is not the server's. The owner has the last word."""

    server_id: str
    cluster: str
    kind: str  # nic, disk
    device_id: str
    is_extra: bool


@dataclass(frozen=True)
class RemoveOrphan:
    """An orphan that an operator wants gone."""

    server_id: str
    cluster: str


Action = AskAgain | TakeFact | ReportOrphan | ReportDrift | MendDevice


@dataclass
class Facts:
    """What `plan` compares."""

    now_us: int
    overdue_us: int
    servers: list[dict[str, Any]]
    instances: list[dict[str, Any]]
    silent_clusters: frozenset[str]
    busy: frozenset[str] = frozenset()  # servers that a saga is about
    ports: dict[str, set[str]] = field(default_factory=dict)
    volumes: dict[str, set[str]] = field(default_factory=dict)
    members: list[dict[str, Any]] = field(default_factory=list)  # of server groups with a hard policy


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
            if server["id"] not in seen.busy:
                actions.extend(_devices(server, found, "nic", seen.ports.get(server["id"], set())))
                actions.extend(_devices(server, found, "disk", seen.volumes.get(server["id"], set())))
    actions.extend(ReportOrphan(i["name"], i["cluster"]) for i in seen.instances if i.get("server_id") not in live)
    actions.extend(_astray(seen.members))
    return actions


def _astray(members: list[dict[str, Any]]) -> list[Action]:
    """Members that a failover or an operator has put where the policy would not have them. Of those too many the younger ones."""
    there: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    found: list[Action] = []
    for member in members:
        nodes, place = there[member["group_id"]], (member["cluster"], member["node"])
        nodes[place] += 1
        is_alone, is_crowded = place != next(iter(nodes)), nodes[place] > (member["max_server_per_host"] or 1)
        if is_alone if member["policy"] == AFFINITY else is_crowded:
            text = f"it is on {member['node']} of {member['cluster']} against the {member['policy']} of server group {member['group_id']}"
            found.append(ReportDrift(member["id"], text))
    return found


def _devices(server: dict[str, Any], found: dict[str, Any], kind: str, wanted: set[str]) -> list[Action]:
    """Devices with our names: others are the operator's."""
    prefix = _PREFIXES[kind]
    names = (str(device.get("name") or "") for device in found.get(f"{kind}s") or [])
    there = {name.removeprefix(prefix) for name in names if name.startswith(prefix)}
    mended = [(device, True) for device in sorted(there - wanted)] + [(device, False) for device in sorted(wanted - there)]
    return [MendDevice(server["id"], server["cluster"], kind, device, is_extra) for device, is_extra in mended]


def _differs(server: dict[str, Any], found: dict[str, Any]) -> list[Action]:
    if found["cluster"] != server["cluster"]:
        return [ReportDrift(server["id"], f"its instance is on {found['cluster']}, not on {server['cluster']}")]
    size = found.get("beparams") or {}
    drift: list[Action] = []
    if size and (size["vcpus"], size["ram_mib"]) != (server["vcpus"], server["ram_mib"]) and server["vm_state"] != "resized":
        text = f"its instance has {size['vcpus']} CPUs and {size['ram_mib']} MiB, the server {server['vcpus']} and {server['ram_mib']}"
        drift.append(ReportDrift(server["id"], text))
    running = found.get("status") == "running"
    if (server["vm_state"] == "active" and not running) or (server["vm_state"] == "stopped" and running):
        data = {
            "server_id": server["id"], "cluster": server["cluster"], "exists": True, "status": found.get("status"), "pnode": found.get("pnode"),
        }  # fmt: skip
        drift.append(TakeFact(server["id"], data))
    return drift


def instances_reconciler(compute: Compute) -> Reconciler[Facts, Action]:
    """Servers against Ganeti's instances."""

    async def observe() -> Facts:
        answer = await compute.dispatcher.observe()
        servers = await internal.list_server_facts(compute)
        members = await internal.list_hard_members(compute)
        ports, volumes = await internal.list_devices(compute, [server["id"] for server in servers])
        return Facts(
            now_us=compute.clock.now_us(), overdue_us=int(compute.settings.overdue_s * MICROS),
            servers=servers, instances=answer["instances"], silent_clusters=frozenset(answer.get("unreachable") or ()),
            busy=frozenset(await internal.list_busy_servers(compute)), ports=ports, volumes=volumes, members=members,
        )  # fmt: skip

    async def execute(action: Action) -> None:
        if isinstance(action, ReportOrphan):
            log.warning("instance_without_server", instance=action.name, cluster=action.cluster)
            return
        if isinstance(action, ReportDrift):
            log.warning("instance_differs", server_id=action.server_id, what=action.what)
            return
        if isinstance(action, MendDevice):
            await _mend(compute, action)
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


def orphans_reconciler(compute: Compute) -> Reconciler[list[dict[str, Any]], RemoveOrphan | ReportOrphan]:
    """Removes instances with our prefix whose server is gone. Never by period: an operator has to ask for it."""

    async def observe() -> list[dict[str, Any]]:
        answer = await compute.dispatcher.observe()
        live = {server["id"] for server in await internal.list_server_facts(compute)}
        busy = await internal.list_busy_servers(compute)
        return [i for i in answer["instances"] if i.get("server_id") not in live and i.get("server_id") not in busy]

    def orphans(instances: list[dict[str, Any]]) -> list[RemoveOrphan | ReportOrphan]:
        """One whose name has no server's id was not made by us, for all its prefix."""
        return [RemoveOrphan(i["server_id"], i["cluster"]) if i.get("server_id") else ReportOrphan(i["name"], i["cluster"]) for i in instances]

    async def execute(action: RemoveOrphan | ReportOrphan) -> None:
        if isinstance(action, ReportOrphan):
            return
        async with compute.db.begin() as uow:
            if await servers_db.get_server(uow, action.server_id, project_id=None) is not None:
                return
            token = f"orphan:{action.server_id}:{_turn(compute)}"
            emit_job(uow, server_id=action.server_id, cluster=action.cluster, verb="instance.delete", token=token)

    return Reconciler("orphan instances", db=compute.db, observe=observe, plan=orphans, execute=execute)


def _turn(compute: Compute) -> int:
    """Of a token, for one try in ten minutes: the dispatcher knows tokens, and answers one that it has seen with how that ended."""
    return compute.clock.now_us() // (600 * MICROS)


async def _mend(compute: Compute, drift: MendDevice) -> None:
    """Ask the owner. Either the instance gets or loses the device, or our projection was wrong and is put right."""
    is_nic = drift.kind == "nic"
    owned = await (compute.network.list_ports(drift.server_id) if is_nic else compute.volume.list_volumes(drift.server_id))
    item = next((item for item in owned if item["id"] == drift.device_id), None)
    table = projections.server_ports if is_nic else projections.server_volumes
    token = f"reconcile:{drift.server_id}:{drift.kind}:{drift.device_id}:{_turn(compute)}"
    async with compute.db.begin() as uow:
        row = await servers_db.get_server(uow, drift.server_id, project_id=None)
        if row is None or row.task_state is not None or row.cluster != drift.cluster:
            return
        if drift.is_extra and item is not None:
            await projections.put(uow, table, drift.server_id, [item], seq=0)
        elif not drift.is_extra and item is None:
            await projections.drop(uow, table, drift.device_id, server_id=drift.server_id)
        elif item is None:
            params: dict[str, Any] = {"name": f"{_PREFIXES[drift.kind]}{drift.device_id}"}
            emit_job(uow, server_id=row.id, cluster=row.cluster, verb=f"instance.remove_{drift.kind}", token=token, params=params)
        else:
            made = nic_of(item, compute.settings) if is_nic else disk_of(item, compute.settings)
            emit_job(uow, server_id=row.id, cluster=row.cluster, verb=f"instance.add_{drift.kind}", token=token, params={drift.kind: made})


def _sequence(seen: Facts) -> Sequence[Action]:
    return plan(seen)
