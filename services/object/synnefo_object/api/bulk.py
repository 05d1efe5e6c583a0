"""Bulk delete and archive extraction: many objects in one request, one report as the body."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import IO, Any
from urllib.parse import unquote_to_bytes
from xml.sax.saxutils import escape

import orjson

from synnefo_common.errors import Fault
from synnefo_object.api.answers import Answer, render_fault, title_of
from synnefo_object.api.listing_formats import JSON, TEXT, XML
from synnefo_object.api.request import SwiftRequest
from synnefo_object.app import containers, objects, uploads
from synnefo_object.app.access import Caller
from synnefo_object.domain import limits
from synnefo_object.domain.errors import SwiftFault, bad_request
from synnefo_object.domain.paths import Target, check_container_name, decode_name

_MAX_PATH = 3 * (limits.MAX_CONTAINER_NAME_LENGTH + limits.MAX_OBJECT_NAME_LENGTH) + 3
_MODES = {"tar": "r:", "tar.gz": "r:gz", "tar.bz2": "r:bz2"}


def report_type(request: SwiftRequest) -> str:
    """The content type of a report, by Accept. Raises 406."""
    accept = request.headers.get("accept", "")
    for kind in (JSON, XML, "text/xml"):
        if kind in accept:
            return kind
    if accept and TEXT not in accept and "*/*" not in accept and "text/*" not in accept:
        raise SwiftFault(406)
    return TEXT


def report(kind: str, figures: dict[str, Any], errors: Sequence[tuple[str, str]], *, root: str) -> Answer:
    """The answer with `figures` in order, and errors as (path, status)."""
    if kind == JSON:
        body = orjson.dumps({**figures, "Errors": [list(e) for e in errors]})
        return Answer(200, body=body, content_type=JSON)
    if kind != TEXT:
        lines = [f"<{root}>"]
        for name, value in figures.items():
            tag = name.lower().replace(" ", "_")
            lines.append(f"<{tag}>{escape(str(value))}</{tag}>")
        lines.append("<errors>")
        for path, status in errors:
            lines.append(f"<object><name>{escape(path)}</name><status>{escape(status)}</status></object>")
        lines += ["</errors>", f"</{root}>"]
        return Answer(200, body="\n".join(lines).encode(), content_type=kind)
    lines = [f"{name}: {value}" for name, value in figures.items()]
    lines.append("Errors:")
    lines += [f"{path}, {status}" for path, status in errors]
    return Answer(200, body=("\n".join(lines) + "\n").encode(), content_type=TEXT)


def _status(fault: Fault) -> str:
    status = render_fault(fault).status_code
    return f"{status} {title_of(status)}"


async def bulk_delete(request: SwiftRequest) -> Answer:
    """`bulk-delete`: one path in each line of the body."""
    report_type(request)
    caller = await request.caller()
    if caller.claims is None:
        raise caller.refuse()
    if "content-length" not in request.headers and "transfer-encoding" not in request.headers:
        raise SwiftFault(411)
    body = await request.read_body(limits.MAX_DELETES_PER_REQUEST * _MAX_PATH)
    lines = [line.strip() for line in body.split(b"\n")]
    paths: list[bytes] = [line for line in lines if line]
    if len(paths) > limits.MAX_DELETES_PER_REQUEST:
        raise SwiftFault(413, f"Maximum Bulk Deletes: {limits.MAX_DELETES_PER_REQUEST} per request")
    return await delete_paths(request, caller, [unquote_to_bytes(p) for p in paths])


async def delete_paths(request: SwiftRequest, caller: Caller, paths: Sequence[str | bytes], *, version: str | None = None) -> Answer:
    """Delete each `/container[/object]` of the request's account, of the last one that `version`; the report."""
    from synnefo_object.api.objects import delete_version

    kind = report_type(request)
    deleted = missing = 0
    errors: list[tuple[str, str]] = []
    worst = 0
    for index, raw in enumerate(paths, start=1):
        shown = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
        try:
            path = decode_name(raw) if isinstance(raw, bytes) else raw
            container, _, name = path.lstrip("/").partition("/")
            if not container or len(path.encode()) > _MAX_PATH:
                raise SwiftFault(400 if container else 412)
            target = Target(request.target.account, container, name)
            if name and version is not None and index == len(paths):
                await delete_version(request, caller, target, version)
            elif name:
                await objects.delete(request.svc, caller, target, {})
            else:
                await containers.delete(request.svc, caller, target)
            deleted += 1
        except Fault as fault:
            if fault.http_status == 404:
                missing += 1
                continue
            errors.append((shown, _status(fault)))
            worst = max(worst, fault.http_status)
            if fault.http_status == 401:
                break
        if len(errors) >= limits.MAX_FAILED_DELETES:
            break
    summary, body = "200 OK", ""
    if errors:
        summary = "400 Bad Request" if worst < 500 else "502 Bad Gateway"
        if worst == 401:
            summary = "401 Unauthorized"
    elif not deleted and not missing:
        summary, body = "400 Bad Request", "Invalid bulk delete."
    figures = {
        "Number Deleted": deleted,
        "Number Not Found": missing,
        "Response Body": body,
        "Response Status": summary,
    }
    return report(kind, figures, errors, root="delete")


