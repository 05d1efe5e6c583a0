"""Calls on an object."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from urllib.parse import quote

from synnefo_object.api import bulk, formpost, manifests, staticweb, tempurl
from synnefo_object.api.answers import HTML, Answer
from synnefo_object.api.request import SwiftRequest
from synnefo_object.app import copies, object_versions, objects, segments, symlinks, uploads
from synnefo_object.app.access import Caller
from synnefo_object.app.download import read_pieces
from synnefo_object.app.object_versions import HEADER as VERSION_ID
from synnefo_object.app.segments import cut
from synnefo_object.app.stored import Stored
from synnefo_object.domain import metadata
from synnefo_object.domain.conditions import etags, not_modified, parse_ranges
from synnefo_object.domain.errors import SwiftFault, bad_request
from synnefo_object.domain.kinds import DLO, SLO, SYMLINK
from synnefo_object.domain.paths import Target
from synnefo_object.domain.times import ceil_seconds, http_date, parse_http_date, timestamp


def object_headers(stored: Stored) -> dict[str, str]:
    """What HEAD tells, beside length and type."""
    headers = {
        "Last-Modified": http_date(stored.modified_us),
        "Etag": stored.etag,
        "X-Timestamp": timestamp(stored.modified_us),
        "Accept-Ranges": "bytes",
    }
    if stored.hash is not None:
        headers["X-Object-Hash"] = stored.hash
    if stored.uuid is not None:
        headers["X-Object-UUID"] = stored.uuid
    headers["X-Object-Version"] = str(stored.created_us)
    headers["X-Object-Version-Timestamp"] = timestamp(stored.created_us)
    headers["X-Object-Modified-By"] = stored.modified_by
    for name, value in stored.headers.items():
        if not name.startswith(metadata.HIDDEN):
            headers[name] = value
    if stored.delete_at is not None:
        headers["X-Delete-At"] = str(stored.delete_at)
    if stored.kind == DLO:
        headers["X-Object-Manifest"] = stored.extra or ""
    elif stored.kind == SLO:
        headers["X-Static-Large-Object"] = "True"
        headers["X-Manifest-Etag"] = stored.headers.get("x-slo-manifest-etag", "")
    elif stored.kind == SYMLINK:
        headers |= symlinks.link_headers(stored)
    if stored.content_location is not None:
        headers["Content-Location"] = stored.content_location
    if stored.shown_version is not None:
        headers[VERSION_ID] = stored.shown_version
    return headers


def _version(request: SwiftRequest, caller: Caller) -> str | None:
    """The version that is asked for. A signed URL opens what is current, whatever version it names."""
    return request.query.get("version-id") or None if caller.signed is None else None


def _versioned(answer: dict[str, str], uploaded: uploads.Uploaded) -> dict[str, str]:
    return answer | {VERSION_ID: uploaded.version_id} if uploaded.version_id is not None else answer


async def show_object(request: SwiftRequest) -> Answer:
    """GET and HEAD."""
    caller = await request.caller()
    file_name = await tempurl.admit(request, caller)
    manifest = request.query.get("multipart-manifest", "").lower() == "get"
    link_itself = request.query.get("symlink", "").lower() == "get"
    try:
        version, head = _version(request, caller), request.method == "HEAD"
        stored = await objects.load(request.svc, caller, request.target, raw=manifest, follow=not link_itself, head=head, version=version)
    except SwiftFault as fault:
        web = await staticweb.serve_missing(request, caller, fault)
        if web is not None:
            return web
        raise
    marker = await staticweb.serve_marker(request, caller, stored)
    if marker is not None:
        return marker
    if manifest and stored.kind == SLO:
        return manifests.show_manifest(request, stored)
    answer = respond(request, stored, part=segments.read_part_number(request.query, request.headers) if stored.kind == SLO else None)
    if file_name is not None:
        answer.headers.pop("content-disposition", None)
        answer.headers |= file_name
    return answer


def respond(request: SwiftRequest, stored: Stored, *, part: int | None = None) -> Answer:
    """200, 206, 304, 412 or 416, by the request's conditions and ranges, or with the `part` that is asked for."""
    headers = object_headers(stored)
    given = request.headers
    fault_headers: dict[str, str] = {name: headers[name] for name in ("Etag", "Last-Modified", "Content-Location") if name in headers}
    try:
        if not_modified(given, etag=stored.etag, modified_us=stored.modified_us):
            return Answer(304, headers, content_type=stored.content_type, length=-1)
    except SwiftFault as fault:
        fault.headers |= fault_headers
        raise
    size = stored.size
    if part is not None:
        try:
            start, length = segments.part_span(stored, part)
        except SwiftFault as fault:
            shown = {name: value for name, value in headers.items() if name not in ("X-Timestamp", "Accept-Ranges")}
            raise SwiftFault(416, "" if request.method == "HEAD" else fault.text, headers=shown | dict(fault.headers)) from None
        headers["X-Parts-Count"] = str(segments.count_parts(stored))
        headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{size}"
        return _stream(request, headers, stored, span=(start, length))
    wanted = given.get("range")
    ranges = parse_ranges(wanted, size) if wanted and request.method == "GET" and _if_range(given, stored) else None
    if ranges is None or (len(ranges) > 1 and stored.kind == DLO):  # Swift gives a DLO whole rather than in parts
        return _stream(request, headers, stored, span=None)
    if len(ranges) == 1:
        start, length = ranges[0]
        headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{size}"
        return _stream(request, headers, stored, span=ranges[0])
    boundary = request.svc.ids.hex()
    opening = f"--{boundary}\r\nContent-Type: {stored.content_type}\r\nContent-Range: bytes "
    heads = [f"{opening}{start}-{start + length - 1}/{size}\r\n\r\n".encode() for start, length in ranges]
    tail = f"--{boundary}--".encode()
    total = sum(len(head) + length + 2 for head, (_, length) in zip(heads, ranges, strict=True)) + len(tail)

    async def parts() -> AsyncIterator[bytes]:
        for head, (start, length) in zip(heads, ranges, strict=True):
            yield head
            async for piece in read_pieces(request.svc, cut(stored.pieces, start, length)):
                yield piece
            yield b"\r\n"
        yield tail

    return Answer(
        206,
        headers,
        content_type=f"multipart/byteranges;boundary={boundary}",
        stream=parts(),
        length=total,
        gone=request.disconnected,
    )


