"""The operations as the OpenAPI document shows them. `api.s3.dispatch` answers them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from synnefo_object.domain.errors import SwiftFault

PATHS = ("/s3/", "/s3/{bucket}", "/s3/{bucket}/{key}")
_NAMES = (("bucket", "The bucket's name."), ("key", "The object's key; it may contain slashes."))
_STATUSES = {
    200: "Done; content or an XML document.",
    201: "Made; an XML document where it was asked for.",
    204: "Done; nothing to show.",
    206: "A range or a part of the content.",
    303: "Done; where the form wants to go.",
    304: "Not modified.",
    400: "Something in the request is malformed.",
    403: "Not signed, wrongly signed, or not allowed.",
    404: "There is none.",
    405: "Not a method of this.",
    409: "In conflict with what is there.",
    411: "Content-Length is missing.",
    412: "A precondition does not hold.",
    416: "No such range or part.",
    501: "S3 has it, this cloud has not.",
    503: "Try again later.",
    507: "No room left.",
}
_ALWAYS = (400, 403, 405, 501, 503)
_LISTS = ("prefix", "delimiter", "encoding-type", "max-keys", "marker", "list-type", "start-after", "continuation-token", "fetch-owner")
_OVERRIDES = ("content-type", "content-language", "expires", "cache-control", "content-disposition", "content-encoding")
_CONDITIONS = ("If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since")
_COPY = ("x-amz-copy-source", "x-amz-copy-source-range", "x-amz-metadata-directive", "x-amz-tagging-directive")
# level, method, summary, statuses, query parameters, headers
_OPERATIONS: tuple[tuple[int, str, str, tuple[int, ...], tuple[str, ...], tuple[str, ...]], ...] = (
    (0, "GET", "List the project's buckets", (200,), ("prefix", "max-buckets", "continuation-token"), ()),
    (
        1,
        "GET",
        "List a bucket's objects; with `versions`, `uploads`, `acl`, `location` or `versioning`, that",
        (200, 404),
        (*_LISTS, "versions", "key-marker", "version-id-marker", "uploads", "upload-id-marker", "max-uploads", "acl", "location", "versioning"),
        (),
    ),
    (1, "HEAD", "See whether a bucket is there", (200, 404), (), ()),
    (
        1,
        "PUT",
        "Create a bucket; with `acl` or `versioning`, set that",
        (200, 404, 409, 411),
        ("acl", "versioning"),
        ("x-amz-acl", "x-amz-bucket-object-lock-enabled"),
    ),
    (1, "POST", "Delete many objects (`delete`), or upload one by a form", (200, 201, 204, 303, 404, 411, 412), ("delete",), ("Content-MD5",)),
    (1, "DELETE", "Delete an empty bucket", (204, 404, 409), (), ()),
    (
        2,
        "GET",
        "Get an object; with `uploadId`, list its parts; with `tagging` or `acl`, show that",
        (200, 206, 304, 404, 409, 412, 416),
        ("versionId", "partNumber", *(f"response-{n}" for n in _OVERRIDES), "uploadId", "max-parts", "part-number-marker", "tagging", "acl"),
        ("Range", *_CONDITIONS, "x-amz-checksum-mode"),
    ),
    (2, "HEAD", "Show an object's metadata", (200, 206, 304, 404, 409, 412, 416), ("versionId", "partNumber"), ("Range", *_CONDITIONS)),
    (
        2,
        "PUT",
        "Store an object or a part, copy one, or set tags",
        (200, 404, 409, 411, 412, 416, 507),
        ("partNumber", "uploadId", "tagging", "acl", "versionId"),
        ("x-amz-acl", "x-amz-tagging", "Content-MD5", "x-amz-content-sha256", "x-amz-decoded-content-length", "If-Match", "If-None-Match", *_COPY),
    ),
    (
        2,
        "POST",
        "Begin (`uploads`) or complete (`uploadId`) a multipart upload",
        (200, 404, 409, 411, 412),
        ("uploads", "uploadId"),
        ("x-amz-checksum-algorithm", "x-amz-checksum-type", "If-None-Match"),
    ),
    (
        2,
        "DELETE",
        "Delete an object or a version, abort an upload, or remove tags",
        (204, 404, 409, 412),
        ("versionId", "uploadId", "tagging"),
        ("If-Match",),
    ),
)


def _parameter(name: str, where: str, text: str) -> dict[str, Any]:
    return {"name": name, "in": where, "required": where == "path", "schema": {"type": "string"}, "description": text}


def router() -> APIRouter:
    """The operations for the document."""
    made = APIRouter(tags=["s3"])
    for level, method, summary, statuses, queries, headers in _OPERATIONS:
        parameters = [_parameter(name, "path", text) for name, text in _NAMES[:level]]
        parameters += [_parameter(name, "query", "As in S3.") for name in queries] + [_parameter(name, "header", "As in S3.") for name in headers]
        extra: dict[str, Any] = {"parameters": parameters}
        if level and method in ("PUT", "POST"):
            kind = "application/octet-stream" if level == 2 and method == "PUT" else "application/xml"
            extra["requestBody"] = {"content": {kind: {"schema": {"type": "string", "format": "binary"}}}}
        operation = f"{method.lower()}_s3_{('service', 'bucket', 'object')[level]}"
        made.add_api_route(
            PATHS[level].replace("{key}", "{key:path}"),
            _document_only,
            methods=[method],
            summary=summary,
            openapi_extra=extra,
            status_code=statuses[0],
            response_class=Response,
            responses={s: {"description": _STATUSES[s]} for s in sorted({*statuses, *_ALWAYS})},
            name=operation,
            operation_id=operation,
        )
    return made


async def _document_only(_request: Request) -> Response:
    raise SwiftFault(404)
