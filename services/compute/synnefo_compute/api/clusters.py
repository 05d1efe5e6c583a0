"""Zones, hypervisors and services: all are views of the clusters."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from synnefo_common.errors import BadRequest, NotFound
from synnefo_common.web import Ctx, answer
from synnefo_compute.api.base import CLEAN_QUERY, Svc
from synnefo_compute.app import clusters

router = APIRouter(prefix="/v2.1", tags=["clusters"], dependencies=[CLEAN_QUERY])


@router.get("/os-availability-zone")
async def list_zones(ctx: Ctx, svc: Svc) -> Response:
    """Zones."""
    ctx.require("os_compute_api:os-availability-zone:list")
    return answer({"availabilityZoneInfo": await clusters.zones(svc, with_hosts=False)})


@router.get("/os-availability-zone/detail")
async def list_zones_detail(ctx: Ctx, svc: Svc) -> Response:
    """Zones with their clusters."""
    ctx.require("os_compute_api:os-availability-zone:detail")
    return answer({"availabilityZoneInfo": await clusters.zones(svc, with_hosts=True)})


@router.get("/os-hypervisors")
async def list_hypervisors(ctx: Ctx, svc: Svc) -> Response:
    """Clusters."""
    ctx.require("os_compute_api:os-hypervisors")
    return answer({"hypervisors": [clusters.hypervisor_summary(svc, row) for row in await clusters.list_clusters(svc)]})


@router.get("/os-hypervisors/detail")
async def list_hypervisors_detail(ctx: Ctx, svc: Svc) -> Response:
    """Clusters in full."""
    ctx.require("os_compute_api:os-hypervisors")
    return answer({"hypervisors": [clusters.hypervisor_detail(svc, row) for row in await clusters.list_clusters(svc)]})


@router.get("/os-hypervisors/statistics")
async def show_hypervisor_statistics(ctx: Ctx, svc: Svc) -> Response:
    """Sums."""
    ctx.require("os_compute_api:os-hypervisors")
    return answer({"hypervisor_statistics": clusters.statistics(await clusters.list_clusters(svc))})


@router.get("/os-hypervisors/{hypervisor_id}")
async def show_hypervisor(hypervisor_id: str, ctx: Ctx, svc: Svc) -> Response:
    """One cluster."""
    ctx.require("os_compute_api:os-hypervisors")
    for row in await clusters.list_clusters(svc):
        if str(row.id) == hypervisor_id:
            return answer({"hypervisor": clusters.hypervisor_detail(svc, row)})
    raise NotFound(f"Hypervisor with ID '{hypervisor_id[:60]}' could not be found.")


@router.get("/os-hypervisors/{hypervisor_id}/uptime")
async def show_hypervisor_uptime(hypervisor_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Always refused: a cluster of many nodes has no uptime of its own."""
    ctx.require("os_compute_api:os-hypervisors")
    await show_hypervisor(hypervisor_id, ctx, svc)
    raise BadRequest("A hypervisor of this cloud is a whole cluster: it has no uptime.")


@router.get("/os-hypervisors/{pattern}/search")
async def search_hypervisors(pattern: str, ctx: Ctx, svc: Svc) -> Response:
    """Clusters whose name has the text in it."""
    ctx.require("os_compute_api:os-hypervisors")
    return answer({"hypervisors": [clusters.hypervisor_summary(svc, row) for row in await clusters.search(svc, pattern)]})


@router.get("/os-hypervisors/{pattern}/servers")
async def list_hypervisor_servers(pattern: str, ctx: Ctx, svc: Svc) -> Response:
    """The same, each with its servers."""
    ctx.require("os_compute_api:os-hypervisors")
    rows = await clusters.search(svc, pattern)
    by_cluster = await clusters.servers_of(svc, [row.name for row in rows])
    shown = []
    for row in rows:
        item = clusters.hypervisor_summary(svc, row)
        if by_cluster.get(row.name):  # at 2.1 the key is left out where there are none
            item["servers"] = by_cluster[row.name]
        shown.append(item)
    return answer({"hypervisors": shown})


@router.get("/os-aggregates")
async def list_aggregates(ctx: Ctx) -> Response:
    """Always none: clients ask before they show a hypervisor."""
    ctx.require("os_compute_api:os-aggregates:index")
    return answer({"aggregates": []})


@router.get("/os-services")
async def list_services(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """The dispatcher's hold on each cluster."""
    ctx.require("os_compute_api:os-services")
    shown = [clusters.service(svc, row) for row in await clusters.list_clusters(svc)]
    for key in ("host", "binary"):
        if wanted := request.query_params.get(key):
            shown = [s for s in shown if s[key] == wanted]
    return answer({"services": shown})