def _if_range(given: Mapping[str, str], stored: Stored) -> bool:
    condition = given.get("if-range")
    if not condition:
        return True
    seconds = parse_http_date(condition)
    if seconds is not None and not condition.startswith('"'):
        return ceil_seconds(stored.modified_us) <= seconds
    return stored.etag.strip('"') in etags(condition)


def _stream(request: SwiftRequest, headers: dict[str, str], stored: Stored, *, span: tuple[int, int] | None) -> Answer:
    status = 200 if span is None else 206
    length = stored.size if span is None else span[1]
    if request.method == "HEAD" or not length:
        return Answer(status, headers, content_type=stored.content_type, length=length)
    pieces = stored.pieces if span is None else cut(stored.pieces, *span)
    return Answer(
        status,
        headers,
        content_type=stored.content_type,
        stream=read_pieces(request.svc, pieces),
        length=length,
        gone=request.disconnected if length > 1 << 20 else None,
    )


async def put_object(request: SwiftRequest) -> Answer:
    """Data, a copy, a manifest, a symlink, or an archive to unpack."""
    if request.flag("extract-archive"):
        return await bulk.extract_archive(request)
    caller = await request.caller()
    await tempurl.admit(request, caller)
    svc, target, headers = request.svc, request.target, request.headers
    if "x-copy-from" in headers:
        if headers.get("content-length", "0") not in ("0", "") or "transfer-encoding" in headers:
            raise bad_request("Copy requests require a zero byte body")
        source = copies.read_location(target, headers["x-copy-from"], headers.get("x-copy-from-account"), "X-Copy-From")
        return await _copy(request, source, target)
    version = _version(request, caller)
    if version is not None:
        return await _restore(request, caller, version)
    if request.query.get("multipart-manifest", "").lower() == "put":
        return await manifests.put_manifest(request, caller)
    if "x-symlink-target" in headers:
        uploaded = await symlinks.put(svc, caller, target, headers, request.body())
    else:
        uploaded = await uploads.put(svc, caller, target, headers, request.body())
    answer = {"Etag": uploaded.etag, "Last-Modified": http_date(uploaded.modified_us)}
    if headers.get("x-symlink-target-etag") and "x-symlink-target" in headers:
        answer["Content-Location"] = symlinks.location(target, headers)
    return Answer(201, _versioned(answer, uploaded), content_type=HTML)


