"""A volume comes to a running or stopped server, or leaves it.

The saga's row is there before the volume service is asked: the request asks it with the saga's own idempotency key and then
signals `begin`. If the process dies in between, the time-out goes on with the same key, and the attachment is completed.
"""

from __future__ import annotations

from typing import Any

from synnefo_common.db import UnitOfWork
from synnefo_common.errors import NotFound
from synnefo_common.saga import Remote, Saga, SagaContext, Wait
from synnefo_compute.app.core import Compute
from synnefo_compute.app.jobs import disk_of
from synnefo_compute.app.sagas.job_steps import job_steps, was_refused
from synnefo_compute.db import actions, projections

ATTACH, DETACH = "volume_attach", "volume_detach"


def reserve_key(saga_id: str) -> str:
    """The idempotency key of the step `reserve`, which the request uses first."""
    return f"{saga_id}:reserve"


async def _go_on(_uow: UnitOfWork, _ctx: SagaContext) -> dict[str, Any]:
    return {}


def attach_saga(compute: Compute) -> Saga:
    """data: server_id, project_id, user_id, cluster, volume_id, device_name, action_id."""

    async def reserve(ctx: SagaContext) -> dict[str, Any]:
        data = ctx.data
        body = {"project_id": data["project_id"], "user_id": data["user_id"], "device_name": data.get("device_name")}
        volume = await compute.volume.attach(data["server_id"], data["volume_id"], body, key=ctx.action_key)
        return {"volume": volume}

    async def unreserve(ctx: SagaContext) -> None:
        if was_refused(ctx, "reserve"):
            return  # nothing of ours is attached: what is there may be another request's
        await compute.volume.detach(ctx.data["server_id"], ctx.data["volume_id"], key=ctx.key)

    def add(ctx: SagaContext) -> dict[str, Any]:
        return {"disk": disk_of(ctx.out["reserve"]["volume"], compute.settings)}

    async def finished(uow: UnitOfWork, ctx: SagaContext) -> None:
        await actions.finish(uow, ctx.data["action_id"])

    async def failed(uow: UnitOfWork, ctx: SagaContext, error: dict[str, Any]) -> None:
        if "reserve" in ctx.out:
            await projections.drop(uow, projections.server_volumes, ctx.data["volume_id"], server_id=ctx.data["server_id"])
        await actions.finish(uow, ctx.data["action_id"], message=str(error.get("message") or "The volume could not be attached."))

    return Saga(
        ATTACH,
        steps=[
            Wait("begin", timeout_s=120.0, on_timeout=_go_on),
            Remote("reserve", reserve, unreserve, deadline_s=3600.0),
            *job_steps(compute, "job", verb="instance.add_disk", params=add),
        ],
        finished=finished,
        failed=failed,
    )


def detach_saga(compute: Compute) -> Saga:
    """data: server_id, project_id, user_id, cluster, volume_id, action_id."""

    async def release(ctx: SagaContext) -> None:
        try:
            await compute.volume.detach(ctx.data["server_id"], ctx.data["volume_id"], key=ctx.key)
        except NotFound:
            return

    def remove(ctx: SagaContext) -> dict[str, Any]:
        return {"name": f"snf-vol-{ctx.data['volume_id']}"}

    async def finished(uow: UnitOfWork, ctx: SagaContext) -> None:
        await projections.drop(uow, projections.server_volumes, ctx.data["volume_id"], server_id=ctx.data["server_id"])
        await actions.finish(uow, ctx.data["action_id"])

    async def failed(uow: UnitOfWork, ctx: SagaContext, error: dict[str, Any]) -> None:
        await actions.finish(uow, ctx.data["action_id"], message=str(error.get("message") or "The volume could not be detached."))

    return Saga(
        DETACH,
        steps=[
            *job_steps(compute, "job", verb="instance.remove_disk", params=remove),
            Remote("release", release, deadline_s=30 * 86400.0),
        ],
        finished=finished,
        failed=failed,
    )
