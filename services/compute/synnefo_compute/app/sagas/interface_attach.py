"""A port comes to a server or leaves it. The same order as for volumes: the saga's row first, then the network service."""

from __future__ import annotations

from typing import Any

from synnefo_common.db import UnitOfWork
from synnefo_common.errors import NotFound
from synnefo_common.saga import Remote, Saga, SagaContext, Wait
from synnefo_compute.app.core import Compute
from synnefo_compute.app.jobs import nic_of
from synnefo_compute.app.sagas.job_steps import job_steps, was_refused
from synnefo_compute.db import actions, projections

ATTACH, DETACH = "interface_attach", "interface_detach"


def reserve_key(saga_id: str) -> str:
    """The idempotency key of the step `reserve`, which the request uses first."""
    return f"{saga_id}:reserve"


def request_body(data: dict[str, Any]) -> dict[str, Any]:
    """What the network service is asked."""
    wanted = data["network"]
    return {
        "project_id": data["project_id"], "user_id": data["user_id"], "networks": wanted if isinstance(wanted, str) else [wanted],
        "security_groups": [], "reserved": False,
    }  # fmt: skip


async def _go_on(_uow: UnitOfWork, _ctx: SagaContext) -> dict[str, Any]:
    return {}


def attach_saga(compute: Compute) -> Saga:
    """data: server_id, project_id, user_id, cluster, network, action_id."""

    async def reserve(ctx: SagaContext) -> dict[str, Any]:
        return {"port": await compute.network.add_port(ctx.data["server_id"], request_body(ctx.data), key=ctx.action_key)}

    async def unreserve(ctx: SagaContext) -> None:
        if was_refused(ctx, "reserve"):
            return
        port = ctx.out.get("reserve", {}).get("port")
        if port is None:  # the call may have worked without our knowing: the same key gives the port again
            port = await compute.network.add_port(ctx.data["server_id"], request_body(ctx.data), key=ctx.action_key)
        await compute.network.remove_port(ctx.data["server_id"], port["id"], key=ctx.key)

    def add(ctx: SagaContext) -> dict[str, Any]:
        return {"nic": nic_of(ctx.out["reserve"]["port"], compute.settings)}

    async def finished(uow: UnitOfWork, ctx: SagaContext) -> None:
        await actions.finish(uow, ctx.data["action_id"])

    async def failed(uow: UnitOfWork, ctx: SagaContext, error: dict[str, Any]) -> None:
        port = ctx.out.get("reserve", {}).get("port")
        if port:
            await projections.drop(uow, projections.server_ports, port["id"], server_id=ctx.data["server_id"])
        await actions.finish(uow, ctx.data["action_id"], message=str(error.get("message") or "The interface could not be attached."))

    return Saga(
        ATTACH,
        steps=[
            Wait("begin", timeout_s=120.0, on_timeout=_go_on),
            Remote("reserve", reserve, unreserve, deadline_s=3600.0),
            *job_steps(compute, "job", verb="instance.add_nic", params=add),
        ],
        finished=finished,
        failed=failed,
    )


def detach_saga(compute: Compute) -> Saga:
    """data: server_id, project_id, user_id, cluster, port_id, action_id."""

    async def release(ctx: SagaContext) -> None:
        try:
            await compute.network.remove_port(ctx.data["server_id"], ctx.data["port_id"], key=ctx.key)
        except NotFound:
            return

    def remove(ctx: SagaContext) -> dict[str, Any]:
        return {"name": f"snf-nic-{ctx.data['port_id']}"}

    async def finished(uow: UnitOfWork, ctx: SagaContext) -> None:
        await projections.drop(uow, projections.server_ports, ctx.data["port_id"], server_id=ctx.data["server_id"])
        await actions.finish(uow, ctx.data["action_id"])

    async def failed(uow: UnitOfWork, ctx: SagaContext, error: dict[str, Any]) -> None:
        await actions.finish(uow, ctx.data["action_id"], message=str(error.get("message") or "The interface could not be detached."))

    return Saga(
        DETACH,
        steps=[
            *job_steps(compute, "job", verb="instance.remove_nic", params=remove),
            Remote("release", release, deadline_s=30 * 86400.0),
        ],
        finished=finished,
        failed=failed,
    )
