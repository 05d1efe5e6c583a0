"""Routes of availability zones."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from synnefo_common.errors import BadRequest
from synnefo_common.web import Ctx, answer
from synnefo_network.api.base import ERRORS, Svc
from synnefo_network.api.listing import select_fields, show_fields

router = APIRouter(prefix="/v2.0", tags=["availability zones"], responses=ERRORS)
_FILTERS = ("name", "resource", "state")


@router.get("/availability_zones")
async def list_availability_zones(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """The availability zones of networks and routers, from the settings."""
    ctx.require("get_availability_zone")
    zones = [
        {"name": name, "resource": resource, "state": "available"} for resource in ("network", "router") for name in svc.settings.availability_zones
    ]
    for name in request.query_params:
        if name not in (*_FILTERS, "fields", "limit", "marker", "page_reverse", "sort_key", "sort_dir"):
            raise BadRequest(f"['{name}'] is invalid attribute for filtering")
    for name in _FILTERS:
        wanted = request.query_params.getlist(name)
        if wanted:
            zones = [z for z in zones if z[name] in wanted]
    return answer({"availability_zones": [select_fields(z, show_fields(request)) for z in zones]})
