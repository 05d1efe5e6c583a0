"""Listings of a bucket: objects (both versions of the call), versions, uploads under way."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from typing import Any
from urllib.parse import quote

import orjson

from synnefo_object.api.answers import Answer
from synnefo_object.api.s3 import xml
from synnefo_object.api.s3.answers import etag, xml_answer
from synnefo_object.api.s3.request import S3Request
from synnefo_object.app import containers
from synnefo_object.app.s3 import multipart, versions
from synnefo_object.app.s3.buckets import Key
from synnefo_object.domain.kinds import MARKER, SLO
from synnefo_object.domain.listing import Query, rolled_up
from synnefo_object.domain.paths import successor
from synnefo_object.domain.s3.errors import invalid
from synnefo_object.domain.s3.names import iso_date, read_version

_MOST = 1000


class _Names:
    """How keys are shown: plain, or with `encoding-type=url`."""

    def __init__(self, request: S3Request) -> None:
        given = request.query.get("encoding-type")
        if given not in (None, "url"):
            raise invalid("Invalid Encoding Method specified in Request")
        self.encodes = given == "url"

    def tag(self, name: str, value: str) -> str:
        return xml.tag(name, quote(value, safe="/-_.~*()!'") if self.encodes else value)

    def note(self) -> list[str]:
        return [xml.tag("EncodingType", "url")] if self.encodes else []


def _object(names: _Names, row: Any, owner_id: str | None) -> str:
    size, tag = row.size, row.etag
    if row.kind == SLO:
        kept = orjson.loads(row.headers)
        size, tag = int(kept.get("x-slo-size", size)), kept.get("x-slo-etag", tag)
    inner = names.tag("Key", row.name) + xml.tag("LastModified", iso_date(row.created_us)) + xml.tag("ETag", etag(tag)) + xml.tag("Size", size)
    return inner + (xml.owner(owner_id) if owner_id else "") + xml.tag("StorageClass", "STANDARD")


def _prefixes(names: _Names, found: list[str]) -> list[str]:
    return [xml.tag("CommonPrefixes", raw=names.tag("Prefix", folder)) for folder in found]


async def list_objects(request: S3Request) -> Answer:
    """GET, in the first form or with `list-type=2`."""
    query, names = request.query, _Names(request)
    is_second = query.get("list-type") == "2"
    if not is_second and query.get("list-type", "1") != "1":
        raise invalid("Invalid List Type specified in Request")
    limit = request.number("max-keys", _MOST, most=_MOST)
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    marker = query.get("marker", "") if not is_second else query.get("start-after", "")
    token = query.get("continuation-token") if is_second else None
    if token is not None:
        try:
            marker = urlsafe_b64decode(token.encode()).decode()
        except (Base64Error, ValueError):
            raise invalid("The continuation token provided is incorrect") from None
    if "\x00" in marker + prefix + delimiter:
        raise invalid("A name cannot contain NUL.")
    bucket = await request.find_bucket()
    view = await containers.show(
        request.svc, request.caller, bucket.target(), Query(limit + 1 if limit else 0, marker=marker, prefix=prefix, delimiter=delimiter)
    )
    entries = view.entries or []
    is_truncated = len(entries) > limit
    entries = entries[:limit]
    owner_id = bucket.project_id if not is_second or query.get("fetch-owner", "").lower() == "true" else None
    inner = [xml.tag("Name", request.bucket), names.tag("Prefix", prefix), xml.tag("MaxKeys", limit)]
    inner += [names.tag("Delimiter", delimiter)] if delimiter else []
    inner += [*names.note(), xml.tag("IsTruncated", is_truncated)]
    last = (entries[-1][0] or entries[-1][1].name) if entries else ""
    if is_second:
        inner.append(xml.tag("KeyCount", len(entries)))
        inner += [xml.tag("ContinuationToken", token)] if token is not None else []
        inner += [names.tag("StartAfter", query["start-after"])] if query.get("start-after") else []
        inner += [xml.tag("NextContinuationToken", urlsafe_b64encode(last.encode()).decode())] if is_truncated else []
    else:
        inner.append(names.tag("Marker", marker))
        inner += [names.tag("NextMarker", last)] if is_truncated and delimiter else []
    inner += [xml.tag("Contents", raw=_object(names, row, owner_id)) for folder, row in entries if folder is None]
    inner += _prefixes(names, [folder for folder, _ in entries if folder is not None])
    return xml_answer(xml.document("ListBucketResult", *inner))


async def list_versions(request: S3Request) -> Answer:
    """GET ?versions."""
    query, names = request.query, _Names(request)
    limit = request.number("max-keys", _MOST, most=_MOST)
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    marker, version = query.get("key-marker", ""), query.get("version-id-marker", "")
    if version:
        read_version(version)
    if version and not marker:
        raise invalid("A version-id marker cannot be specified without a key marker.")
    bucket = await request.find_bucket()
    place = await versions.place_of(request.svc, Key(bucket, marker), version) if version else None
    wanted = Query(limit + 1 if limit else 0, marker="" if place else marker, prefix=prefix, delimiter=delimiter)
    entries = await versions.page(request.svc, request.caller, bucket, wanted, place)
    is_truncated = len(entries) > limit
    entries = entries[:limit]
    inner = [xml.tag("Name", request.bucket), names.tag("Prefix", prefix), names.tag("KeyMarker", marker), xml.tag("VersionIdMarker", version)]
    inner += [xml.tag("MaxKeys", limit)] + ([names.tag("Delimiter", delimiter)] if delimiter else [])
    inner += [*names.note(), xml.tag("IsTruncated", is_truncated)]
    if is_truncated and entries:
        folder, row = entries[-1]
        inner.append(names.tag("NextKeyMarker", folder or row.name))
        inner += [xml.tag("NextVersionIdMarker", versions.id_of(row))] if folder is None else []
    for folder, row in entries:
        if folder is not None:
            continue
        head = names.tag("Key", row.name) + xml.tag("VersionId", versions.id_of(row)) + xml.tag("IsLatest", bool(row.is_latest))
        if row.kind == MARKER:
            inner.append(xml.tag("DeleteMarker", raw=head + xml.tag("LastModified", iso_date(row.created_us)) + xml.owner(bucket.project_id)))
        else:
            shown = _object(names, row, bucket.project_id)
            inner.append(xml.tag("Version", raw=head + shown[shown.index("<LastModified>") :]))
    inner += _prefixes(names, [folder for folder, _ in entries if folder is not None])
    return xml_answer(xml.document("ListVersionsResult", *inner))


async def list_uploads(request: S3Request) -> Answer:
    """GET ?uploads."""
    query, names = request.query, _Names(request)
    limit = request.number("max-uploads", _MOST, most=_MOST)
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    marker, id_marker = query.get("key-marker", ""), query.get("upload-id-marker", "") if query.get("key-marker") else ""
    bucket = await request.find_bucket()
    shape = Query(limit, prefix=prefix, delimiter=delimiter)
    start, before = prefix, successor(prefix) if prefix else None
    after: tuple[str, str] | None = (marker, id_marker) if marker else None
    entries: list[tuple[str | None, Any]] = []
    while len(entries) <= limit:  # one page of rows, and one more for each folder that hides the rest of it
        rows = await multipart.page(request.svc, request.caller, bucket, start=start, after=after, before=before, limit=limit + 1)
        for row in rows:
            folder = rolled_up(row.name, shape)
            if folder is None or folder != marker:
                entries.append((folder, row))
            if folder is not None:
                start, after = successor(folder) or folder, None
                break
        else:
            break
    is_truncated = len(entries) > limit
    entries = entries[:limit]
    inner = [xml.tag("Bucket", request.bucket), names.tag("KeyMarker", marker), xml.tag("UploadIdMarker", id_marker)]
    if is_truncated and entries:
        folder, row = entries[-1]
        inner += [names.tag("NextKeyMarker", folder or row.name), xml.tag("NextUploadIdMarker", "" if folder else row.id)]
    inner += [names.tag("Prefix", prefix)] if prefix else []
    inner += [names.tag("Delimiter", delimiter)] if delimiter else []
    inner += [*names.note(), xml.tag("MaxUploads", limit), xml.tag("IsTruncated", is_truncated)]
    for folder, row in entries:
        if folder is None:
            who = xml.owner(row.user_id, "Initiator") + xml.owner(bucket.project_id)
            shown = names.tag("Key", row.name) + xml.tag("UploadId", row.id) + who + xml.tag("StorageClass", "STANDARD")
            algorithm, _, kind = row.checksum.partition(" ")
            more = xml.tag("ChecksumAlgorithm", algorithm) + xml.tag("ChecksumType", kind) if algorithm else ""
            inner.append(xml.tag("Upload", raw=shown + xml.tag("Initiated", iso_date(row.created_us)) + more))
    inner += _prefixes(names, [folder for folder, _ in entries if folder is not None])
    return xml_answer(xml.document("ListMultipartUploadsResult", *inner))
