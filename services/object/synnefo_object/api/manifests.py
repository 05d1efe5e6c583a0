"""Static large objects: PUT, GET and DELETE of a manifest."""

from __future__ import annotations

import hashlib

import orjson

from synnefo_object.api import bulk
from synnefo_object.api.answers import HTML, Answer
from synnefo_object.api.request import SwiftRequest
from synnefo_object.app import manifests, object_versions
from synnefo_object.app.access import WRITE, Caller
from synnefo_object.app.objects import place
from synnefo_object.app.stored import Stored
from synnefo_object.domain.errors import SwiftFault, not_found
from synnefo_object.domain.kinds import SLO
from synnefo_object.domain.limits import MAX_SLO_MANIFEST_SIZE
from synnefo_object.domain.times import http_date


async def put_manifest(request: SwiftRequest, caller: Caller) -> Answer:
    """`multipart-manifest=put`."""
    body = await request.read_body(MAX_SLO_MANIFEST_SIZE)
    uploaded = await manifests.put(request.svc, caller, request.target, request.headers, body)
    headers = {"Etag": f'"{uploaded.etag}"', "Last-Modified": http_date(uploaded.modified_us)}
    headers |= {object_versions.HEADER: uploaded.version_id} if uploaded.version_id is not None else {}
    return Answer(201, headers, content_type=HTML)


def show_manifest(request: SwiftRequest, stored: Stored) -> Answer:
    """`multipart-manifest=get`: the segments as JSON; `format=raw`: in the form that a PUT takes."""
    from synnefo_object.api.objects import object_headers

    parts = orjson.loads(stored.extra or "[]")
    if request.query.get("format") == "raw":
        parts = [manifests.raw_part(part) for part in parts]
        body = orjson.dumps(parts)
        etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
        return Answer(200, object_headers(stored) | {"Etag": etag}, body, content_type=stored.content_type)
    return Answer(200, object_headers(stored), orjson.dumps(parts), content_type="application/json; charset=utf-8")


async def delete_with_segments(request: SwiftRequest, caller: Caller) -> Answer:
    """`multipart-manifest=delete`: the segments first, then the manifest; answered as a bulk delete."""
    version = request.query.get("version-id") or None
    if version is not None:
        row = await object_versions.find(request.svc, caller, request.target, version)
    else:
        row = await place(request.svc, request.target)
    await caller.require(WRITE, request.target, row.container_headers if row is not None else None)
    if row is None:
        raise not_found()
    paths: list[str] = []
    if row.root is not None:
        if row.kind != SLO:
            raise SwiftFault(400, "Not an SLO manifest")
        paths = await manifests.segment_paths(request.svc, caller, request.target, row.extra or "[]")
    target = request.target
    return await bulk.delete_paths(request, caller, [*paths, f"/{target.container}/{target.object}"], version=version)
