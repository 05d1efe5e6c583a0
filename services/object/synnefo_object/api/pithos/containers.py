"""Pithos' calls on accounts and containers."""

from __future__ import annotations

from synnefo_object.api.answers import HTML, Answer
from synnefo_object.api.listing_formats import TEXT
from synnefo_object.api.pithos import formats, links
from synnefo_object.api.request import SwiftRequest
from synnefo_object.app import containers as swift
from synnefo_object.app.access import shown_headers
from synnefo_object.app.pithos import containers, hashmaps, history, transfers
from synnefo_object.app.pithos.containers import QUOTA, View, Wanted, policy
from synnefo_object.domain.conditions import not_modified
from synnefo_object.domain.errors import SwiftFault
from synnefo_object.domain.listing import Query, read_query
from synnefo_object.domain.metadata import check_length
from synnefo_object.domain.pithos import read_groups, read_meta_query, read_time
from synnefo_object.domain.times import http_date, timestamp

BLOCKS = "application/octet-stream"


def _wanted(request: SwiftRequest) -> Wanted:
    query = request.query
    return Wanted(read_meta_query(query.get("meta", "")), "shared" in query, "public" in query, read_time(query.get("until")))


def _page(request: SwiftRequest, *, of_objects: bool) -> Query:
    """The page that is asked for; a prefix ends with the delimiter."""
    params = dict(request.query)
    delimiter = params.get("delimiter", "")
    if of_objects and "path" in params:
        params["path"] = params["path"].lstrip("/")
    elif of_objects:
        prefix = params.get("prefix", "").lstrip("/")
        params["prefix"] = prefix + delimiter if prefix and delimiter and not prefix.endswith(delimiter) else prefix
    if params.get("limit") == "0":
        del params["limit"]
    return read_query({name: value for name, value in params.items() if name not in ("reverse", "end_marker")})


def _answer(request: SwiftRequest, view: View, headers: dict[str, str], body: bytes | None, kind: str) -> Answer:
    conditions = {name: value for name, value in request.headers.items() if name in ("if-modified-since", "if-unmodified-since")}
    if not_modified(conditions, etag="", modified_us=view.modified_us):
        return Answer(304, headers, length=-1)
    if body is None or (not body and kind == TEXT):
        return Answer(204, headers, content_type=f"{kind}; charset=utf-8")
    return Answer(200, headers, body, content_type=f"{kind}; charset=utf-8")


async def show_top(request: SwiftRequest) -> Answer:
    """GET /v1/: the accounts that share something with the caller."""
    caller = await request.caller()
    query = read_query({name: value for name, value in request.query.items() if name in ("limit", "marker")})
    kind = formats.format_of(request)
    rows = await containers.shared_with(request.svc, caller, marker=query.marker, limit=query.limit)
    body = formats.account_list(kind, rows)
    return Answer(200 if body else 204, {}, body, content_type=f"{kind}; charset=utf-8")


async def show_account(request: SwiftRequest) -> Answer:
    """HEAD and GET."""
    caller = await request.caller()
    kind = formats.format_of(request)
    query = _page(request, of_objects=False) if request.method == "GET" else None
    view = await containers.show_account(request.svc, caller, request.target, query, _wanted(request))
    headers = {"Last-Modified": http_date(view.modified_us)}
    if view.is_whole:
        headers |= {
            "X-Account-Container-Count": str(view.containers),
            "X-Account-Object-Count": str(view.objects),
            "X-Account-Bytes-Used": str(view.bytes),
            **formats.metadata_out(shown_headers(view.headers, is_owner=caller.owns(request.target)), "account"),
            **{f"X-Account-Group-{name.title()}": formats.quoted(",".join(members)) for name, members in view.groups.items()},
        }
        if view.quota >= 0:
            headers["X-Account-Policy-Quota"] = str(view.quota)
        if view.until_us is not None:
            headers["X-Account-Until-Timestamp"] = timestamp(view.until_us)
    body = formats.container_list(kind, request.target.account, view) if query is not None else None
    return _answer(request, view, headers, body, kind)


