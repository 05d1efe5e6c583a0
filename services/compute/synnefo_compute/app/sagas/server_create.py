"""A server comes to be: ports, disks, a cluster, the instance in Ganeti.

The commission (server, ports and root volume together) was issued before the server was accepted. A failure does not take
back what was made: the server goes to ERROR with the reason, keeps its ports and disks, and its deletion frees them.
What was never made is taken off the ledger again in the transaction that says so: the undos do not undo, they ask what is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import Row, Table, select

from synnefo_common.contracts.envelope import Event
from synnefo_common.db import UnitOfWork
from synnefo_common.db.tables import sagas
from synnefo_common.errors import Conflict
from synnefo_common.log import get_logger
from synnefo_common.saga import Abort, Local, Remote, Retry, Saga, SagaContext, Wait
from synnefo_compute.app import config_drive
from synnefo_compute.app.core import Compute
from synnefo_compute.app.jobs import create_params, emit_job
from synnefo_compute.app.place import demand_of, place
from synnefo_compute.db import actions, clusters, guests, projections, servers
from synnefo_compute.domain.allocator import Capacity
from synnefo_compute.domain.states import PowerState, TaskState, VmState
from synnefo_compute.settings import Settings

log = get_logger(__name__)

NAME = "server_create"
_TURNS = 5  # placements at the same time that may come between
PATIENCE_S = 30 * 86400.0  # an outage is waited out: giving up would leave open whether the other service did its part


def saga(compute: Compute) -> Saga:
    """data: server_id, project_id, user_id, networks, security_groups, volumes, vcpus, ram_mib, disk_gib, zone, forced, new_ports,
    new_volumes, config_drive, commission_id, action_id."""
    settings = compute.settings

    async def make_ports(ctx: SagaContext) -> dict[str, Any]:
        data = ctx.data
        body = {
            "project_id": data["project_id"], "user_id": data["user_id"], "server_name": data["name"],
            "availability_zone": data.get("zone"), "networks": data["networks"], "security_groups": data["security_groups"], "reserved": True,
        }  # fmt: skip
        return {"ports": await compute.network.put_ports(data["server_id"], body, key=ctx.key)}

    async def make_volumes(ctx: SagaContext) -> dict[str, Any]:
        data = ctx.data
        if not data["volumes"]:
            return {"volumes": []}
        body = {"project_id": data["project_id"], "user_id": data["user_id"], "reserved": True, "volumes": data["volumes"]}
        volumes = await compute.volume.put_volumes(data["server_id"], body, key=ctx.key)
        if data.get("config_drive"):
            ports = ctx.out["ports"]["ports"]
            await config_drive.write(compute, data["server_id"], ports=ports, volumes=volumes, key=f"{ctx.key}:content")
        return {"volumes": volumes}

    async def find_ports(ctx: SagaContext) -> None:
        """After a refusal there are none; after an outage that outlasted our patience there may be."""
        ports = ctx.out["ports"]["ports"] if "ports" in ctx.out else await compute.network.list_ports(ctx.data["server_id"])
        await note(ctx, projections.server_ports, ports)

    async def find_volumes(ctx: SagaContext) -> None:
        volumes = ctx.out["volumes"]["volumes"] if "volumes" in ctx.out else await compute.volume.list_volumes(ctx.data["server_id"])
        await note(ctx, projections.server_volumes, volumes)

    async def note(ctx: SagaContext, table: Table, items: list[dict[str, Any]]) -> None:
        if items:
            async with compute.db.begin() as uow:
                await projections.put(uow, table, ctx.data["server_id"], items, seq=0)

    async def submit(uow: UnitOfWork, ctx: SagaContext) -> dict[str, Any]:
        data, server_id = ctx.data, ctx.data["server_id"]
        chosen = await place(
            uow, settings, server_id=server_id, demand=demand_of(data), since_us=data["created_at"], forced=data.get("forced")
        )
        await _project(uow, ctx)
        token, cluster = f"{ctx.id}:job", chosen.cluster
        values = {"cluster": cluster, "task_state": TaskState.SPAWNING, "job_token": token}
        table = servers.servers
        wanted = [table.c.deleted_at.is_(None), table.c.delete_requested.is_(False)]
        if not await servers.change(uow, server_id, values, conditions=wanted):
            raise Abort("The server was deleted while it was being built.")
        _ask(uow, settings, data, ctx.out, chosen=chosen, token=token)
        return {"cluster": cluster}

    async def finished(uow: UnitOfWork, ctx: SagaContext) -> None:
        server_id = ctx.data["server_id"]
        values = {
            "vm_state": VmState.ACTIVE, "task_state": None, "power_state": PowerState.RUNNING, "progress": 100, "saga_id": None,
            "job_token": None, "launched_at": compute.clock.now_us(), "node": ctx.out["job"].get("node"),
        }  # fmt: skip
        row = await servers.change_and_get(uow, server_id, values)
        await actions.finish(uow, ctx.data["action_id"])
        if ctx.data.get("config_drive"):
            await guests.forget_secrets(uow, server_id)
        compute.quota.accept(uow, ctx.data["commission_id"])
        await _deleted_meanwhile(uow, compute, row)

    async def failed(uow: UnitOfWork, ctx: SagaContext, error: dict[str, Any]) -> None:
        server_id = ctx.data["server_id"]
        message = str(error.get("message") or "The server could not be built.")
        fault = {"code": 500, "message": message[:255], "created": compute.clock.now_us()}
        values = {"vm_state": VmState.ERROR, "task_state": None, "fault": fault, "saga_id": None, "job_token": None}
        row = await servers.change_and_get(uow, server_id, values)
        await _project(uow, ctx)
        await clusters.break_promise(uow, server_id)
        await actions.finish(uow, ctx.data["action_id"], message=message)
        if ctx.data.get("config_drive"):
            await guests.forget_secrets(uow, server_id)
        compute.quota.accept(uow, ctx.data["commission_id"])
        never_made = await _never_made(uow, ctx)
        if never_made:
            compute.quota.release(uow, project_id=ctx.data["project_id"], user_id=ctx.data["user_id"], provisions=never_made)
        await _deleted_meanwhile(uow, compute, row)

    return Saga(
        NAME,
        steps=[
            # Both find what they did when repeated: one log, that of `submit`, does for the three.
            Remote("ports", make_ports, find_ports, deadline_s=PATIENCE_S, logs_later=True),
            Remote("volumes", make_volumes, find_volumes, deadline_s=PATIENCE_S, logs_later=True),
            Local("submit", submit, deadline_s=PATIENCE_S),
            Wait("job", timeout_s=24 * 3600.0),
        ],
        finished=finished,
        failed=failed,
    )


def _ask(uow: UnitOfWork, settings: Settings, data: Mapping[str, Any], out: Mapping[str, Any], *, chosen: Capacity, token: str) -> None:
    server_id = data["server_id"]
    params = create_params(
        settings, server_id=server_id, vcpus=data["vcpus"], ram_mib=data["ram_mib"], ports=out["ports"]["ports"],
        volumes=out["volumes"]["volumes"], node_group=chosen.group,
    )  # fmt: skip
    emit_job(uow, server_id=server_id, cluster=chosen.cluster, verb="instance.create", token=token, params=params)


async def place_elsewhere(uow: UnitOfWork, compute: Compute, *, saga_id: str, server_id: str, token: str) -> bool:
    """A place that the allocator took for good had no room: ask the next best. False if there is none, or no need any more."""
    row = await servers.get_server(uow, server_id, project_id=None)
    if row is not None and row.job_token != token and str(row.job_token).startswith(f"{saga_id}:job"):
        return True  # told twice
    known = await uow.one(select(sagas.c.data, sagas.c.out).where(sagas.c.id == saga_id))
    promise = await clusters.get_promise(uow, server_id)
    if row is None or known is None or promise is None or row.job_token != token or row.delete_requested:
        return False
    data, out = orjson.loads(known.data), orjson.loads(known.out)
    if data.get("forced"):
        return False
    here = promise.cluster if promise.node_group is None else f"{promise.cluster}/{promise.node_group}"
    refused = [*promise.refused, here]
    await clusters.break_promise(uow, server_id)
    for _ in range(_TURNS):
        try:
            demand = demand_of(data, exclude=refused)
            chosen = await place(uow, compute.settings, server_id=server_id, demand=demand, since_us=0)
            break
        except Conflict:
            return False
        except Retry:
            continue
    else:
        return False
    again = f"{saga_id}:job:{len(refused) + 1}"
    await servers.change(uow, server_id, {"cluster": chosen.cluster, "job_token": again})
    _ask(uow, compute.settings, data, out, chosen=chosen, token=again)
    log.info("server_placed_elsewhere", server_id=server_id, refused=refused, chosen=chosen.name)
    return True


async def _never_made(uow: UnitOfWork, ctx: SagaContext) -> dict[str, int]:
    """What the commission counts and nobody made. Ports come all or none, and so do disks."""
    server_id = ctx.data["server_id"]
    never: dict[str, int] = {}
    if ctx.data["new_ports"] and not await projections.of_servers(uow, projections.server_ports, [server_id]):
        never["network.ports"] = ctx.data["new_ports"]
    if any(ctx.data["new_volumes"].values()) and not await projections.of_servers(uow, projections.server_volumes, [server_id]):
        never |= ctx.data["new_volumes"]
    return never


async def _project(uow: UnitOfWork, ctx: SagaContext) -> None:
    """What network and volume answered is the news of it; they send no events of what they make for a new server."""
    server_id = ctx.data["server_id"]
    for step, table in (("ports", projections.server_ports), ("volumes", projections.server_volumes)):
        await projections.put(uow, table, server_id, ctx.out.get(step, {}).get(step, []), seq=0)


async def _deleted_meanwhile(uow: UnitOfWork, compute: Compute, row: Row[Any] | None) -> None:
    """A delete that came during the build starts now."""
    if row is not None and row.delete_requested:
        from synnefo_compute.app.sagas import server_delete

        await server_delete.start(uow, compute, row)


def deleted_event(server_id: str, project_id: str) -> Event:
    """What others hear when a server is gone."""
    return Event("compute.server.deleted", "server", server_id, {"server_id": server_id, "project_id": project_id})
