"""CORS as each container's metadata allows it.

Browsers learn nothing of a container that does not name their origin.
"""

from __future__ import annotations

import orjson
from starlette.types import Scope

from synnefo_object.api.answers import HTML, Answer
from synnefo_object.api.request import SwiftRequest
from synnefo_object.app.objects import place
from synnefo_object.app.services import Services
from synnefo_object.domain.errors import SwiftFault
from synnefo_object.domain.paths import Target

_PREFIX = "x-container-meta-access-control-"
_METHODS = "HEAD, GET, PUT, POST, COPY, OPTIONS, DELETE"
_EXPOSED = (
    "cache-control",
    "content-language",
    "content-type",
    "expires",
    "last-modified",
    "pragma",
    "etag",
    "x-timestamp",
    "x-trans-id",
    "x-openstack-request-id",
)


def _allows(headers: dict[str, str], origin: str) -> bool:
    allowed = headers.get(_PREFIX + "allow-origin", "").split()
    return "*" in allowed or origin in allowed


async def preflight(request: SwiftRequest) -> Answer:
    """OPTIONS: what may be done; with Origin, whether that origin may. Raises 401 when it may not."""
    origin = request.headers.get("origin")
    allow = {"Allow": _METHODS}
    if origin is None or not request.target.container:  # no rule is kept with an account
        return Answer(200, allow, content_type=HTML)
    row = await place(request.svc, request.target)
    kept: dict[str, str] = orjson.loads(row.container_headers) if row is not None else {}
    wanted = request.headers.get("access-control-request-method", "")
    everywhere = request.svc.settings.cors_origins
    if not (_allows(kept, origin) or "*" in everywhere or origin in everywhere) or wanted not in _METHODS.split(", "):
        raise SwiftFault(401, headers=allow)
    headers = {
        **allow,
        "Access-Control-Allow-Origin": "*" if kept.get(_PREFIX + "allow-origin") == "*" else origin,
        "Access-Control-Allow-Methods": _METHODS,
        "Vary": "Origin",
    }
    asked = request.headers.get("access-control-request-headers")
    if asked:
        headers["Access-Control-Allow-Headers"] = asked
    if kept.get(_PREFIX + "max-age"):
        headers["Access-Control-Max-Age"] = kept[_PREFIX + "max-age"]
    return Answer(200, headers, content_type=HTML)


async def add_headers(scope: Scope, answer: Answer, svc: Services) -> None:
    """On an actual request with Origin, if the container allows it. Without Origin it costs nothing."""
    origin = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"origin"), None)
    target: Target | None = scope.get("swift.target")
    if origin is None or target is None or not target.container or scope["method"] == "OPTIONS":
        return
    row = await place(svc, target)
    kept = orjson.loads(row.container_headers) if row is not None else {}
    if not _allows(kept, origin):
        return
    star = kept.get(_PREFIX + "allow-origin") == "*"
    answer.headers["Access-Control-Allow-Origin"] = "*" if star else origin
    if not star:
        answer.headers["Vary"] = "Origin"
    shown = [n.lower() for n in answer.headers if n.lower().startswith(("x-object-meta", "x-container-meta"))]
    exposed = [*_EXPOSED, *shown, *kept.get(_PREFIX + "expose-headers", "").split()]
    answer.headers["Access-Control-Expose-Headers"] = ", ".join(dict.fromkeys(exposed))
