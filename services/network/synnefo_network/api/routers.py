"""Routes of routers."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from synnefo_common.web import Ctx, answer, empty
from synnefo_network.api.base import ERRORS, PathId, Svc, created
from synnefo_network.api.listing import expected_revision, list_answer, read_query, select_fields, show_fields
from synnefo_network.api.schemas.base import bulk
from synnefo_network.api.schemas.routers import InterfaceBody, RouterCreateBody, RouterUpdateBody, RoutesBody
from synnefo_network.app import router_interfaces, routers
from synnefo_network.domain.listing import ROUTERS

router = APIRouter(prefix="/v2.0", tags=["routers"], responses=ERRORS)


@router.get("/routers")
async def list_routers(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """List the project's routers."""
    query = read_query(request, ROUTERS)
    return list_answer(request, ROUTERS, query, await routers.list_routers(svc, ctx, query))


@router.post("/routers", status_code=201)
async def create_routers(body: RouterCreateBody, ctx: Ctx, svc: Svc) -> Response:
    """Create one, or several in one transaction: all of them or none."""
    items = await routers.create_routers(svc, ctx, bulk(body.router, body.routers))
    return answer(created("router", "routers", is_bulk=body.router is None, items=items), 201)


@router.get("/routers/{router_id}")
async def show_router(router_id: PathId, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Show a router."""
    return answer({"router": select_fields(await routers.show_router(svc, ctx, router_id), show_fields(request))})


@router.put("/routers/{router_id}")
async def update_router(router_id: PathId, body: RouterUpdateBody, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Change a router, its gateway and routes too."""
    changed = await routers.update_router(svc, ctx, router_id, body.router.given(), revision=expected_revision(request))
    return answer({"router": changed})


@router.delete("/routers/{router_id}", status_code=204)
async def delete_router(router_id: PathId, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Delete a router without interfaces."""
    await routers.delete_router(svc, ctx, router_id, revision=expected_revision(request))
    return empty()


@router.put("/routers/{router_id}/add_router_interface")
async def add_router_interface(router_id: PathId, body: InterfaceBody, ctx: Ctx, svc: Svc) -> Response:
    """Connect a subnet, by its id or by a port on it."""
    return answer(await router_interfaces.add_interface(svc, ctx, router_id, body.given()))


@router.put("/routers/{router_id}/remove_router_interface")
async def remove_router_interface(router_id: PathId, body: InterfaceBody, ctx: Ctx, svc: Svc) -> Response:
    """Take a subnet away, by its id or by the port on it."""
    return answer(await router_interfaces.remove_interface(svc, ctx, router_id, body.given()))


@router.put("/routers/{router_id}/add_extraroutes")
async def add_extraroutes(router_id: PathId, body: RoutesBody, ctx: Ctx, svc: Svc) -> Response:
    """Add routes to those that are there."""
    return answer({"router": await routers.change_routes(svc, ctx, router_id, body.router.given()["routes"], adds=True)})


@router.put("/routers/{router_id}/remove_extraroutes")
async def remove_extraroutes(router_id: PathId, body: RoutesBody, ctx: Ctx, svc: Svc) -> Response:
    """Take routes away."""
    return answer({"router": await routers.change_routes(svc, ctx, router_id, body.router.given()["routes"], adds=False)})
