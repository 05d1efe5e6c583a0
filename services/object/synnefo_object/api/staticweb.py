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
from synnefo_object.app.stored import Stored
from synnefo_object.domain.errors import SwiftFault
from synnefo_object.domain.listing import Query
from synnefo_object.domain.metadata import TRUE
from synnefo_object.domain.paths import Target
from synnefo_object.domain.times import listing_date

_META = "x-container-meta-web-"


def _asked(request: SwiftRequest, caller: Caller) -> bool:
    return request.method in ("GET", "HEAD") and (caller.claims is None or request.headers.get("x-web-mode", "").lower() in TRUE)


async def _site(request: SwiftRequest, target: Target) -> tuple[Any, dict[str, str]] | None:
    row = await objects.place(request.svc, target)
    if row is None or _META not in row.container_headers:
        return None
    kept = {k.removeprefix(_META): v for k, v in orjson.loads(row.container_headers).items() if k.startswith(_META)}
    return (row, kept) if kept.keys() & {"index", "listings", "error", "directory-type"} else None


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
    if found is None or not found[1].keys() & {"index", "listings"}:
        return None
    row, kept = found
    if not request.scope["path"].endswith("/"):
        target = request.target
        name = caller.signed[2] or "/" if caller.signed else "/"
        await caller.require(READ, Target(target.account, target.container, name), row.container_headers)
        return _with_slash(request)
    return await _index(request, caller, kept, "", row) or await _error(request, caller, kept, SwiftFault(404))


async def _index(request: SwiftRequest, caller: Caller, kept: dict[str, str], prefix: str, row: Any) -> Answer | None:
    if kept.get("index"):
        page = await _load(request, caller, prefix + kept["index"], 200)
        if page is not None:
            return page
    if kept.get("listings", "").lower() not in TRUE:
        return None
    container = Target(request.target.account, request.target.container)
    caller.lists = caller.signed is not None and prefix.startswith(caller.signed[2])
    await caller.require(READ, container, row.container_headers)
    view = await containers.show(request.svc, caller, container, Query(prefix=prefix, delimiter="/"))
    if not view.entries and prefix:
        return None
    title = escape(f"Listing of /v1/{container.account}/{container.container}/{prefix}")
    if kept.get("listings-label"):
        title = escape(f"Listing of {kept['listings-label']}/{prefix}")
    css = kept.get("listings-css", "")
    if css and not css.startswith(("/", "http://", "https://")):
        css = "../" * prefix.count("/") + css
    lines = [f"<!DOCTYPE html>\n<html>\n<head><title>{title}</title>"]
    if css:
        lines.append(f'<link rel="stylesheet" type="text/css" href="{escape(quote(css, safe=":/"), quote=True)}" />')
    lines.append(f"</head>\n<body>\n<h1>{title}</h1>\n<table>")
    signature = _signature(request) if caller.signed is not None else ""
    top = caller.signed[2] if caller.signed is not None else ""
    if len(prefix) > len(top):
        lines.append(f'<tr><td><a href="../{signature}">../</a></td><td></td><td></td></tr>')
    entries = view.entries or []
    for folder in (folder for folder, _ in entries if folder is not None):
        lines.append(_line(folder[len(prefix) :], signature, "", ""))
    for entry in (entry for folder, entry in entries if folder is None):
        date = listing_date(entry.created_us).split(".", maxsplit=1)[0].replace("T", " ")
        lines.append(_line(entry.name[len(prefix) :], signature, str(entry.size), date))
    lines.append("</table>\n</body>\n</html>")
    return Answer(200, body="\n".join(lines).encode(), content_type=HTML)


def _line(name: str, signature: str, size: str, date: str) -> str:
    link = escape(quote(name), quote=True) + signature
    return f'<tr><td><a href="./{link}">{escape(name)}</a></td><td>{size}</td><td>{date}</td></tr>'


def _signature(request: SwiftRequest) -> str:
    """The signed URL's own parameters, for links to what else it opens; as HTML."""
    query = request.query
    if "temp_url_prefix" not in query:
        return ""
    names = ("temp_url_prefix", "temp_url_expires", "temp_url_sig", "temp_url_ip_range")
    parts = [f"{name}={quote(query[name])}" for name in names if name in query]
    return "?" + "&amp;".join([*parts, *(["inline"] if "inline" in query else [])])


async def _error(request: SwiftRequest, caller: Caller, kept: dict[str, str], fault: SwiftFault) -> Answer:
    if kept.get("error"):
        try:
            page = await _load(request, caller, f"{fault.http_status}{kept['error']}", fault.http_status)
        except SwiftFault:
            page = None
        if page is not None:
            return page
    raise fault


async def serve_marker(request: SwiftRequest, caller: Caller, stored: Stored) -> Answer | None:
    """What a site shows instead of an object that stands for a folder; None if that is no site, or no such object."""
    if stored.size > 1 or not _asked(request, caller):
        return None
    found = await _site(request, request.target)
    if found is None or stored.content_type != (found[1].get("directory-type") or "application/directory"):
        return None
    return await _folder(request, caller, *found, SwiftFault(404))


async def serve_missing(request: SwiftRequest, caller: Caller, fault: SwiftFault) -> Answer | None:
    """What a site shows instead of an object that is not there or not for this visitor; None if this is no site."""
    if fault.http_status not in (401, 403, 404) or not _asked(request, caller):
        return None
    found = await _site(request, request.target)
    if found is None:
        return None
    return await _folder(request, caller, *found, fault)


async def _folder(request: SwiftRequest, caller: Caller, row: Any, kept: dict[str, str], fault: SwiftFault) -> Answer:
    if fault.http_status == 404:
        name = request.target.object
        prefix = name if name.endswith("/") else name + "/"
        page = await _index(request, caller, kept, prefix, row)
        if page is not None:
            if not name.endswith("/"):
                return _with_slash(request)
            return page
    return await _error(request, caller, kept, fault)
