"""One job in Ganeti as two steps of a saga: ask for it, wait for its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from synnefo_common.db import UnitOfWork
from synnefo_common.saga import Local, SagaContext, Wait, WaitLonger
from synnefo_compute.app.core import Compute
from synnefo_compute.app.jobs import emit_job

Params = Callable[[SagaContext], Mapping[str, Any] | None]


def was_refused(ctx: SagaContext, step: str) -> bool:
    """In an undo: the step has no answer because its call was refused, and a refusal has no effect. Else it may have had one."""
    return step not in ctx.out and 400 <= (ctx.error or {}).get("status", 500) < 500


def job_steps(compute: Compute, name: str, *, verb: str, params: Params) -> list[Local | Wait]:
    """`ask_<name>` and `<name>`; `params` gives None when there is nothing to do. The job's token is `<saga id>:<name>`."""

    async def ask(uow: UnitOfWork, ctx: SagaContext) -> None:
        wanted = params(ctx)
        if wanted is None:
            await compute.sagas.signal(uow, ctx.id, name, {})
            return
        emit_job(
            uow, server_id=ctx.data["server_id"], cluster=ctx.data["cluster"], verb=verb, token=f"{ctx.id}:{name}", params=wanted
        )

    async def ask_again(uow: UnitOfWork, ctx: SagaContext) -> WaitLonger:
        await ask(uow, ctx)
        return WaitLonger(compute.settings.job_timeout_s)

    return [Local(f"ask_{name}", ask), Wait(name, timeout_s=compute.settings.job_timeout_s, on_timeout=ask_again)]