async def extract_archive(request: SwiftRequest) -> Answer:
    """`extract-archive=tar|tar.gz|tar.bz2`: each file of the archive becomes an object below the path."""
    kind = report_type(request)
    caller = await request.caller()
    if caller.claims is None:
        raise caller.refuse()
    mode = _MODES.get(request.query["extract-archive"].lower().strip("."))
    if mode is None:
        raise bad_request("Unsupported archive format")
    if "content-length" not in request.headers and "transfer-encoding" not in request.headers:
        raise SwiftFault(411)
    with tempfile.SpooledTemporaryFile(max_size=1 << 20) as spool:
        received = 0
        async for piece in request.body():
            received += len(piece)
            if received > limits.MAX_FILE_SIZE:
                raise SwiftFault(413)
            await request.svc.stores.run(spool.write, piece)
        spool.seek(0)
        created, errors, refused = await _extract(request, caller, spool, mode)
    summary, body = "201 Created", ""
    if refused is not None:
        summary, body = refused
    elif errors:
        summary = "400 Bad Request"
        if any(status.startswith("401") for _, status in errors):
            summary = "401 Unauthorized"
    elif not created:
        summary, body = "400 Bad Request", "Invalid Tar File: No Valid Files"
    figures = {"Number Files Created": created, "Response Body": body, "Response Status": summary}
    return report(kind, figures, errors, root="extract")


async def _extract(request: SwiftRequest, caller: Caller, spool: IO[bytes], mode: str) -> tuple[int, list[tuple[str, str]], tuple[str, str] | None]:
    svc = request.svc
    base = "/".join(p for p in (request.target.container, request.target.object) if p)
    known: set[str] = set()
    created = 0
    errors: list[tuple[str, str]] = []
    try:
        archive = await svc.stores.run(_open_archive, spool, mode)
        while True:
            member = await svc.stores.run(archive.next)
            if member is None:
                break
            if not member.isfile():
                continue
            name = member.name.removeprefix("./").lstrip("/")
            path = f"{base}/{name}" if base else name
            container, _, object_name = path.partition("/")
            if not object_name:
                continue
            try:
                decode_name(path.encode("utf-8", "surrogateescape"))
                target = Target(request.target.account, container, object_name)
                if container not in known:
                    check_container_name(container)
                    if len(known) >= limits.MAX_CONTAINERS_PER_EXTRACTION:
                        raise bad_request("Too many containers in archive.")
                    if caller.writes(target):
                        await containers.put(svc, caller, replace(target, object=""), {})
                    known.add(container)
                headers = {"content-length": str(member.size), **_pax_headers(member)}
                source = archive.extractfile(member)
                assert source is not None
                await uploads.put(svc, caller, target, headers, _read(request, source))
                created += 1
            except Fault as fault:
                errors.append((path.encode("utf-8", "replace").decode(), _status(fault)))
                if fault.http_status == 401 or len(errors) >= limits.MAX_FAILED_EXTRACTIONS:
                    break
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        return created, errors, ("400 Bad Request", f"Invalid Tar File: {str(error)[:200]}")
    return created, errors, None


def _open_archive(spool: IO[bytes], mode: str) -> tarfile.TarFile:
    # Closing it would free nothing: the spool is the caller's.
    opened: tarfile.TarFile = tarfile.open(fileobj=spool, mode=mode)  # type: ignore[call-overload]  # noqa: SIM115
    return opened


def _pax_headers(member: tarfile.TarInfo) -> dict[str, str]:
    """Extended attributes in which an archive can carry content type and metadata."""
    headers: dict[str, str] = {}
    for key, value in member.pax_headers.items():
        name = key.removeprefix("SCHILY.xattr.user.").removeprefix("LIBARCHIVE.xattr.user.")
        if name == key:
            continue
        if name == "mime_type":
            headers["content-type"] = value
        elif name.startswith("meta."):
            headers[f"x-object-meta-{name[5:]}".lower()] = value
    return headers


async def _read(request: SwiftRequest, source: IO[bytes]) -> AsyncIterator[bytes]:
    while piece := await request.svc.stores.run(source.read, 1 << 20):
        yield piece
