"""A server changes its flavor: stopped, changed in Ganeti, its root disk grown, started again; then confirmed or reverted.

Until the confirmation the ledger counts the larger of the two flavors (`servers.vcpus`, `servers.ram_mib`).
"""

from __future__ import annotations

from typing import Any

from synnefo_common.db import UnitOfWork
from synnefo_common.saga import Remote, Saga, SagaContext
from synnefo_compute.app.core import Compute
from synnefo_compute.app.jobs import emit_job
from synnefo_compute.app.sagas.job_steps import job_steps
from synnefo_compute.db import actions, servers
from synnefo_compute.domain.states import PowerState, TaskState, VmState

NAME, REVERT_NAME = "server_resize", "server_revert_resize"


def _steps(compute: Compute, *, to: str, grows: bool) -> list[Any]:
    """`to`: which flavor of the data the instance gets. A disk grows and never shrinks again: a revert leaves it."""

    async def grow_volume(ctx: SagaContext) -> None:
        if ctx.data["grow_root_gib"]:
            await compute.volume.grow_root(ctx.data["server_id"], ctx.data["grow_root_gib"], key=ctx.key)

    def grow_params(ctx: SagaContext) -> dict[str, Any] | None:
        if not ctx.data["grow_root_gib"]:
            return None
        return {"name": f"snf-vol-{ctx.data['root_volume_id']}", "size_mib": ctx.data["grow_root_gib"] * 1024}

    def change_params(ctx: SagaContext) -> dict[str, Any]:
        return {"vcpus": ctx.data[to]["vcpus"], "ram_mib": ctx.data[to]["ram"]}

    def if_running(ctx: SagaContext) -> dict[str, Any] | None:
        return {} if ctx.data["was_running"] else None

    grow = [Remote("grow_volume", grow_volume, deadline_s=3600.0), *job_steps(compute, "grow", verb="instance.grow_disk", params=grow_params)]
    return [
        *job_steps(compute, "stop", verb="instance.shutdown", params=if_running),
        *job_steps(compute, "change", verb="instance.modify_beparams", params=change_params),
        *(grow if grows else []),
        *job_steps(compute, "start", verb="instance.startup", params=if_running),
    ]


async def _back_to_what_was(uow: UnitOfWork, compute: Compute, ctx: SagaContext, error: dict[str, Any], *, vm_state: VmState) -> None:
    """After a failure: the server runs again if it ran, and the owner reads why."""
    data = ctx.data
    message = str(error.get("message") or "The resize failed.")
    fault = {"code": 500, "message": message[:255], "created": compute.clock.now_us()}
    values: dict[str, Any] = {"vm_state": vm_state, "task_state": None, "saga_id": None, "job_token": None, "fault": fault}
    if data["was_running"] and "stop" in ctx.out and "start" not in ctx.out:
        token = f"action:{compute.ids.uuid()}"
        values |= {"vm_state": VmState.STOPPED, "task_state": TaskState.POWERING_ON, "job_token": token}
        emit_job(uow, server_id=data["server_id"], cluster=data["cluster"], verb="instance.startup", token=token)
    await servers.change(uow, data["server_id"], values)
    await actions.finish(uow, data["action_id"], message=message)


def saga(compute: Compute) -> Saga:
    """data: server_id, project_id, user_id, cluster, was_running, old, new (flavors), charged, grow_root_gib, root_volume_id,
    commission_id, action_id."""

    async def finished(uow: UnitOfWork, ctx: SagaContext) -> None:
        data = ctx.data
        values = {
            "vm_state": VmState.RESIZED, "task_state": None, "saga_id": None, "job_token": None, "flavor": data["new"],
            "flavor_id": data["new"]["id"], "old_flavor": data["old"], "vcpus": data["charged"]["vcpus"], "ram_mib": data["charged"]["ram"],
            "disk_gib": max(data["old"]["disk"], data["new"]["disk"]),
            "power_state": PowerState.RUNNING if data["was_running"] else PowerState.SHUTDOWN,
        }  # fmt: skip
        await servers.change(uow, data["server_id"], values)
        await actions.finish(uow, data["action_id"])
        if data["commission_id"]:
            compute.quota.accept(uow, data["commission_id"])

    async def failed(uow: UnitOfWork, ctx: SagaContext, error: dict[str, Any]) -> None:
        was = VmState.ACTIVE if ctx.data["was_running"] else VmState.STOPPED
        await _back_to_what_was(uow, compute, ctx, error, vm_state=was)
        if ctx.data["commission_id"]:
            compute.quota.reject(uow, ctx.data["commission_id"])

    return Saga(NAME, steps=_steps(compute, to="new", grows=True), finished=finished, failed=failed)


def revert_saga(compute: Compute) -> Saga:
    """data as of `saga`, with `release`: what the ledger gets back."""

    async def finished(uow: UnitOfWork, ctx: SagaContext) -> None:
        data = ctx.data
        values = {
            "vm_state": VmState.ACTIVE if data["was_running"] else VmState.STOPPED, "task_state": None, "saga_id": None, "job_token": None,
            "flavor": data["old"], "flavor_id": data["old"]["id"], "old_flavor": None, "vcpus": data["old"]["vcpus"],
            "ram_mib": data["old"]["ram"],
        }  # fmt: skip
        await servers.change(uow, data["server_id"], values)
        await actions.finish(uow, data["action_id"])
        if data["release"]:
            compute.quota.release(uow, project_id=data["project_id"], user_id=data["user_id"], provisions=data["release"])

    async def failed(uow: UnitOfWork, ctx: SagaContext, error: dict[str, Any]) -> None:
        await _back_to_what_was(uow, compute, ctx, error, vm_state=VmState.ERROR)

    return Saga(REVERT_NAME, steps=_steps(compute, to="old", grows=False), finished=finished, failed=failed)
