"""Pithos' calls on an object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from synnefo_archipelago import Range
from synnefo_object.api import objects as swift
from synnefo_object.api import tempurl
from synnefo_object.api.answers import HTML, Answer
from synnefo_object.api.listing_formats import JSON, TEXT, XML
from synnefo_object.api.pithos import formats, links
from synnefo_object.api.request import SwiftRequest
from synnefo_object.app import copies, objects, uploads
from synnefo_object.app.access import Caller
from synnefo_object.app.pithos import hashmaps, history, puts, sharing, transfers, updates
from synnefo_object.app.stored import Stored
from synnefo_object.app.uploads import Changed, Uploaded
from synnefo_object.domain import metadata
from synnefo_object.domain.errors import SwiftFault, bad_request
from synnefo_object.domain.kinds import DLO, PLAIN
from synnefo_object.domain.limits import MAX_FILE_SIZE, MAX_HASHMAP_BODY
from synnefo_object.domain.paths import Target, split_container_object
from synnefo_object.domain.pithos import (
    WRITE,
    read_content_range,
    read_hashmap,
    read_public,
    read_sharing,
    read_size,
    read_time,
    read_version,
    write_sharing,
)
from synnefo_object.domain.times import http_date

_DATA = "application/octet-stream"
_SOURCES = frozenset(("x-copy-from", "x-move-from", "x-source-object"))


async def show_object(request: SwiftRequest) -> Answer:
    """HEAD and GET: data, a hashmap, one version, or the list of versions."""
    svc, target = request.svc, request.target
    wanted = request.query.get("version")
    if wanted == "list" and request.method == "GET":
        return await _list_versions(request)
    is_hashmap = request.flag("hashmap") and request.method == "GET"
    if wanted is None and not is_hashmap:
        answer = await swift.show_object(request)
        return await _finish(request, answer)
    caller = await request.caller()
    await tempurl.admit(request, caller)
    if caller.signed is not None:
        wanted = None  # a signed URL opens what is current, whatever it asks for
    stored = await history.load(svc, caller, target, read_version(wanted)) if wanted is not None else await _own(request, caller)
    await objects.identify(svc, stored)
    answer = swift.respond(request, stored)
    if is_hashmap and answer.status_code in (200, 206):
        kind = formats.format_of(request, JSON)
        kind = JSON if kind == TEXT else kind
        body = formats.hashmap(kind, target.object, stored, await hashmaps.of_stored(svc, stored), svc.stores.of(stored.pool).store.block_size)
        headers = {n: v for n, v in swift.object_headers(stored).items() if n.lower() not in ("content-encoding", "accept-ranges")}
        answer = Answer(200, headers, body, content_type=f"{kind}; charset=utf-8")
    return await _finish(request, answer)


async def _own(request: SwiftRequest, caller: Caller) -> Stored:
    return await objects.load(request.svc, caller, request.target, raw=True)


async def _list_versions(request: SwiftRequest) -> Answer:
    kind = formats.format_of(request)
    if kind == TEXT:
        raise bad_request("No format specified for version list.")
    found = await history.versions_of(request.svc, await request.caller(), request.target)
    return Answer(200, {}, formats.versions(kind, request.target.object, found), content_type=f"{kind}; charset=utf-8")


async def _finish(request: SwiftRequest, answer: Answer) -> Answer:
    """Metadata in ASCII, and how the object is shared."""
    links.set_disposition(request, answer)
    if not request.target.is_pithos:
        return answer
    answer.headers = {n: formats.quoted(v) if n.startswith("x-object-meta-") else v for n, v in answer.headers.items()}
    if answer.status_code in (200, 206) and "version" not in request.query:
        answer.headers |= await _sharing_headers(request)
    return answer


async def _sharing_headers(request: SwiftRequest) -> dict[str, str]:
    svc, target = request.svc, request.target
    caller = await request.caller()
    entries, link = await sharing.of_object(svc, target)
    headers: dict[str, str] = {}
    source = sharing.source_of(entries, target.object)
    if source is not None and caller.reads(target):
        headers["X-Object-Sharing"] = formats.quoted(write_sharing(entries[source].modes))
        if source != target.object:
            headers["X-Object-Shared-By"] = formats.quoted(f"{target.account}/{target.container}/{source}")
    if not caller.reads(target):
        who = await sharing.identities(svc, caller.claims) if caller.claims is not None else []
        headers["X-Object-Allowed-To"] = "write" if sharing.mode_of(entries, target.object, who) == WRITE else "read"
    if link is not None and caller.owns(target):
        headers["X-Object-Public"] = links.prefix(svc) + link
    return headers


def _sharing_of(request: SwiftRequest, caller: Caller) -> tuple[dict[str, int] | None, bool | None]:
    """What the request says of sharing and publishing, which only owners may. Raises 400, 403."""
    given = request.headers.get("x-object-sharing")
    modes = read_sharing(given) if given is not None else None
    public = read_public(request.headers.get("x-object-public"))
    if modes is not None or public is not None:
        caller.require_owner(request.target)
    return modes, public


def _location(request: SwiftRequest, value: str, account: str | None, header: str) -> Target:
    """`/container/object`, percent-encoded. Raises 400, 412."""
    try:
        return copies.read_location(request.target, value, account, header)
    except SwiftFault as fault:
        if request.target.is_pithos and fault.http_status == 412:
            raise bad_request(f"Invalid {header} header") from fault
        raise


def _refuse_sources(caller: Caller, headers: Mapping[str, str]) -> None:
    """A signed URL is for one object: it takes nothing from others. Raises 401."""
    if caller.signed is not None and not _SOURCES.isdisjoint(headers):
        raise caller.refuse()


async def put_object(request: SwiftRequest) -> Answer:
    """Data, a hashmap, a copy or a move."""
    svc, target = request.svc, request.target
    headers = formats.headers_in(request)
    caller = await request.caller()
    await tempurl.admit(request, caller)
    _refuse_sources(caller, headers)
    for header, move in (("x-move-from", True), ("x-copy-from", False)):
        if header in headers:
            account = headers.get("x-source-account") or headers.get("x-copy-from-account")
            source = _location(request, headers[header], account, header.title())
            return await _transfer(request, caller, headers, source, target, move=move)
    if "content-type" not in headers and target.is_pithos:
        await puts.find_place(svc, caller, target, {})  # who may not write here is told that and no more
        raise SwiftFault(411, "Missing Content-Type header")
    place, expected_us = await puts.find_place(svc, caller, target, headers)
    modes, public = _sharing_of(request, caller)
    also = puts.with_sharing(svc, place, target.object, modes=modes, public=public)
    content_type = uploads.choose_content_type(target.object, headers)
    kept = metadata.object_headers(headers)
    if request.flag("hashmap"):
        return await _put_hashmap(request, caller, place, expected_us=expected_us, content_type=content_type, kept=kept, also=also)
    uploaded = await puts.put_data(
        svc,
        caller,
        target,
        headers,
        request.body(),
        place=place,
        expected_us=expected_us,
        content_type=content_type,
        kept=kept,
        manifest=objects.read_manifest_header(headers),
        expires=metadata.delete_at(headers, now_s=svc.now_s()),
        also=also,
    )
    return Answer(201, _made(uploaded), content_type=HTML)


def _made(uploaded: Uploaded) -> dict[str, str]:
    return {"Etag": uploaded.etag, "X-Object-Version": str(uploaded.modified_us), "Last-Modified": http_date(uploaded.modified_us)}


async def _put_hashmap(
    request: SwiftRequest, caller: Caller, place: Any, *, expected_us: int | None, content_type: str, kept: Mapping[str, str], also: puts.Also | None
) -> Answer:
    svc = request.svc
    metadata.check_length(request.headers)
    body = await request.read_body(MAX_HASHMAP_BODY)
    is_xml = formats.format_of(request, JSON) == XML
    hashmap = await svc.stores.run(read_hashmap, body, is_xml=is_xml, block_size=svc.stores.of(place.policy).store.block_size)
    try:
        uploaded = await hashmaps.put(
            svc, caller, request.target, place, hashmap, content_type=content_type, kept=kept, expected_us=expected_us, also=also
        )
    except hashmaps.Missing as missing:
        kind = XML if is_xml else JSON
        return Answer(409, {}, formats.strings(kind, missing.hashes), content_type=f"{kind}; charset=utf-8")
    except Changed:
        raise SwiftFault(412) from None
    return Answer(201, _made(uploaded), content_type=HTML)


async def copy_object(request: SwiftRequest) -> Answer:
    """COPY and MOVE: to where Destination says."""
    headers = formats.headers_in(request)
    if "destination" not in headers:
        raise bad_request("Missing Destination header") if request.target.is_pithos else SwiftFault(412, "Destination header required")
    to = _location(request, headers["destination"], headers.get("destination-account"), "Destination")
    return await _transfer(request, await request.caller(), headers, request.target, to, move=request.method == "MOVE")


async def _transfer(request: SwiftRequest, caller: Caller, headers: dict[str, str], source: Target, to: Target, *, move: bool) -> Answer:
    svc = request.svc
    wanted = headers.get("x-source-version")
    version = read_version(wanted) if wanted and not move else None
    given = metadata.user_metadata(headers, "object")
    public = read_public(headers.get("x-object-public"))
    modes = read_sharing(headers["x-object-sharing"]) if "x-object-sharing" in headers else None
    content_type = headers.get("content-type")
    chosen = None if request.flag("ignore_content_type") or not content_type else objects.clean_content_type(content_type)
    is_copy_call = request.method in ("COPY", "MOVE")
    change = transfers.Change(_merge(headers, given, replace=False), chosen, modes, public, objects.read_manifest_header(headers))
    if not is_copy_call:
        await puts.find_place(svc, caller, to, headers)
    stored_us = await transfers.transfer(
        svc,
        caller,
        source,
        to,
        change,
        move=move,
        delimiter=request.query.get("delimiter", ""),
        version=version,
        check=(lambda row: _check(headers, row, svc.now_s())) if is_copy_call else (lambda _row: None),
    )
    return Answer(201, {"X-Object-Version": str(stored_us)}, content_type=HTML)


def _check(headers: Mapping[str, str], row: Any, now_s: int) -> None:
    puts.check_conditions(headers, row, now_s=now_s)


def _merge(headers: Mapping[str, str], given: Mapping[str, str], *, replace: bool) -> Callable[[dict[str, str]], dict[str, str]]:
    """Old headers to new ones: those given set, empty ones gone, all others gone too if they are to be replaced."""
    wanted = dict(given) | {name: headers[name] for name in metadata.OBJECT_HEADERS if name in headers}
    if not all(metadata.is_clean(value) for value in wanted.values()):
        raise bad_request("Metadata must be valid UTF-8")

    def merge(old: dict[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in old.items() if not replace or name.startswith("x-slo-")}
        merged = {name: value for name, value in (kept | wanted).items() if value != ""}
        metadata.user_metadata({n: v for n, v in merged.items() if n.startswith("x-object-meta-")}, "object")
        return merged

    return merge


async def post_object(request: SwiftRequest) -> Answer:
    """Metadata; or data into the object: what the body has or what another object has."""
    svc, target = request.svc, request.target
    headers = formats.headers_in(request)
    caller = await request.caller()
    await tempurl.admit(request, caller)
    _refuse_sources(caller, headers)
    modes, public = _sharing_of(request, caller)
    replace = not request.flag("update")
    given = metadata.user_metadata(headers, "object")
    merge = _merge(headers, given, replace=replace)
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()

    async def find() -> Any:
        return await puts.find_object(svc, caller, target, headers)

    row = await find()
    also = puts.with_sharing(svc, row, target.object, modes=modes, public=public)
    if kind == _DATA or "x-source-object" in headers:
        uploaded = await _update(request, caller, headers, row, find=find, merge=merge, also=also)
        return Answer(204, _made(uploaded), content_type=HTML)
    is_empty = not given and not any(name in headers for name in (*metadata.OBJECT_HEADERS, "x-object-manifest"))
    if is_empty and (not replace or also is not None):
        if also is not None:
            await puts.set_sharing(svc, caller, target, row, modes=modes, public=public)
        return Answer(202, content_type=HTML)
    manifest = objects.read_manifest_header(headers)

    def kind_of(old: Any) -> tuple[int, str | None]:
        if old.kind not in (PLAIN, DLO) or (not replace and "x-object-manifest" not in headers):
            return old.kind, old.extra
        return (DLO, manifest) if manifest else (PLAIN, None)

    uploaded = await updates.set_metadata(svc, caller, target, find=find, headers=merge, manifest=kind_of, also=also)
    return Answer(202, {"X-Object-Version": str(uploaded.modified_us)}, content_type=HTML)


async def _update(
    request: SwiftRequest, caller: Caller, headers: dict[str, str], row: Any, *, find: Any, merge: Any, also: puts.Also | None
) -> Uploaded:
    svc, target = request.svc, request.target
    wanted = read_content_range(headers.get("content-range"))
    cut_to = read_size(headers.get("x-object-bytes"), "X-Object-Bytes")
    if wanted.offset is not None and wanted.offset > row.size:
        raise SwiftFault(416, "Supplied offset is beyond object limits")
    await history.own_root(svc, row)
    newer_than_us = 0
    if "x-source-object" in headers:
        try:
            container, name = split_container_object(_unquoted(headers["x-source-object"]), "X-Source-Object")
        except SwiftFault as fault:
            raise bad_request("Invalid source object") from fault
        source = Target(headers.get("x-source-account") or target.account, container, name)
        version = headers.get("x-source-version")
        found = await history.row_of(svc, caller, source, read_version(version) if version else None)
        data, newer_than_us = await history.own_root(svc, found), int(found.created_us)
        length = data.size if wanted.length is None else wanted.length
        if length > data.size:
            raise bad_request("Object length is smaller than range length")
        if length < data.size:
            data = await svc.stores.of(found.pool).compose([Range(data, 0, length)])
        data = await svc.stores.bring(data, found.pool, row.policy)
    else:
        length_given = metadata.check_length(headers)
        if wanted.length is not None and length_given is not None and wanted.length != length_given:
            raise bad_request("Content length does not match range length")
        data, _ = await uploads.receive(svc, request.body(), length=length_given, most=MAX_FILE_SIZE, pool=row.policy)
        if wanted.length is not None and data.size != wanted.length:
            raise bad_request("Content length does not match range length")
    return await updates.update(
        svc,
        caller,
        target,
        find=find,
        data=data,
        wanted=wanted,
        cut_to=cut_to,
        headers=merge,
        also=also,
        newer_than_us=newer_than_us,
    )


def _unquoted(value: str) -> str:
    from urllib.parse import unquote

    return unquote(value, errors="surrogateescape")


async def delete_object(request: SwiftRequest) -> Answer:
    """The object; with `delimiter` all below it, too; with `until` its history up to then."""
    svc, target, caller = request.svc, request.target, await request.caller()
    until_us = read_time(request.query.get("until"))
    if until_us is not None:
        await history.purge_object(svc, caller, target, until_us)
    elif request.query.get("delimiter"):
        await transfers.delete_below(svc, caller, target, request.query["delimiter"])
    else:
        await objects.delete(svc, caller, target, request.headers)
    return Answer(204, content_type=HTML)
