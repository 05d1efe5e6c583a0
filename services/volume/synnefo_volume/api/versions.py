"""Version documents, open to all."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from synnefo_common.web import answer
from synnefo_volume.api.deps import base_url

router = APIRouter(tags=["versions"])


def _document(request: Request) -> dict[str, Any]:
    version = {
        "id": "v3.0",
        "status": "CURRENT",
        "version": "3.0",
        "min_version": "3.0",
        "updated": "2026-11-22T00:00:00Z",
        "links": [
            {"rel": "describedby", "type": "text/html", "href": "https://docs.openstack.org/"},
            {"rel": "self", "href": base_url(request) + "/v3/"},
        ],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.volume+json;version=3"}],
    }
    return {"versions": [version]}


@router.get("/", status_code=300)
async def list_versions(request: Request) -> Response:
    """All versions, as multiple choices."""
    return answer(_document(request), 300)


@router.get("/v3")
@router.get("/v3/", include_in_schema=False)
async def show_version(request: Request) -> Response:
    """Version 3."""
    return answer(_document(request))
