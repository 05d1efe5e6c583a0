"""Bodies of regions, services and endpoints."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

from synnefo_identity.api.schemas.base import Body, Bool, Id, Resource, Text

RegionId = Annotated[str, StringConstraints(max_length=255)]
Url = Annotated[str, StringConstraints(min_length=1, max_length=2048, pattern=r"^[a-zA-Z0-9+.-]+:.+")]
Interface = Literal["admin", "internal", "public"]
Type = Annotated[str, StringConstraints(min_length=1, max_length=255)]
ServiceName = Annotated[str, StringConstraints(max_length=255)]


class RegionCreate(Resource):
    """A new region; the caller may choose its id."""

    id: RegionId | None = None
    description: Text | None = None
    parent_region_id: RegionId | None = None


class RegionUpdate(Resource):
    """Changes of a region."""

    description: Text | None = None
    parent_region_id: RegionId | None = None


class RegionCreateBody(Body):
    """`POST /v3/regions`."""

    region: RegionCreate


class RegionUpdateBody(Body):
    """`PATCH /v3/regions/{region_id}`."""

    region: RegionUpdate


class ServiceCreate(Resource):
    """A new service."""

    type: Type
    name: ServiceName = ""
    enabled: Bool = True
    description: Text | None = None


class ServiceUpdate(Resource):
    """Changes of a service."""

    type: Type = ""
    name: ServiceName = ""
    enabled: Bool = True
    description: Text | None = None


class ServiceCreateBody(Body):
    """`POST /v3/services`."""

    service: ServiceCreate


class ServiceUpdateBody(Body):
    """`PATCH /v3/services/{service_id}`."""

    service: ServiceUpdate


class EndpointCreate(Resource):
    """A new endpoint."""

    service_id: Id
    interface: Interface
    url: Url
    region_id: RegionId | None = None
    region: RegionId | None = None
    enabled: Bool = True


class EndpointUpdate(Resource):
    """Changes of an endpoint."""

    service_id: Id = ""
    interface: Interface = "public"
    url: Url = ""
    region_id: RegionId | None = None
    region: RegionId | None = None
    enabled: Bool = True


class EndpointCreateBody(Body):
    """`POST /v3/endpoints`."""

    endpoint: EndpointCreate


class EndpointUpdateBody(Body):
    """`PATCH /v3/endpoints/{endpoint_id}`."""

    endpoint: EndpointUpdate
