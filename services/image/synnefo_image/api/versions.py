"""Version documents, open to all."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from synnefo_common.web import answer
from synnefo_common.web.links import outer_root

router = APIRouter(tags=["versions"])
_SUPPORTED = ("2.7", "2.6", "2.5", "2.4", "2.3", "2.2", "2.1", "2.0")


def _document(request: Request) -> dict[str, object]:
    href = outer_root(request) + "/v2/"
    return {
        "versions": [
            {
                "id": f"v{v}",
                "status": "CURRENT" if v == _SUPPORTED[0] else "SUPPORTED",
                "links": [{"rel": "self", "href": href}],
            }
            for v in _SUPPORTED
        ]
    }


@router.get("/", status_code=300)
async def list_versions(request: Request) -> Response:
    """All versions, as multiple choices."""
    return answer(_document(request), 300)


@router.get("/versions")
async def list_versions_explicitly(request: Request) -> Response:
    """All versions."""
    return answer(_document(request))
