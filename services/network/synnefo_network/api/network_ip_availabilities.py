"""Routes of network IP availability."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from synnefo_common.errors import BadRequest
from synnefo_common.web import Context, Ctx
from synnefo_network.api.base import ERRORS, PathId, Svc
from synnefo_network.api.listing import select_fields, show_fields
from synnefo_network.app import availability
from synnefo_network.domain.errors import NetworkNotFound, PolicyNotAuthorized
from synnefo_network.domain.listing import ListQuery

router = APIRouter(prefix="/v2.0/network-ip-availabilities", tags=["network IP availability"], responses=ERRORS)
_FILTERS = {"network_id": "id", "network_name": "name", "tenant_id": "project_id", "project_id": "project_id"}


def _authorize(ctx: Context) -> None:
    if not ctx.may("get_network_ip_availability"):
        raise PolicyNotAuthorized("get_network_ip_availability")


def _answer(body: dict[str, Any]) -> Response:
    """Two subnets of /64 have more addresses than the usual writer of JSON has integers."""
    return Response(json.dumps(body), media_type="application/json")


@router.get("")
async def list_network_ip_availabilities(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Addresses in all, and used, of each network and its subnets."""
    _authorize(ctx)
    filters: dict[str, tuple[Any, ...]] = {}
    version = None
    for name in dict.fromkeys(request.query_params.keys()):
        values = tuple(request.query_params.getlist(name))
        if any("\0" in v for v in values):
            raise BadRequest(f"Invalid input for {name}: NUL characters are not allowed.")
        if name == "ip_version":
            if values[0] not in ("4", "6"):
                raise BadRequest("Invalid input for ip_version: use 4 or 6.")
            version = int(values[0])
        elif name in _FILTERS:
            filters[_FILTERS[name]] = values
        elif name != "fields":
            raise BadRequest(f"['{name}'] is invalid attribute for filtering")
    items = await availability.list_availability(svc, ctx, ListQuery(filters=filters), version=version)
    return _answer({"network_ip_availabilities": [select_fields(i, show_fields(request)) for i in items]})


@router.get("/{network_id}")
async def show_network_ip_availability(network_id: PathId, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """The same of one network."""
    _authorize(ctx)
    items = await availability.list_availability(svc, ctx, ListQuery(filters={"id": (network_id,)}), version=None)
    if not items:
        raise NetworkNotFound(network_id)
    return _answer({"network_ip_availability": select_fields(items[0], show_fields(request))})
