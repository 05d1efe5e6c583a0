"""Static large objects: PUT, GET and DELETE of a manifest."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import orjson

from synnefo_archipelago import StoreError
from synnefo_common.errors import Fault
from synnefo_object.api import bulk
from synnefo_object.api.answers import HTML, Answer, render_fault, store_fault, title_of
from synnefo_object.api.request import SwiftRequest
from synnefo_object.app import manifests, object_versions
from synnefo_object.app.access import WRITE, Caller
from synnefo_object.app.objects import place
from synnefo_object.app.stored import Stored
from synnefo_object.app.uploads import Uploaded
from synnefo_object.domain.errors import STANDARD_TEXT, SwiftFault, not_found
from synnefo_object.domain.kinds import SLO
from synnefo_object.domain.limits import HEARTBEAT_S, MAX_SLO_MANIFEST_SIZE
from synnefo_object.domain.metadata import TRUE
from synnefo_object.domain.times import http_date


async def put_manifest(request: SwiftRequest, caller: Caller) -> Answer:
    """`multipart-manifest=put`. With `heartbeat=on` the answer begins at once, and its body says at the end how it went."""
    kind = bulk.report_type(request)
    body = await request.read_body(MAX_SLO_MANIFEST_SIZE)
    manifests.parse(body)
    work = manifests.put(request.svc, caller, request.target, request.headers, body)
    if request.query.get("heartbeat", "").lower() in TRUE:
        return Answer(202, content_type=kind, stream=_heartbeat(request, work, kind), length=-1)
    try:
        uploaded = await work
    except manifests.BadSegments as fault:
        answer = bulk.report(kind, {}, fault.errors, root="upload")
        answer.status_code = 400
        return answer
    headers = {"Etag": f'"{uploaded.etag}"', "Last-Modified": http_date(uploaded.modified_us)}
    headers |= {object_versions.HEADER: uploaded.version_id} if uploaded.version_id is not None else {}
    return Answer(201, headers, content_type=HTML)


async def _heartbeat(request: SwiftRequest, work: Coroutine[Any, Any, Uploaded], kind: str) -> AsyncIterator[bytes]:
    """Spaces while the work is going on, then an empty line and the report."""
    yield b" "
    task = asyncio.create_task(work)
    try:
        while not (await asyncio.wait({task}, timeout=HEARTBEAT_S))[0]:
            yield b" "
        figures: dict[str, Any] = {"Response Status": "201 Created", "Response Body": ""}
        errors: list[tuple[str, str]] = []
        try:
            uploaded = task.result()
            figures |= {"Etag": f'"{uploaded.etag}"', "Last Modified": http_date(uploaded.modified_us)}
        except (Fault, StoreError) as error:
            failed = render_fault(error if isinstance(error, Fault) else store_fault(error))
            reason = title_of(failed.status_code)
            text = f"{reason}\n{STANDARD_TEXT.get(failed.status_code, '')}"
            figures = {"Response Status": f"{failed.status_code} {reason}", "Response Body": text}
            errors = error.errors if isinstance(error, manifests.BadSegments) else []
        yield b"\r\n\r\n" + bulk.report(kind, dict(sorted(figures.items())), errors, root="upload").body
    finally:
        task.cancel()


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
