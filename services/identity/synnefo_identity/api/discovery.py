"""What this API is, for clients that do not know yet. Needs no token."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from synnefo_common.web import answer
from synnefo_identity.api.access import Svc

router = APIRouter(tags=["discovery"])


def _version(base: str) -> dict[str, Any]:
    return {
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": f"{base}/"}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
    }


@router.get("/", status_code=300)
async def list_versions(svc: Svc) -> Response:
    """All versions: one."""
    return answer(
        {"versions": {"values": [_version(svc.base_url)]}},
        300,
        {"Location": f"{svc.base_url}/", "Vary": "X-Auth-Token"},
    )


@router.get("/v3")
async def show_version(svc: Svc) -> Response:
    """Version 3."""
    return answer({"version": _version(svc.base_url)}, 200, {"Vary": "X-Auth-Token"})