async def post_account(request: SwiftRequest) -> Answer:
    """Metadata and groups."""
    headers = formats.headers_in(request)
    replace = request.target.is_pithos and not request.flag("update")
    await containers.update_account(request.svc, await request.caller(), request.target, headers, read_groups(headers), replace=replace)
    return Answer(202, content_type=HTML)


async def show_container(request: SwiftRequest) -> Answer:
    """HEAD and GET."""
    caller = await request.caller()
    svc, target = request.svc, request.target
    kind = formats.format_of(request)
    query = _page(request, of_objects=True) if request.method == "GET" else None
    view = await containers.show(svc, caller, target, query, _wanted(request))
    headers = {
        "Last-Modified": http_date(view.modified_us),
        "X-Container-Block-Size": str(svc.stores.of(view.pool).store.block_size),
        "X-Container-Block-Hash": "sha256",
    }
    if view.is_whole:
        kept = {name: value for name, value in shown_headers(view.headers, is_owner=caller.owns(target)).items() if name != QUOTA}
        headers |= {
            "X-Container-Object-Count": str(view.objects),
            "X-Container-Bytes-Used": str(view.bytes),
            **{f"X-Container-Policy-{name.title()}": value for name, value in policy(view.headers).items()},
            **formats.metadata_out(kept, "container"),
        }
        if view.until_us is not None:
            headers["X-Container-Until-Timestamp"] = timestamp(view.until_us)
    body = None
    if query is not None:
        body = formats.object_list(kind, target.container, view, public_prefix=links.prefix(svc), is_owner=caller.owns(target))
    return _answer(request, view, headers, body, kind)


async def put_container(request: SwiftRequest) -> Answer:
    """201 for a new one, 202 for one that was there."""
    headers = formats.headers_in(request)
    svc, target, caller = request.svc, request.target, await request.caller()
    created = await containers.put(svc, caller, target, headers, is_pithos=target.is_pithos)
    if any(name in headers for name in ("x-container-read", "x-container-write", "x-versions-location", "x-history-location")):
        await swift.update(svc, caller, target, {n: v for n, v in headers.items() if not n.startswith("x-container-meta-")})
    return Answer(201 if created else 202, content_type=HTML)


def carries_blocks(request: SwiftRequest) -> bool:
    """A POST with data rather than metadata."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == BLOCKS and ("transfer-encoding" in request.headers or request.headers.get("content-length", "0").strip("0") != "")


async def post_container(request: SwiftRequest) -> Answer:
    """Metadata and policy; with data, blocks for objects to come."""
    svc, target, caller = request.svc, request.target, await request.caller()
    headers = formats.headers_in(request)
    if not carries_blocks(request):
        await containers.update(svc, caller, target, headers, replace=target.is_pithos and not request.flag("update"))
        if any(name in headers for name in ("x-container-read", "x-container-write", "x-versions-location", "x-history-location")):
            await swift.update(svc, caller, target, {n: v for n, v in headers.items() if not n.startswith("x-container-meta-")})
        return Answer(202, content_type=HTML)
    place = await containers.may_write(svc, caller, target)
    check_length(request.headers)
    kind = formats.format_of(request)
    hashes = await hashmaps.upload_blocks(svc, caller, target, request.body(), pool=place.policy)
    if any(name.startswith(("x-container-meta-", "x-container-policy-")) for name in headers):
        await containers.update(svc, caller, target, headers, replace=not request.flag("update"))
    return Answer(202, {}, formats.strings(kind, hashes), content_type=f"{kind}; charset=utf-8")


async def delete_container(request: SwiftRequest) -> Answer:
    """The container; with `delimiter` what is in it; with `until` what was."""
    svc, target, caller = request.svc, request.target, await request.caller()
    until_us = read_time(request.query.get("until"))
    if until_us is not None:
        await history.purge_container(svc, caller, target, until_us)
    elif request.query.get("delimiter"):
        await transfers.delete_below(svc, caller, target, request.query["delimiter"])
    else:
        await containers.delete(svc, caller, target)
    return Answer(204, content_type=HTML)


async def refuse(request: SwiftRequest) -> Answer:
    """A method that is none of this level."""
    raise SwiftFault(405)
