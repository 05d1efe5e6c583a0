"""Discovery: versions, the resources of v2.0, extensions. Open without a token, but for the extensions."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from synnefo_common.web import Ctx, answer
from synnefo_common.web.links import outer_root
from synnefo_network.api.base import PathId
from synnefo_network.domain.errors import ExtensionNotFound
from synnefo_network.domain.extensions import EXTENSIONS

router = APIRouter(tags=["discovery"])
_COLLECTIONS = (
    "networks",
    "subnets",
    "ports",
    "security-groups",
    "security-group-rules",
    "floatingips",
    "routers",
    "address-scopes",
    "subnetpools",
    "address-groups",
    "rbac-policies",
    "quotas",
    "availability_zones",
    "network-ip-availabilities",
    "extensions",
)


def _base(request: Request) -> str:
    return outer_root(request)


@router.get("/")
async def list_versions(request: Request) -> Response:
    """The versions of the API."""
    link = {"rel": "self", "href": f"{_base(request)}/v2.0/"}
    return answer({"versions": [{"id": "v2.0", "status": "CURRENT", "links": [link]}]})


@router.get("/v2.0")
async def list_resources(request: Request) -> Response:
    """The collections of v2.0."""
    base = _base(request)

    def entry(collection: str) -> dict[str, Any]:
        name = collection.replace("-", "_")
        single = "network_ip_availability" if name.endswith("availabilities") else name.removesuffix("s")
        return {"name": single, "collection": name, "links": [{"rel": "self", "href": f"{base}/v2.0/{collection}"}]}

    return answer({"resources": [entry(c) for c in _COLLECTIONS]})


@router.get("/v2.0/extensions")
async def list_extensions(ctx: Ctx) -> Response:
    """What this service can do beyond the core."""
    return answer({"extensions": list(EXTENSIONS.values())})


@router.get("/v2.0/extensions/{alias}", responses={404: {"description": "Not implemented."}})
async def show_extension(alias: PathId, ctx: Ctx) -> Response:
    """Whether one extension is there."""
    if alias not in EXTENSIONS:
        raise ExtensionNotFound(f"Extension with alias {alias} does not exist")
    return answer({"extension": EXTENSIONS[alias]})
