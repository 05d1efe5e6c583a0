"""Calls on an account."""

from __future__ import annotations

from synnefo_object.api import bulk, listing_formats
from synnefo_object.api.answers import HTML, TEXT, Answer
from synnefo_object.api.request import SwiftRequest
from synnefo_object.app import accounts
from synnefo_object.app.access import shown_headers
from synnefo_object.domain.errors import SwiftFault
from synnefo_object.domain.listing import read_query
from synnefo_object.domain.times import timestamp


async def show_account(request: SwiftRequest) -> Answer:
    """GET and HEAD."""
    svc, target = request.svc, request.target
    caller = await request.caller()
    kind = listing_formats.choose(request.query, request.headers.get("accept"))
    query = read_query(request.query) if request.method == "GET" else None
    view = await accounts.show(svc, caller, target, query)
    headers = {
        "X-Account-Container-Count": str(view.containers),
        "X-Account-Object-Count": str(view.objects),
        "X-Account-Bytes-Used": str(view.bytes),
        "X-Timestamp": timestamp(view.created_us),
        "X-Put-Timestamp": timestamp(view.created_us),
    }
    for totals in view.policies:
        policy = f"X-Account-Storage-Policy-{totals.name}-"
        headers |= {
            policy + "Container-Count": str(totals.containers),
            policy + "Object-Count": str(totals.objects),
            policy + "Bytes-Used": str(totals.bytes),
        }
    headers |= shown_headers(view.headers, is_owner=caller.owns(target))
    if caller.claims is not None and caller.claims.project_id == target.project_id:
        headers["X-Account-Project-Domain-Id"] = caller.claims.project_domain_id or ""
    if view.entries is None:
        return Answer(204, headers, content_type=f"{kind}; charset=utf-8")
    headers["Accept-Ranges"] = "bytes"
    if not view.entries and kind == listing_formats.TEXT:
        return Answer(204, headers, content_type=TEXT)
    body = listing_formats.render(kind, target, view.entries)
    return Answer(200, headers, body, content_type=f"{kind}; charset=utf-8")


async def post_account(request: SwiftRequest) -> Answer:
    """POST: metadata; with `bulk-delete`, many deletes at once."""
    if request.flag("bulk-delete"):
        return await bulk.bulk_delete(request)
    caller = await request.caller()
    await accounts.update(request.svc, caller, request.target, request.headers)
    return Answer(204, content_type=HTML)


async def put_account(request: SwiftRequest) -> Answer:
    """PUT: `extract-archive`; an account itself is made by its first use."""
    if request.flag("extract-archive"):
        return await bulk.extract_archive(request)
    return await refuse_account(request)


async def delete_account(request: SwiftRequest) -> Answer:
    """DELETE: `bulk-delete`; an account itself stays."""
    if request.flag("bulk-delete"):
        return await bulk.bulk_delete(request)
    return await refuse_account(request)


async def refuse_account(request: SwiftRequest) -> Answer:
    """405 for those who might, 401 or 403 for others."""
    caller = await request.caller()
    caller.require_owner(request.target)
    raise SwiftFault(405, headers={"Allow": "HEAD, GET, POST, OPTIONS"})
