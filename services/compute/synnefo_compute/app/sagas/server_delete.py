"""A server goes: the instance in Ganeti, its disks, its ports, its place in the ledger. Never unwinds: destroy always wins."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from synnefo_common.db import UnitOfWork
from synnefo_common.saga import Local, Remote, Saga, SagaContext, Wait, WaitLonger
from synnefo_compute.app.core import Compute
from synnefo_compute.app.jobs import emit_job
from synnefo_compute.app.sagas.server_create import deleted_event
from synnefo_compute.db import actions, clusters, guests, projections, servers
from synnefo_compute.domain.states import PowerState, TaskState, VmState

NAME = "server_delete"
FOR_EVER_S = 30 * 86400.0


async def start(uow: UnitOfWork, compute: Compute, row: Row[Any]) -> None:
    """Begin the deletion of a server whose row says `delete_requested`; in the caller's transaction."""
    data = {
        "server_id": row.id, "project_id": row.project_id, "user_id": row.user_id, "cluster": row.cluster, "action_id": row.action_id,
        "vcpus": row.vcpus, "ram_mib": row.ram_mib,
    }  # fmt: skip
    saga_id = await compute.sagas.start(uow, NAME, data=data)
    values = {"task_state": TaskState.DELETING, "saga_id": saga_id, "job_token": f"{saga_id}:job"}
    await servers.change(uow, row.id, values)


def saga(compute: Compute) -> Saga:
    """data: server_id, project_id, user_id, cluster, vcpus, ram_mib, action_id."""

    async def submit(uow: UnitOfWork, ctx: SagaContext) -> None:
        _emit(uow, ctx)
        if not ctx.data["cluster"]:
            await compute.sagas.signal(uow, ctx.id, "job", {})

    async def ask_again(uow: UnitOfWork, ctx: SagaContext) -> WaitLonger:
        _emit(uow, ctx)
        return WaitLonger(compute.settings.job_timeout_s)

    def _emit(uow: UnitOfWork, ctx: SagaContext) -> None:
        if ctx.data["cluster"]:
            emit_job(uow, server_id=ctx.data["server_id"], cluster=ctx.data["cluster"], verb="instance.delete", token=f"{ctx.id}:job")

    async def remove_volumes(ctx: SagaContext) -> None:
        await compute.volume.remove_volumes(ctx.data["server_id"], key=ctx.key)

    async def remove_ports(ctx: SagaContext) -> None:
        await compute.network.remove_ports(ctx.data["server_id"], key=ctx.key)

    async def finished(uow: UnitOfWork, ctx: SagaContext) -> None:
        data, server_id = ctx.data, ctx.data["server_id"]
        values = {
            "vm_state": VmState.DELETED, "task_state": None, "power_state": PowerState.NOSTATE, "deleted_at": compute.clock.now_us(),
            "saga_id": None, "job_token": None,
        }  # fmt: skip
        if not await servers.change(uow, server_id, values, conditions=[servers.servers.c.deleted_at.is_(None)]):
            return
        await projections.drop_all(uow, server_id)
        await guests.delete_guest(uow, server_id)
        await clusters.break_promise(uow, server_id)
        await actions.finish(uow, data["action_id"])
        provisions = {"compute.instances": 1, "compute.cores": data["vcpus"], "compute.ram_mib": data["ram_mib"]}
        compute.quota.release(uow, project_id=data["project_id"], user_id=data["user_id"], provisions=provisions)
        uow.emit(deleted_event(server_id, data["project_id"]))

    async def failed(uow: UnitOfWork, ctx: SagaContext, error: dict[str, Any]) -> None:
        message = str(error.get("message") or "The server could not be deleted.")
        fault = {"code": 500, "message": message[:255], "created": compute.clock.now_us()}
        values = {
            "vm_state": VmState.ERROR, "task_state": None, "fault": fault, "saga_id": None, "job_token": None, "delete_requested": False,
        }  # fmt: skip
        await servers.change(uow, ctx.data["server_id"], values)
        await actions.finish(uow, ctx.data["action_id"], message=message)

    return Saga(
        NAME,
        steps=[
            Local("submit", submit),
            Wait("job", timeout_s=compute.settings.job_timeout_s, on_timeout=ask_again),
            Remote("volumes", remove_volumes, deadline_s=FOR_EVER_S),
            Remote("ports", remove_ports, deadline_s=FOR_EVER_S),
        ],
        finished=finished,
        failed=failed,
    )
