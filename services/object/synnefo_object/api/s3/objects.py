"""Calls on an object: GET, HEAD, PUT, copy, DELETE, tags."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote

from synnefo_object.api.answers import Answer
from synnefo_object.api.s3 import body, xml
from synnefo_object.api.s3.answers import etag, xml_answer
from synnefo_object.api.s3.request import S3Request
from synnefo_object.app.download import read_pieces
from synnefo_object.app.s3 import buckets, objects
from synnefo_object.app.s3.buckets import Bucket, Key
from synnefo_object.app.s3.objects import Put
from synnefo_object.app.segments import cut
from synnefo_object.app.stored import Stored
from synnefo_object.app.versions import Keeping
from synnefo_object.domain.conditions import not_modified, parse_ranges
from synnefo_object.domain.errors import SwiftFault
from synnefo_object.domain.kinds import MULTIPART
from synnefo_object.domain.s3 import metadata
from synnefo_object.domain.s3.errors import S3Fault
from synnefo_object.domain.s3.names import iso_date
from synnefo_object.domain.s3.parts import MAX_NUMBER, Parts
from synnefo_object.domain.times import http_date

# response-… of the query → header
_OVERRIDES = ("content-type", "content-language", "expires", "cache-control", "content-disposition", "content-encoding")
_CONDITIONS = ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since")


def _headers(request: S3Request, bucket: Bucket, stored: Stored) -> dict[str, str]:
    with_checksums = request.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED"
    headers = {
        "Last-Modified": http_date(stored.created_us),
        "ETag": etag(stored.etag),
        "Accept-Ranges": "bytes",
        **metadata.shown_headers(stored.headers, with_checksums=with_checksums),
    }
    if bucket.keeping is not Keeping.NEVER:
        headers["x-amz-version-id"] = stored.version_id
    return headers


def _override(request: S3Request, headers: dict[str, str], content_type: str) -> str:
    """Apply response-…; the content type. Raises InvalidRequest for nobody's request."""
    for name in _OVERRIDES:
        value = request.query.get(f"response-{name}")
        if value is None:
            continue
        if request.signer is None:
            raise S3Fault("InvalidRequest", "Request specific response headers cannot be used for anonymous GET requests.")
        if name == "content-type":
            content_type = value
        else:
            headers[name] = value
    return content_type


def _part(request: S3Request, stored: Stored, headers: dict[str, str]) -> tuple[int, int] | None:
    """The span of `partNumber`; an object that was not uploaded in parts is its own first one. Raises InvalidPartNumber."""
    given = request.query.get("partNumber")
    if given is None:
        return None
    if "range" in request.headers:
        raise S3Fault("InvalidRequest", "Cannot specify both Range header and partNumber query parameter")
    number = int(given) if given.isascii() and given.isdigit() and len(given) < 10 else 0
    if not 0 < number <= MAX_NUMBER:
        shown = {"ArgumentName": "partNumber", "ArgumentValue": given}
        raise S3Fault("InvalidArgument", f"Part number must be an integer between 1 and {MAX_NUMBER}, inclusive", shown=shown)
    if stored.kind != MULTIPART:
        if number != 1:
            raise S3Fault("InvalidPartNumber")
        return (0, stored.size)
    parts = Parts.read(stored.extra)
    span = parts.span(number)
    if span is None:
        raise S3Fault("InvalidPartNumber", shown={"ActualPartCount": str(len(parts.sizes)), "PartNumberRequested": str(number)})
    headers["x-amz-mp-parts-count"] = str(len(parts.sizes))
    return span


async def show_object(request: S3Request) -> Answer:
    """GET and HEAD."""
    key = await request.find_key()
    stored = await objects.load(request.svc, request.caller, key, head=request.method == "HEAD")
    headers = _headers(request, key.bucket, stored)
    conditions = {name: request.headers[name] for name in _CONDITIONS if name in request.headers}
    if "if-match" in conditions:  # a match of the ETag outweighs the date
        conditions.pop("if-unmodified-since", None)
    try:
        if not_modified(conditions, etag=stored.etag, modified_us=stored.created_us):
            return Answer(304, {n: v for n, v in headers.items() if n in ("ETag", "Last-Modified", "x-amz-version-id")}, length=-1)
    except SwiftFault as fault:
        raise S3Fault("PreconditionFailed") from fault
    content_type = _override(request, headers, stored.content_type)
    span = _part(request, stored, headers)
    is_part = span is not None and stored.size > 0
    wanted = request.headers.get("range")
    if wanted and span is None:
        try:
            ranges = parse_ranges(wanted, stored.size)
        except SwiftFault as fault:
            shown = {"RangeRequested": wanted, "ActualObjectSize": str(stored.size)}
            raise S3Fault("InvalidRange", headers={"Content-Range": f"bytes */{stored.size}"}, shown=shown) from fault
        if ranges is not None and len(ranges) == 1:  # several at once are not S3's: the whole is answered
            span, is_part = ranges[0], True
    if span is None or not is_part:
        return _stream(request, headers, stored, content_type, span=None)
    for name in metadata.checksums(headers):  # of the whole: a client would compare it with the part
        del headers[name]
    headers["Content-Range"] = f"bytes {span[0]}-{span[0] + span[1] - 1}/{stored.size}"
    return _stream(request, headers, stored, content_type, span=span)


