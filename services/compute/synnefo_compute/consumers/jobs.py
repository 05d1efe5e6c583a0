"""What Ganeti's jobs did: a saga's wait is answered, or a single action is finished. Facts come from here and the reconciler only."""

from __future__ import annotations

from typing import Any

from synnefo_common.bus import Consumers
from synnefo_common.contracts.envelope import Envelope
from synnefo_common.db import UnitOfWork
from synnefo_compute.app import facts
from synnefo_compute.app.core import Compute
from synnefo_compute.app.sagas.server_create import place_elsewhere
from synnefo_compute.db import actions, servers
from synnefo_compute.domain.states import PowerState, TaskState, VmState

_NO_ROOM = frozenset({"insufficient_resources", "temp_insufficient_resources"})
# What a finished single action makes true: task → (vm state, power state).
_DONE = {
    TaskState.POWERING_ON: (VmState.ACTIVE, PowerState.RUNNING),
    TaskState.POWERING_OFF: (VmState.STOPPED, PowerState.SHUTDOWN),
    TaskState.REBOOTING: (VmState.ACTIVE, PowerState.RUNNING),
    TaskState.REBOOTING_HARD: (VmState.ACTIVE, PowerState.RUNNING),
}


def register(consumers: Consumers, compute: Compute) -> None:
    """Listen to the dispatcher."""

    # Repeatable: the first signal of a saga's wait counts, and an action is ended by its job's token once.
    @consumers.on("ganeti.job.succeeded", "ganeti.job.failed", "ganeti.job.canceled", is_repeatable=True)
    async def job_ended(uow: UnitOfWork, message: Envelope) -> None:
        data = message.data
        error = data.get("error") or (None if message.type == "ganeti.job.succeeded" else {"message": "The job was canceled in Ganeti."})
        owner, _, name = data["job_token"].partition(":")
        name = name.partition(":")[0]  # "job:2" is the second try of "job"
        if _had_no_room(data, error) and await place_elsewhere(
            uow, compute, saga_id=owner, server_id=data["server_id"], token=data["job_token"]
        ):
            return
        if owner == "action":
            await _action_ended(uow, data, error)
        elif error is not None:
            await compute.sagas.signal(uow, owner, name, {"error": {"message": _readable(data, error), "status": 500, "code": "ganeti.job.failed"}})
        else:
            await compute.sagas.signal(uow, owner, name, {"node": data.get("node"), "ganeti_job_id": data.get("ganeti_job_id")})

    @consumers.on("ganeti.job.progress")
    async def job_progress(uow: UnitOfWork, message: Envelope) -> None:
        if isinstance(message.data.get("progress"), int):
            conditions = [servers.servers.c.vm_state == VmState.BUILDING, servers.servers.c.job_token == message.data["job_token"]]
            await servers.change(uow, message.data["server_id"], {"progress": message.data["progress"]}, conditions=conditions)

    @consumers.on("ganeti.instance.observed")
    async def instance_observed(uow: UnitOfWork, message: Envelope) -> None:
        await facts.observe(uow, message.data)


def _had_no_room(data: dict[str, Any], error: dict[str, Any] | None) -> bool:
    return data["verb"] == "instance.create" and error is not None and error.get("code") in _NO_ROOM


def _readable(data: dict[str, Any], error: dict[str, Any]) -> str:
    """One sentence for the server's owner."""
    verb = str(data.get("verb", "job")).removeprefix("instance.").replace("_", " ")
    return f"{verb} failed on cluster {data.get('cluster')}: {error.get('message') or error.get('type') or 'no reason given'}"


async def _action_ended(uow: UnitOfWork, data: dict[str, Any], error: dict[str, Any] | None) -> None:
    row = await servers.get_server(uow, data["server_id"], project_id=None)
    if row is None or row.job_token != data["job_token"]:
        return  # a newer action took over
    values: dict[str, Any] = {"task_state": None, "job_token": None}
    if error is None and row.task_state in _DONE:
        values["vm_state"], values["power_state"] = _DONE[TaskState(row.task_state)]
        values["fault"] = None if row.vm_state == VmState.ERROR else row.fault
    elif error is not None:
        values["fault"] = {"code": 500, "message": _readable(data, error)[:255], "created": uow.db.clock.now_us()}
    await servers.change(uow, row.id, values)
    await actions.finish(uow, row.action_id, message=_readable(data, error) if error else None)
