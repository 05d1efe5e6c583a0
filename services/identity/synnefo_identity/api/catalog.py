"""Regions, services and endpoints."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from synnefo_common.web import Ctx, answer, empty
from synnefo_identity.api.access import Svc, require
from synnefo_identity.api.listing import list_answer, read_query
from synnefo_identity.api.schemas.catalog import (
    EndpointCreateBody,
    EndpointUpdateBody,
    RegionCreateBody,
    RegionUpdateBody,
    ServiceCreateBody,
    ServiceUpdateBody,
)
from synnefo_identity.app import catalog, shapes
from synnefo_identity.domain.errors import Invalid

router = APIRouter(prefix="/v3", tags=["catalogue"])


@router.get("/services")
async def list_services(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """List services."""
    require(ctx, "list_services")
    query = read_query(request, equals=("type",), flags=("enabled",))
    return list_answer(svc, request, "services", await catalog.find_many(svc, "service", query), shapes.service, query=query)


@router.post("/services", status_code=201)
async def create_service(body: ServiceCreateBody, ctx: Ctx, svc: Svc) -> Response:
    """Create a service."""
    require(ctx, "create_service")
    new = body.service
    extra = new.extras() | new.changes("description")
    row = await catalog.create(svc, "service", {"type": new.type, "name": new.name, "enabled": new.enabled, "extra": extra})
    return answer({"service": shapes.service(row, svc.base_url)}, 201)


@router.get("/services/{service_id}")
async def show_service(service_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Show a service."""
    require(ctx, "get_service")
    return answer({"service": shapes.service(await catalog.find(svc, "service", service_id), svc.base_url)})


@router.patch("/services/{service_id}")
async def update_service(service_id: str, body: ServiceUpdateBody, ctx: Ctx, svc: Svc) -> Response:
    """Change a service."""
    require(ctx, "update_service")
    new = body.service
    extra = new.extras() | new.changes("description")
    row = await catalog.update(svc, "service", service_id, new.changes("type", "name", "enabled"), extra=extra)
    return answer({"service": shapes.service(row, svc.base_url)})


@router.delete("/services/{service_id}", status_code=204)
async def delete_service(service_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Delete a service with its endpoints."""
    require(ctx, "delete_service")
    await catalog.delete(svc, "service", service_id)
    return empty(204)


@router.get("/endpoints")
async def list_endpoints(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """List endpoints."""
    require(ctx, "list_endpoints")
    query = read_query(request, texts=(), equals=("interface", "service_id", "region_id"), flags=("enabled",))
    return list_answer(svc, request, "endpoints", await catalog.find_many(svc, "endpoint", query), shapes.endpoint, query=query)


def _region_of(new: Any) -> dict[str, Any]:
    """`region` is the old name of `region_id`; by the old name a region is made if it is not there."""
    if "region_id" in new.model_fields_set and "region" in new.model_fields_set and new.region != new.region_id:
        raise Invalid("region and region_id must be the same.")
    if "region" in new.model_fields_set:
        return {"region_id": new.region}
    changed: dict[str, Any] = new.changes("region_id")
    return changed


def _region_to_make(new: Any) -> str | None:
    made: str | None = None if "region_id" in new.model_fields_set else new.region
    return made


@router.post("/endpoints", status_code=201)
async def create_endpoint(body: EndpointCreateBody, ctx: Ctx, svc: Svc) -> Response:
    """Create an endpoint."""
    require(ctx, "create_endpoint")
    new = body.endpoint
    values = {
        "service_id": new.service_id,
        "interface": new.interface,
        "url": new.url,
        "enabled": new.enabled,
        "region_id": None,
        **_region_of(new),
        "extra": new.extras(),
    }
    row = await catalog.create(svc, "endpoint", values, make_region=_region_to_make(new))
    return answer({"endpoint": shapes.endpoint(row, svc.base_url)}, 201)


@router.get("/endpoints/{endpoint_id}")
async def show_endpoint(endpoint_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Show an endpoint."""
    require(ctx, "get_endpoint")
    return answer({"endpoint": shapes.endpoint(await catalog.find(svc, "endpoint", endpoint_id), svc.base_url)})


@router.patch("/endpoints/{endpoint_id}")
async def update_endpoint(endpoint_id: str, body: EndpointUpdateBody, ctx: Ctx, svc: Svc) -> Response:
    """Change an endpoint."""
    require(ctx, "update_endpoint")
    new = body.endpoint
    changes = new.changes("service_id", "interface", "url", "enabled") | _region_of(new)
    row = await catalog.update(svc, "endpoint", endpoint_id, changes, extra=new.extras(), make_region=_region_to_make(new))
    return answer({"endpoint": shapes.endpoint(row, svc.base_url)})


@router.delete("/endpoints/{endpoint_id}", status_code=204)
async def delete_endpoint(endpoint_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Delete an endpoint."""
    require(ctx, "delete_endpoint")
    await catalog.delete(svc, "endpoint", endpoint_id)
    return empty(204)


@router.get("/regions")
async def list_regions(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """List regions."""
    require(ctx, "list_regions")
    query = read_query(request, texts=(), equals=("parent_region_id",))
    return list_answer(svc, request, "regions", await catalog.find_many(svc, "region", query), shapes.region, query=query)


@router.post("/regions", status_code=201)
async def create_region(body: RegionCreateBody, ctx: Ctx, svc: Svc) -> Response:
    """Create a region."""
    require(ctx, "create_region")
    return await _create_region(body, svc, region_id=body.region.id)


@router.put("/regions/{region_id}", status_code=201)
async def create_region_with_id(region_id: str, body: RegionCreateBody, ctx: Ctx, svc: Svc) -> Response:
    """Create a region with an id of one's choice."""
    require(ctx, "create_region")
    if body.region.id is not None and body.region.id != region_id:
        raise Invalid("Conflicting region IDs specified.")
    if len(region_id) > 255:
        raise Invalid("A region's id has at most 255 characters.")
    return await _create_region(body, svc, region_id=region_id)


async def _create_region(body: RegionCreateBody, svc: Svc, *, region_id: str | None) -> Response:
    new = body.region
    values = {"description": new.description or "", "parent_region_id": new.parent_region_id, "extra": new.extras()}
    if region_id:
        values["id"] = region_id
    return answer({"region": shapes.region(await catalog.create(svc, "region", values), svc.base_url)}, 201)


@router.get("/regions/{region_id}")
async def show_region(region_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Show a region."""
    require(ctx, "get_region")
    return answer({"region": shapes.region(await catalog.find(svc, "region", region_id), svc.base_url)})


@router.patch("/regions/{region_id}")
async def update_region(region_id: str, body: RegionUpdateBody, ctx: Ctx, svc: Svc) -> Response:
    """Change a region."""
    require(ctx, "update_region")
    changes = body.region.changes("description", "parent_region_id")
    if "description" in changes:
        changes["description"] = changes["description"] or ""
    row = await catalog.update(svc, "region", region_id, changes, extra=body.region.extras())
    return answer({"region": shapes.region(row, svc.base_url)})


@router.delete("/regions/{region_id}", status_code=204)
async def delete_region(region_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Delete a region."""
    require(ctx, "delete_region")
    await catalog.delete(svc, "region", region_id)
    return empty(204)
