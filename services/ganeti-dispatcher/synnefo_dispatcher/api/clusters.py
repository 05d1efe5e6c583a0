"""`/v1/clusters`: the operator's clusters."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from synnefo_common.web import Ctx, answer, empty, read_bool
from synnefo_dispatcher.api.base import Svc, faults
from synnefo_dispatcher.api.schemas.clusters import ClusterBody, ClusterChange, ClusterCreate, ClustersBody
from synnefo_dispatcher.app import clusters

router = APIRouter(prefix="/v1/clusters", tags=["clusters"])


@router.get("", response_model=ClustersBody, responses=faults())
async def list_clusters(ctx: Ctx, svc: Svc) -> Response:
    """All clusters, by name."""
    ctx.require("dispatcher:clusters:list")
    return answer({"clusters": await clusters.list_clusters(svc)})


@router.post("", status_code=201, response_model=ClusterBody, responses=faults(400, 409, 413))
async def register_cluster(body: ClusterCreate, ctx: Ctx, svc: Svc) -> Response:
    """Register a cluster. It is tried at once: 400 if it refuses the credentials or shows another certificate, 409 if it is
    known under another name. One that does not answer now is registered and tried again."""
    ctx.require("dispatcher:clusters:create")
    return answer({"cluster": await clusters.register(svc, body.model_dump())}, 201)


@router.get("/{name}", response_model=ClusterBody, responses=faults(404))
async def show_cluster(name: str, ctx: Ctx, svc: Svc) -> Response:
    """One cluster."""
    ctx.require("dispatcher:clusters:show")
    return answer({"cluster": await clusters.show(svc, name)})


@router.put("/{name}", response_model=ClusterBody, responses=faults(400, 404, 409, 413))
async def change_cluster(name: str, body: ClusterChange, ctx: Ctx, svc: Svc) -> Response:
    """Change what the body has. A new address, user, password or certificate is tried first (unless the cluster is, or goes,
    offline): 400 if it is refused, 409 if nobody answers, and nothing is changed."""
    ctx.require("dispatcher:clusters:update")
    return answer({"cluster": await clusters.change(svc, name, body.model_dump(exclude_unset=True))})


@router.post("/{name}/refresh", response_model=ClusterBody, responses=faults(404, 409))
async def refresh_cluster(name: str, ctx: Ctx, svc: Svc) -> Response:
    """Look at the cluster now: capacity, abilities, health."""
    ctx.require("dispatcher:clusters:refresh")
    return answer({"cluster": await clusters.refresh(svc, name)})


@router.delete("/{name}", status_code=204, response_class=Response, responses=faults(400, 404, 409))
async def remove_cluster(name: str, ctx: Ctx, svc: Svc, request: Request) -> Response:
    """Forget a cluster; `?force=true` also one with instances or unfinished jobs, which then fail."""
    ctx.require("dispatcher:clusters:delete")
    is_forced = read_bool(request.query_params.get("force"), name="force")
    await clusters.remove(svc, name, is_forced=is_forced)
    return empty()
