"""StaticWeb: a container as a web site, for visitors without a token (or with X-Web-Mode: true)."""

from __future__ import annotations

from html import escape
from typing import Any
from urllib.parse import quote

import orjson

from synnefo_object.api.answers import HTML, Answer
from synnefo_object.api.request import SwiftRequest
from synnefo_object.app import containers, objects
from synnefo_object.app.access import READ, Caller
from synnefo_object.domain.errors import SwiftFault
from synnefo_object.domain.listing import Query
from synnefo_object.domain.paths import Target

_META = "x-container-meta-web-"
_TRUE = ("true", "1", "yes", "on", "t", "y")


def _asked(request: SwiftRequest, caller: Caller) -> bool:
    return request.method in ("GET", "HEAD") and (caller.claims is None or request.headers.get("x-web-mode", "").lower() in _TRUE)


async def _site(request: SwiftRequest, target: Target) -> tuple[Any, dict[str, str]] | None:
    row = await objects.place(request.svc, target)
    if row is None or _META not in row.container_headers:
        return None
    kept = {k.removeprefix(_META): v for k, v in orjson.loads(row.container_headers).items() if k.startswith(_META)}
    return (row, kept) if kept.keys() & {"index", "listings", "error"} else None


def _with_slash(request: SwiftRequest) -> Answer:
    base = f"{request.scope['scheme']}://{request.headers['host']}" if "host" in request.headers else ""
    return Answer(301, {"Location": f"{base}{request.target.url_path}/"}, content_type=HTML)


async def _load(request: SwiftRequest, caller: Caller, name: str, status: int) -> Answer | None:
    from synnefo_object.api.objects import respond

    target = Target(request.target.account, request.target.container, name)
    try:
        stored = await objects.load(request.svc, caller, target)
    except SwiftFault as fault:
        if fault.http_status == 404:
            return None
        raise
    answer = respond(request, stored)
    if status != 200 and answer.status_code == 200:
        answer.status_code = status
    return answer


async def serve_container(request: SwiftRequest, caller: Caller) -> Answer | None:
    """The site's front page, or None if this is no site or the caller wants the API."""
    if not _asked(request, caller):
        return None
    found = await _site(request, request.target)
    if found is None:
        return None
    row, kept = found
    if not request.scope["path"].endswith("/"):
        await caller.require(READ, Target(request.target.account, request.target.container, "/"), row.container_headers)
        return _with_slash(request)
    return await _index(request, caller, kept, "", row) or await _error(request, caller, kept, SwiftFault(404))


async def _index(request: SwiftRequest, caller: Caller, kept: dict[str, str], prefix: str, row: Any) -> Answer | None:
    if kept.get("index"):
        page = await _load(request, caller, prefix + kept["index"], 200)
        if page is not None:
            return page
    if kept.get("listings", "").lower() not in _TRUE:
        return None
    container = Target(request.target.account, request.target.container)
    await caller.require(READ, container, row.container_headers)
    view = await containers.show(request.svc, caller, container, Query(prefix=prefix, delimiter="/"))
    if not view.entries and prefix:
        return None
    title = escape(f"Listing of /v1/{container.account}/{container.container}/{prefix}")
    css = kept.get("listings-css")
    lines = [f"<!DOCTYPE html>\n<html>\n<head><title>{title}</title>"]
    if css:
        lines.append(f'<link rel="stylesheet" type="text/css" href="{escape("../" * prefix.count("/") + quote(css), quote=True)}" />')
    lines.append(f"</head>\n<body>\n<h1>{title}</h1>\n<table>")
    if prefix:
        lines.append('<tr><td><a href="../">../</a></td><td></td></tr>')
    for folder, entry in view.entries or []:
        name = folder if folder is not None else entry.name
        shown = name[len(prefix) :]
        size = "" if folder is not None else str(entry.size)
        lines.append(f'<tr><td><a href="./{escape(quote(shown), quote=True)}">{escape(shown)}</a></td><td>{size}</td></tr>')
    lines.append("</table>\n</body>\n</html>")
    return Answer(200, body="\n".join(lines).encode(), content_type=HTML)


async def _error(request: SwiftRequest, caller: Caller, kept: dict[str, str], fault: SwiftFault) -> Answer:
    if kept.get("error"):
        try:
            page = await _load(request, caller, f"{fault.http_status}{kept['error']}", fault.http_status)
        except SwiftFault:
            page = None
        if page is not None:
            return page
    raise fault


async def serve_missing(request: SwiftRequest, caller: Caller, fault: SwiftFault) -> Answer | None:
    """What a site shows instead of an object that is not there or not for this visitor; None if this is no site."""
    if fault.http_status not in (401, 403, 404) or not _asked(request, caller):
        return None
    found = await _site(request, request.target)
    if found is None:
        return None
    row, kept = found
    if fault.http_status == 404:
        name = request.target.object
        prefix = name if name.endswith("/") else name + "/"
        page = await _index(request, caller, kept, prefix, row)
        if page is not None:
            if not name.endswith("/"):
                return _with_slash(request)
            return page
    return await _error(request, caller, kept, fault)
