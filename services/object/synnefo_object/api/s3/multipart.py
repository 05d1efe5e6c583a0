"""Calls on multipart uploads."""

from __future__ import annotations

from synnefo_object.api.answers import Answer
from synnefo_object.api.s3 import body, xml
from synnefo_object.api.s3.answers import etag, xml_answer
from synnefo_object.api.s3.objects import checksum_tags, read_source, source_headers
from synnefo_object.api.s3.request import S3Request
from synnefo_object.app.s3 import multipart
from synnefo_object.app.s3.multipart import PartKey, Wanted, WantedPart
from synnefo_object.domain.s3 import checksums
from synnefo_object.domain.s3.errors import S3Fault
from synnefo_object.domain.s3.names import iso_date
from synnefo_object.domain.s3.parts import MAX_NUMBER

_MOST = 1000


async def initiate(request: S3Request) -> Answer:
    """POST ?uploads."""
    upload_id = await multipart.initiate(request.svc, request.caller, await request.find_key(), request.headers)
    asked = multipart.read_checksum(request.headers)
    headers = {"x-amz-checksum-algorithm": asked[0].name, "x-amz-checksum-type": asked[1]} if asked else {}
    inner = [xml.tag("Bucket", request.bucket), xml.tag("Key", request.key), xml.tag("UploadId", upload_id)]
    return xml_answer(xml.document("InitiateMultipartUploadResult", *inner), headers=headers)


def _number(request: S3Request) -> int:
    text = request.query.get("partNumber", "")
    return multipart.check_number(int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0)


async def put_part(request: S3Request) -> Answer:
    """PUT with `partNumber` and `uploadId`: data, or a copy of some."""
    number = _number(request)
    part = PartKey(await request.find_key(), request.query["uploadId"], number)
    if "x-amz-copy-source" in request.headers:
        source = await read_source(request)
        received, when, found = await multipart.copy_part(request.svc, request.caller, source=source, to=part, headers=request.headers)
        inner = [xml.tag("LastModified", iso_date(when)), xml.tag("ETag", etag(received.md5))]
        return xml_answer(xml.document("CopyPartResult", *inner), headers=source_headers(source, found))
    payload = body.read_payload(request)
    received = await multipart.put_part(request.svc, request.caller, part, payload)
    headers = {"ETag": etag(received.md5)}
    if payload.algorithm is not None and received.checksum:
        headers[payload.algorithm.header] = received.checksum
    return Answer(200, headers)


async def complete(request: S3Request) -> Answer:
    """POST ?uploadId."""
    key = await request.find_key()
    document = xml.parse(await _read(request), "CompleteMultipartUpload")
    wanted = []
    for part in document.all("Part"):
        text = part.value("PartNumber")
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise S3Fault("MalformedXML")
        given = {child.name: child.text.strip() for child in part.children if child.name.startswith("Checksum")}
        wanted.append(WantedPart(multipart.check_number(int(text)), part.value("ETag").strip('"'), given))
    if not 0 < len(wanted) <= MAX_NUMBER:
        raise S3Fault("MalformedXML")
    put = await multipart.complete(request.svc, request.caller, key, Wanted(request.query["uploadId"], wanted), request.headers)
    location = f"{request.scope['scheme']}://{request.headers.get('host', '')}{request.scope['path']}"
    inner = [xml.tag("Location", location), xml.tag("Bucket", request.bucket), xml.tag("Key", request.key), xml.tag("ETag", etag(put.etag))]
    headers = {"x-amz-version-id": put.version_id} if put.version_id else {}
    return xml_answer(xml.document("CompleteMultipartUploadResult", *inner, *checksum_tags(put.checksums)), headers=headers)


async def _read(request: S3Request) -> bytes:
    """The body; the checksum headers beside it are the object's, not its own."""
    kept = request.headers
    request.headers = {name: value for name, value in kept.items() if not name.startswith(checksums.PREFIX)}
    try:
        return await body.read_small(request)
    finally:
        request.headers = kept


async def abort(request: S3Request) -> Answer:
    """DELETE ?uploadId."""
    await multipart.abort(request.svc, request.caller, await request.find_key(), request.query["uploadId"])
    return Answer(204)


async def list_parts(request: S3Request) -> Answer:
    """GET ?uploadId."""
    key = await request.find_key()
    limit, after = request.number("max-parts", _MOST, most=_MOST), request.number("part-number-marker", 0, most=2**31 - 1)
    upload_id = request.query["uploadId"]
    upload, rows = await multipart.parts(request.svc, request.caller, key, upload_id, after=after, limit=limit + 1)
    is_truncated, rows = len(rows) > limit, rows[:limit]
    algorithm, _, kind = upload.checksum.partition(" ")
    inner = [xml.tag("Bucket", request.bucket), xml.tag("Key", request.key), xml.tag("UploadId", upload_id)]
    inner += [xml.owner(upload.user_id, "Initiator"), xml.owner(key.bucket.project_id), xml.tag("StorageClass", "STANDARD")]
    inner += [xml.tag("ChecksumAlgorithm", algorithm), xml.tag("ChecksumType", kind)] if algorithm else []
    inner += [xml.tag("PartNumberMarker", after), xml.tag("NextPartNumberMarker", rows[-1].number if rows else 0)]
    inner += [xml.tag("MaxParts", limit), xml.tag("IsTruncated", is_truncated)]
    for row in rows:
        shown = xml.tag("PartNumber", row.number) + xml.tag("LastModified", iso_date(row.created_us))
        checksum = xml.tag("Checksum" + algorithm, row.checksum) if algorithm and row.checksum else ""
        inner.append(xml.tag("Part", raw=shown + xml.tag("ETag", etag(row.etag)) + xml.tag("Size", row.size) + checksum))
    return xml_answer(xml.document("ListPartsResult", *inner))
