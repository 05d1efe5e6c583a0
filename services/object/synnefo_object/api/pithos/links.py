"""Public links: /public/<id> opens one object to anybody who has the link."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.types import Receive, Scope

from synnefo_object.api import objects
from synnefo_object.api.answers import Answer
from synnefo_object.api.request import SwiftRequest
from synnefo_object.app.pithos import links
from synnefo_object.app.services import Services
from synnefo_object.domain.errors import SwiftFault

PATH = "/public/"
_SHOWN = ("etag", "last-modified", "accept-ranges", "content-range", "content-encoding", "content-disposition", "cache-control", "content-language")


def prefix(svc: Services) -> str:
    """What comes before a link's id in X-Object-Public."""
    public = svc.settings.common.public_urls.get("object", "")
    return urlsplit(public).path.rstrip("/") + PATH


async def answer(scope: Scope, receive: Receive, svc: Services) -> Answer:
    """GET and HEAD with conditions and ranges, and none of the object's own headers."""
    if scope["method"] not in ("GET", "HEAD"):
        raise SwiftFault(405, headers={"Allow": "GET, HEAD"})
    target, stored = await links.load(svc, scope["path"][len(PATH) :])
    request = SwiftRequest(scope, receive, svc, target=target)
    shown = objects.respond(request, stored)
    shown.headers = {name: value for name, value in shown.headers.items() if name.lower() in _SHOWN}
    set_disposition(request, shown)
    return shown


def set_disposition(request: SwiftRequest, shown: Answer) -> None:
    """`disposition-type` says how a browser is to show the object."""
    wanted = request.query.get("disposition-type", "")
    if wanted in ("inline", "attachment"):
        shown.headers = {name: value for name, value in shown.headers.items() if name.lower() != "content-disposition"}
        shown.headers["Content-Disposition"] = wanted