async def _restore(request: SwiftRequest, caller: Caller, version: str) -> Answer:
    """PUT of an old version: it is current again."""
    if "content-length" not in request.headers and "transfer-encoding" not in request.headers:
        raise SwiftFault(411, "Missing Content-Length header.")
    if request.headers.get("content-length", "0") != "0" or [piece async for piece in request.body()]:
        raise bad_request("PUT version-id requests require a zero byte body")
    row = await object_versions.restore(request.svc, caller, request.target, version)
    return Answer(201, {"Etag": row["etag"], "Last-Modified": http_date(row["modified_us"]), VERSION_ID: version}, content_type=HTML)


async def copy_object(request: SwiftRequest) -> Answer:
    """COPY: to where Destination says."""
    headers = request.headers
    if "destination" not in headers:
        raise SwiftFault(412, "Destination header required")
    to = copies.read_location(request.target, headers["destination"], headers.get("destination-account"), "Destination")
    return await _copy(request, request.target, to)


async def _copy(request: SwiftRequest, source: copies.Location, to: copies.Location) -> Answer:
    caller = await request.caller()
    copied = await copies.copy(
        request.svc,
        caller,
        source,
        to,
        request.headers,
        raw=request.query.get("multipart-manifest", "").lower() == "get",
        follow=request.query.get("symlink", "").lower() != "get",
        version=_version(request, caller),
        part=request.query.get("part-number"),
    )
    answer = {
        "Etag": copied.uploaded.etag,
        "Last-Modified": http_date(copied.uploaded.modified_us),
        "X-Copied-From": quote(f"{source.container}/{source.object}"),
        "X-Copied-From-Account": quote(source.account),
        "X-Copied-From-Last-Modified": http_date(copied.source.modified_us),
        **{name: value for name, value in copied.kept.items() if name.startswith("x-object-meta-")},
    }
    return Answer(201, _versioned(answer, copied.uploaded), content_type=HTML)


async def post_object(request: SwiftRequest) -> Answer:
    """Metadata; an HTML form's upload under a prefix."""
    if formpost.is_form(request):
        return await formpost.upload(request)
    caller = await request.caller()
    await tempurl.admit(request, caller)
    if _version(request, caller) is not None:
        raise bad_request("POST to a specific version is not allowed")
    await objects.update(request.svc, caller, request.target, request.headers)
    return Answer(202, content_type=HTML)


async def delete_object(request: SwiftRequest) -> Answer:
    """204; with `multipart-manifest=delete`, the segments too; with `bulk-delete`, what the body names."""
    if request.flag("bulk-delete"):
        return await bulk.bulk_delete(request)
    caller = await request.caller()
    await tempurl.admit(request, caller)
    if request.query.get("multipart-manifest", "").lower() == "delete":
        return await manifests.delete_with_segments(request, caller)
    return Answer(204, await delete_version(request, caller, request.target, _version(request, caller)), content_type=HTML)


async def delete_version(request: SwiftRequest, caller: Caller, target: Target, version: str | None) -> dict[str, str]:
    """Delete what is current, or one version for good; the headers that tell which."""
    svc = request.svc
    if version is not None and object_versions.read_id(version) is not None:
        current = await object_versions.delete(svc, caller, target, version)
        return {VERSION_ID: version, "X-Object-Current-Version-Id": current}
    row = await objects.place(svc, target) if version is not None else None
    if row is not None and object_versions.is_kept(row.container_headers):
        await object_versions.unlink(svc, caller, target)
        return {}
    marker = await objects.delete(svc, caller, target, request.headers)
    return {VERSION_ID: str(marker)} if marker is not None else {}