def _stream(request: S3Request, headers: dict[str, str], stored: Stored, content_type: str, *, span: tuple[int, int] | None) -> Answer:
    status, length = (200, stored.size) if span is None else (206, span[1])
    if request.method == "HEAD" or not length:
        return Answer(status, headers, content_type=content_type, length=length)
    pieces = stored.pieces if span is None else cut(stored.pieces, *span)
    return Answer(
        status,
        headers,
        content_type=content_type,
        stream=read_pieces(request.svc, pieces),
        length=length,
        gone=request.gone if length > 1 << 20 else None,
    )


def put_headers(put: Put) -> dict[str, str]:
    """What tells of new data."""
    headers = {"ETag": etag(put.etag), **put.checksums}
    return headers | ({"x-amz-version-id": put.version_id} if put.version_id else {})


async def put_object(request: S3Request) -> Answer:
    """New data, or a copy."""
    key = await request.find_key()
    if "x-amz-copy-source" in request.headers:
        return await _copy_object(request, key)
    put = await objects.put(request.svc, request.caller, key, request.headers, body.read_payload(request))
    return Answer(200, put_headers(put))


async def read_source(request: S3Request) -> Key:
    """Of x-amz-copy-source. Raises InvalidArgument, NoSuchBucket."""
    text = request.headers["x-amz-copy-source"]
    path, _, query = text.partition("?")
    version = dict(parse_qsl(query)).get("versionId")
    try:
        name, _, key = unquote(path, errors="strict").removeprefix("/").partition("/")
        (name + key).encode()
    except UnicodeError:
        name = key = ""
    if not name or not key or "\x00" in name + key:
        shown = {"ArgumentName": "x-amz-copy-source", "ArgumentValue": text}
        raise S3Fault("InvalidArgument", "Copy Source must mention the source bucket and key: sourcebucket/sourcekey", shown=shown)
    return Key(await buckets.find(request.svc, request.caller, name), key, version)


def source_headers(source: Key, found: Stored) -> dict[str, str]:
    """Which version was copied."""
    return {"x-amz-copy-source-version-id": found.version_id} if source.bucket.keeping is not Keeping.NEVER else {}


async def _copy_object(request: S3Request, key: Key) -> Answer:
    source = await read_source(request)
    put, found = await objects.copy(request.svc, request.caller, source=source, to=key, headers=request.headers)
    headers = source_headers(source, found) | ({"x-amz-version-id": put.version_id} if put.version_id else {})
    inner = [xml.tag("LastModified", iso_date(put.modified_us)), xml.tag("ETag", etag(put.etag)), *checksum_tags(put.checksums)]
    return xml_answer(xml.document("CopyObjectResult", *inner), headers=headers)


def checksum_tags(checksums: Mapping[str, str]) -> list[str]:
    """ChecksumCRC32 and its like, of headers."""
    prefix = "x-amz-checksum-"
    return [xml.tag("Checksum" + ("Type" if name == prefix + "type" else name[len(prefix) :].upper()), value) for name, value in checksums.items()]


async def delete_object(request: S3Request) -> Answer:
    """204, whether there was one or not."""
    deleted = await objects.delete(request.svc, request.caller, await request.find_key(), request.headers)
    headers = {"x-amz-version-id": deleted.version_id} if deleted.version_id else {}
    return Answer(204, headers | ({"x-amz-delete-marker": "true"} if deleted.is_marker else {}))


async def show_tags(request: S3Request) -> Answer:
    """GET ?tagging."""
    key = await request.find_key()
    stored = await objects.load(request.svc, request.caller, key, head=True)
    pairs = metadata.read_tags(stored.headers.get(metadata.TAGGING, ""))
    tags = "".join(xml.tag("Tag", raw=xml.tag("Key", key) + xml.tag("Value", value)) for key, value in pairs)
    headers = {"x-amz-version-id": stored.version_id} if key.bucket.keeping is not Keeping.NEVER else {}
    return xml_answer(xml.document("Tagging", xml.tag("TagSet", raw=tags)), headers=headers)


async def put_tags(request: S3Request) -> Answer:
    """PUT ?tagging."""
    key = await request.find_key()
    return await _set_tags(request, key, read_tag_set(await body.read_small(request)), 200)


def read_tag_set(text: bytes) -> list[tuple[str, str]]:
    """Of a Tagging document. Raises MalformedXML, InvalidTag."""
    found = xml.parse(text, "Tagging").find("TagSet")
    if found is None:
        raise S3Fault("MalformedXML")
    tags = [(tag.exact("Key"), tag.exact("Value")) for tag in found.all("Tag")]
    metadata.check_tags(tags)
    return tags


async def delete_tags(request: S3Request) -> Answer:
    """DELETE ?tagging."""
    return await _set_tags(request, await request.find_key(), [], 204)


async def _set_tags(request: S3Request, key: Key, tags: list[tuple[str, str]], status: int) -> Answer:
    version = await objects.set_tags(request.svc, request.caller, key, tags)
    return Answer(status, {"x-amz-version-id": version} if version else {})
