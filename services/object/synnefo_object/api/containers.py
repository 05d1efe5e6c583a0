"""Calls on a container."""

from __future__ import annotations

from urllib.parse import quote

from synnefo_object.api import bulk, formpost, listing_formats, staticweb, tempurl
from synnefo_object.api.answers import HTML, TEXT, Answer
from synnefo_object.api.request import SwiftRequest
from synnefo_object.app import containers, version_listings
from synnefo_object.app.access import Caller, shown_headers
from synnefo_object.app.containers import ContainerView
from synnefo_object.domain.errors import SwiftFault
from synnefo_object.domain.listing import read_query
from synnefo_object.domain.metadata import VERSION_HEADERS
from synnefo_object.domain.times import http_date, timestamp


def view_headers(view: ContainerView, *, is_owner: bool) -> dict[str, str]:
    """What HEAD tells."""
    return {
        "X-Container-Object-Count": str(view.objects),
        "X-Container-Bytes-Used": str(view.bytes),
        "X-Timestamp": timestamp(view.created_us),
        "Last-Modified": http_date(view.modified_us),
        "X-Storage-Policy": view.policy,
        "Accept-Ranges": "bytes",
        **{n: quote(v) if n in VERSION_HEADERS else v for n, v in shown_headers(view.headers, is_owner=is_owner).items()},
    }


async def show_container(request: SwiftRequest) -> Answer:
    """GET and HEAD."""
    caller = await request.caller()
    await tempurl.admit(request, caller)
    web = await staticweb.serve_container(request, caller)
    if web is not None:
        return web
    if caller.signed is not None:  # a signed URL opens a site's pages, not the API's listing
        raise SwiftFault(401, tempurl.INVALID)
    if request.flag("versions") and request.method == "GET":
        return await _list_versions(request, caller)
    kind = listing_formats.choose(request.query, request.headers.get("accept"))
    query = read_query(request.query) if request.method == "GET" else None
    view = await containers.show(request.svc, caller, request.target, query)
    headers = view_headers(view, is_owner=caller.owns(request.target))
    if view.entries is None:
        return Answer(204, headers, content_type=f"{kind}; charset=utf-8")
    if not view.entries and kind == listing_formats.TEXT:
        return Answer(204, headers, content_type=TEXT)
    body = listing_formats.render(kind, request.target, view.entries)
    return Answer(200, headers, body, content_type=f"{kind}; charset=utf-8")


async def _list_versions(request: SwiftRequest, caller: Caller) -> Answer:
    """GET with `versions`: JSON, and nothing else."""
    query = read_query(request.query)
    listing_formats.require_json(request.query, request.headers.get("accept"))
    marker = request.query.get("marker")
    behind = version_listings.check(query, marker=marker, version_marker=request.query.get("version_marker"))
    view = await containers.show(request.svc, caller, request.target, query, versions_behind=behind, all_versions=True)
    body = listing_formats.render_versions(view.entries or [], marker=marker)
    headers = view_headers(view, is_owner=caller.owns(request.target))
    return Answer(200, headers, body, content_type="application/json; charset=utf-8")


async def put_container(request: SwiftRequest) -> Answer:
    """201 for a new one, 202 for one that was there."""
    if request.flag("extract-archive"):
        return await bulk.extract_archive(request)
    created = await containers.put(request.svc, await request.caller(), request.target, request.headers)
    return Answer(201 if created else 202, content_type=HTML)


async def post_container(request: SwiftRequest) -> Answer:
    """Metadata and ACLs; an HTML form's upload."""
    if formpost.is_form(request):
        return await formpost.upload(request)
    await containers.update(request.svc, await request.caller(), request.target, request.headers)
    return Answer(204, content_type=HTML)


async def delete_container(request: SwiftRequest) -> Answer:
    """204, 404, 409."""
    await containers.delete(request.svc, await request.caller(), request.target)
    return Answer(204, content_type=HTML)
