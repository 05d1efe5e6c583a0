"""The operations as the OpenAPI document shows them. `api.routes` answers them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from synnefo_object.api import info
from synnefo_object.domain.errors import SwiftFault

PATHS = ("/v1/{account}", "/v1/{account}/{container}", "/v1/{account}/{container}/{object}")
TOP, PUBLIC = "/v1/", "/public/{link}"

_PARAMETERS = {
    "account": "`AUTH_` and the project's id for Swift's dialect, the id alone for Pithos'.",
    "container": "The container's name, up to 256 bytes.",
    "object": "The object's name, up to 1024 bytes; it may contain slashes.",
}
_STATUSES = {
    200: "Content or a listing.",
    201: "Created.",
    202: "Accepted.",
    204: "Done; nothing to show.",
    206: "Ranges of the content.",
    304: "Not modified.",
    400: "Something in the request is malformed.",
    401: "A token is needed.",
    403: "Not allowed.",
    404: "There is none.",
    405: "Not a method of this.",
    406: "No such format.",
    409: "In conflict with what is there.",
    411: "Content-Length is missing.",
    412: "A precondition does not hold, or the name is none.",
    413: "Too large, or over a quota.",
    416: "No such range.",
    422: "The ETag does not match the content.",
    507: "No room left.",
}
_OPERATIONS: tuple[tuple[int, str, str, tuple[int, ...]], ...] = (
    (0, "GET", "List an account's containers", (200, 204, 304, 400, 401, 403, 406, 412)),
    (0, "HEAD", "Show an account's totals and metadata", (204, 400, 401, 403, 406, 412)),
    (
        0,
        "POST",
        "Change an account's metadata; with `bulk-delete`, delete many",
        (200, 202, 204, 400, 401, 403, 406, 412, 413),
    ),
    (0, "PUT", "Refused; with `extract-archive`, unpack an archive", (200, 400, 401, 403, 405, 406, 412)),
    (0, "DELETE", "Refused; with `bulk-delete`, delete many", (200, 400, 401, 403, 405, 406, 412, 413)),
    (1, "GET", "List a container's objects", (200, 204, 301, 304, 400, 401, 403, 404, 406, 412)),
    (1, "HEAD", "Show a container's totals and metadata", (204, 400, 401, 403, 404, 406, 412)),
    (1, "PUT", "Create a container, or change its metadata", (200, 201, 202, 400, 401, 403, 406, 412)),
    (1, "POST", "Change a container's metadata, or upload blocks for objects to come", (201, 202, 204, 303, 400, 401, 403, 404, 412, 413)),
    (1, "DELETE", "Delete an empty container", (204, 400, 401, 403, 404, 409, 412)),
    (2, "GET", "Get an object", (200, 206, 304, 400, 401, 403, 404, 409, 412, 416)),
    (2, "HEAD", "Show an object's metadata", (200, 304, 400, 401, 403, 404, 409, 412)),
    (
        2,
        "PUT",
        "Store an object, or copy by `X-Copy-From`",
        (200, 201, 400, 401, 403, 404, 406, 409, 411, 412, 413, 422, 507),
    ),
    (
        2,
        "POST",
        "Change an object's metadata, sharing or, with `update`, data",
        (201, 202, 204, 303, 307, 400, 401, 403, 404, 409, 411, 412, 413, 416, 507),
    ),
    (2, "DELETE", "Delete an object", (200, 204, 400, 401, 403, 404, 406, 409, 412)),
)


_LISTS = {(0, "GET"), (1, "GET")}
_READS = {(2, "GET"), (2, "HEAD")}
_MAKES = {(2, "PUT")}
_QUERIES: dict[str, tuple[str, set[tuple[int, str]]]] = {
    "limit": ("At most so many entries, up to 10000.", _LISTS),
    "marker": ("Only names above this one.", _LISTS),
    "end_marker": ("Only names below this one.", _LISTS),
    "prefix": ("Only names that start so.", _LISTS),
    "delimiter": ("Roll up what follows this text in names.", _LISTS),
    "reverse": ("`true`: from the end.", _LISTS),
    "format": ("`json`, `xml` or `plain`.", {*_LISTS, (2, "GET")}),
    "versions": ("All versions of the objects, as JSON.", {(1, "GET")}),
    "version_marker": ("With `marker`: only versions behind this one.", {(1, "GET")}),
    "version-id": ("One version of the object; with PUT, make it current again.", {*_READS, *_MAKES, (2, "DELETE")}),
    "path": ("Only the objects of this pseudo-folder.", {(1, "GET")}),
    "multipart-manifest": ("`get`, `put` or `delete`: the manifest, not its segments.", {*_READS, *_MAKES, (2, "DELETE")}),
    "symlink": ("`get`: the link itself.", _READS),
    "bulk-delete": ("Delete the paths in the body.", {(0, "POST"), (0, "DELETE")}),
    "extract-archive": ("`tar`, `tar.gz` or `tar.bz2`: unpack the body.", {(0, "PUT"), (1, "PUT"), (2, "PUT")}),
    "temp_url_sig": ("A signature instead of a token.", {*_READS, *_MAKES, (2, "POST"), (2, "DELETE")}),
    "temp_url_expires": ("Until when the signature holds.", {*_READS, *_MAKES, (2, "POST"), (2, "DELETE")}),
    "temp_url_prefix": ("The prefix that is signed.", {*_READS, *_MAKES}),
    "temp_url_ip_range": ("The addresses that may use it.", {*_READS, *_MAKES}),
    "hashmap": ("Pithos: the object by the hashes of its blocks.", {(2, "GET"), *_MAKES}),
    "version": ("Pithos: a version's number, or `list`.", _READS),
    "until": ("Pithos: as it was at this time, or history up to then.", {*_LISTS, (0, "HEAD"), (1, "HEAD"), (1, "DELETE"), (2, "DELETE")}),
    "update": ("Pithos: merge metadata; update data in place.", {(0, "POST"), (1, "POST"), (2, "POST")}),
    "meta": ("Pithos: only objects whose metadata are so.", {(1, "GET")}),
    "shared": ("Pithos: only what is shared.", _LISTS),
    "public": ("Pithos: only what is public.", _LISTS),
    "filename": ("The name that a browser saves it as.", _READS),
}
_HEADERS: dict[str, tuple[str, set[tuple[int, str]]]] = {
    "Range": ("Ranges of bytes.", _READS),
    "If-Match": ("ETags.", {*_READS, *_MAKES, (2, "DELETE")}),
    "If-None-Match": ("ETags; `*` with PUT.", {*_READS, *_MAKES}),
    "If-Modified-Since": ("A time.", _READS),
    "If-Unmodified-Since": ("A time.", {*_READS, (2, "DELETE")}),
    "X-Copy-From": ("Copy this object instead of a body.", _MAKES),
    "X-Move-From": ("Pithos: move this object here.", _MAKES),
    "X-Source-Account": ("Pithos: the account of the source.", {*_MAKES, (2, "POST")}),
    "X-Source-Version": ("Pithos: the version of the source.", {*_MAKES, (2, "POST")}),
    "X-Source-Object": ("Pithos: update with this object's data.", {(2, "POST")}),
    "Content-Range": ("Pithos: the bytes to update; `bytes */*` appends.", {(2, "POST")}),
    "X-Object-Bytes": ("Pithos: cut the object to this size.", {(2, "POST")}),
    "X-Object-Sharing": ("Pithos: who else may `read=` or `write=`.", {*_MAKES, (2, "POST")}),
    "X-Object-Public": ("Pithos: `true`: anybody with the link may read.", {*_MAKES, (2, "POST")}),
    "X-Container-Policy-Versioning": ("Pithos: `auto` or `none`.", {(1, "PUT"), (1, "POST")}),
    "X-Container-Policy-Quota": ("Pithos: the most bytes; 0 for no limit.", {(1, "PUT"), (1, "POST")}),
    "X-Container-Policy-Project": ("Pithos: the project that pays, by a token of its own; empty: the account's.", {(1, "PUT"), (1, "POST")}),
    "X-Copy-From-Account": ("Its account.", _MAKES),
    "X-Fresh-Metadata": ("`true`: leave the source's metadata.", _MAKES),
    "X-Object-Manifest": ("Container and prefix of a dynamic large object's segments.", {*_MAKES, (2, "POST")}),
    "X-Symlink-Target": ("Container and object that this one stands for.", _MAKES),
    "X-Symlink-Target-Etag": ("Its ETag, for a static link.", _MAKES),
    "X-Delete-At": ("When it goes, in seconds since the epoch.", {*_MAKES, (2, "POST")}),
    "X-Delete-After": ("After how many seconds it goes.", {*_MAKES, (2, "POST")}),
    "X-Detect-Content-Type": ("`true`: guess the type by the name.", _MAKES),
    "ETag": ("The MD5 that the data must have.", _MAKES),
    "X-Container-Read": ("Who may read.", {(1, "PUT"), (1, "POST")}),
    "X-Container-Write": ("Who may write.", {(1, "PUT"), (1, "POST")}),
    "X-Versions-Enabled": ("`true`: keep what is replaced and deleted, as versions.", {(1, "PUT"), (1, "POST")}),
    "X-Versions-Location": ("The container for a stack of versions.", {(1, "PUT"), (1, "POST")}),
    "X-History-Location": ("The container for a history of versions.", {(1, "PUT"), (1, "POST")}),
    "X-Storage-Policy": ("The storage policy of a new container: one of those that GET /info lists.", {(1, "PUT")}),
    "X-Account-Access-Control": ("Who else may `read-only`, `read-write` or `admin` all of the account: JSON with lists of ids.", {(0, "POST")}),
    "X-Account-Quota-Bytes": ("The account's quota; for ResellerAdmin.", {(0, "POST")}),
    "X-Account-Quota-Count": ("How many objects the account may have; for ResellerAdmin.", {(0, "POST")}),
    "X-Container-Meta-Quota-Bytes": ("The container's quota.", {(1, "PUT"), (1, "POST")}),
}


def router() -> APIRouter:
    """The operations for the document, and `/info`."""
    made = APIRouter(tags=["swift"])
    for level, method, summary, statuses in _OPERATIONS:
        names = list(_PARAMETERS)[: level + 1]
        parameters = [{"name": n, "in": "path", "required": True, "schema": {"type": "string"}, "description": _PARAMETERS[n]} for n in names]
        for where, known in (("query", _QUERIES), ("header", _HEADERS)):
            parameters += [
                {"name": n, "in": where, "required": False, "schema": {"type": "string"}, "description": text}
                for n, (text, calls) in known.items()
                if (level, method) in calls
            ]
        extra: dict[str, Any] = {"parameters": parameters, "operationId": f"{method.lower()}_{names[-1]}"}
        if method in ("PUT", "POST") and level:
            extra["requestBody"] = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
        path = PATHS[level].replace("{object}", "{object:path}")
        made.add_api_route(
            path,
            _document_only,
            methods=[method],
            summary=summary,
            openapi_extra=extra,
            status_code=statuses[0],
            response_class=Response,
            responses={s: {"description": _STATUSES.get(s, "Elsewhere.")} for s in statuses},
            name=f"{method.lower()}_{names[-1]}",
            operation_id=f"{method.lower()}_{names[-1]}",
        )
    made.add_api_route(
        TOP,
        _document_only,
        methods=["GET"],
        summary="List the accounts that share something with the caller",
        response_class=Response,
        responses={s: {"description": _STATUSES[s]} for s in (204, 401, 406, 412)},
        operation_id="list_sharing_accounts",
    )
    for method in ("GET", "HEAD"):
        made.add_api_route(
            PUBLIC,
            _document_only,
            methods=[method],
            summary="What a public link opens",
            openapi_extra={
                "parameters": [{"name": "link", "in": "path", "required": True, "schema": {"type": "string"}, "description": "The link's id."}]
            },
            response_class=Response,
            responses={s: {"description": _STATUSES[s]} for s in (206, 304, 404, 412, 416)},
            operation_id=f"{method.lower()}_public",
        )
    made.add_api_route(
        "/crossdomain.xml",
        info.show_cross_domain_policy,
        methods=["GET"],
        summary="Which sites' programs may call from a browser",
        response_class=Response,
        responses={404: {"description": _STATUSES[404]}},
        operation_id="show_cross_domain_policy",
    )
    for method in ("GET", "HEAD", "OPTIONS"):
        made.add_api_route(
            "/info",
            info.show_info,
            methods=[method],
            summary="What this object store can do",
            response_class=Response,
            operation_id=f"{method.lower()}_info",
        )
        made.add_api_route(
            "/healthcheck",
            info.healthcheck,
            methods=[method],
            summary="OK",
            response_class=Response,
            operation_id=f"{method.lower()}_healthcheck",
        )
    return made


async def _document_only(_request: Request) -> Response:
    raise SwiftFault(404)
