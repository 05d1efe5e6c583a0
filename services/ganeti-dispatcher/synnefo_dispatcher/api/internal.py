"""`/internal/v1`: clusters, instances and consoles for other services."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from synnefo_common.web import Service, answer, internal_router
from synnefo_dispatcher.api.base import Svc, faults
from synnefo_dispatcher.app import clusters, instances

router = internal_router()


@router.get("/clusters", responses=faults())
async def list_clusters(_ctx: Service, svc: Svc) -> Response:
    """Capacity of each cluster, as in `ganeti.cluster.reported`."""
    return answer({"clusters": await clusters.list_capacities(svc)})


@router.get("/instances", responses=faults())
async def list_instances(_ctx: Service, svc: Svc) -> Response:
    """All our instances as Ganeti has them now, and the clusters that do not answer."""
    return answer(await instances.list_instances(svc))


@router.get("/instances/{server_id}/console", responses=faults(400, 404, 409))
async def show_console(server_id: str, _ctx: Service, svc: Svc) -> Response:
    """Where the instance's screen is."""
    return answer(await instances.console(svc, server_id))


@router.get("/instances/{server_id}/console-log", responses=faults(400, 404, 409))
async def show_console_log(
    server_id: str, _ctx: Service, svc: Svc, length: Annotated[int | None, Query(ge=0, le=2**31 - 1)] = None
) -> Response:
    """The last `length` lines that the instance printed."""
    return answer({"output": await instances.console_log(svc, server_id, length=length)})
