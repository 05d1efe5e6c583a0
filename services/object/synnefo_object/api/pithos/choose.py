"""Which calls are Pithos': all on accounts in its spelling but Swift's own extensions; in Swift's spelling those that
use what only Pithos has.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from synnefo_object.api import formpost
from synnefo_object.api.answers import Answer
from synnefo_object.api.pithos import containers, forms, objects
from synnefo_object.api.request import SwiftRequest

Handler = Callable[[SwiftRequest], Awaitable[Answer]]

HANDLERS: tuple[dict[str, Handler], ...] = (
    {"GET": containers.show_account, "HEAD": containers.show_account, "POST": containers.post_account},
    {
        "GET": containers.show_container,
        "HEAD": containers.show_container,
        "PUT": containers.put_container,
        "POST": containers.post_container,
        "DELETE": containers.delete_container,
    },
    {
        "GET": objects.show_object,
        "HEAD": objects.show_object,
        "PUT": objects.put_object,
        "POST": objects.post_object,
        "COPY": objects.copy_object,
        "MOVE": objects.copy_object,
        "DELETE": objects.delete_object,
    },
)
# Swift's extensions work in both spellings.
_SWIFT_QUERIES = frozenset(("bulk-delete", "extract-archive", "multipart-manifest", "symlink", "versions", "version-id"))
_SWIFT_HEADERS = frozenset(("x-symlink-target",))
# What makes a call Pithos' in Swift's spelling: by level and method, query parameters and headers (or their beginnings).
_READS = (
    ("until", "shared", "public"),
    ("until", "shared", "public", "meta"),
    ("hashmap", "version"),
)
_WRITES: dict[tuple[int, str], tuple[tuple[str, ...], tuple[str, ...]]] = {
    (0, "POST"): (("update",), ("x-account-group-",)),
    (1, "PUT"): ((), ("x-container-policy-",)),
    (1, "POST"): (("update",), ("x-container-policy-",)),
    (1, "DELETE"): (("until", "delimiter"), ()),
    (2, "PUT"): (("hashmap", "delimiter"), ("x-move-from", "x-source-account", "x-source-version", "x-object-sharing", "x-object-public")),
    (2, "POST"): (("update",), ("x-object-sharing", "x-object-public", "x-source-object", "content-range")),
    (2, "COPY"): (("delimiter", "ignore_content_type"), ("x-source-version", "x-object-sharing", "x-object-public")),
    (2, "MOVE"): ((), ("",)),
    (2, "DELETE"): (("until", "delimiter"), ()),
}


def choose(request: SwiftRequest, level: int) -> Handler | None:
    """Pithos' handler, or None for Swift's."""
    handler = HANDLERS[level].get(request.method)
    query, headers = request.query, request.headers
    if level == 2 and forms.is_form(request):
        return forms.upload
    if handler is None or not _SWIFT_QUERIES.isdisjoint(query) or not _SWIFT_HEADERS.isdisjoint(headers) or formpost.is_form(request):
        return None
    if request.target.is_pithos:
        return handler
    if request.method in ("GET", "HEAD"):
        return handler if any(name in query for name in _READS[level]) else None
    queries, starts = _WRITES.get((level, request.method), ((), ()))
    if any(name in query for name in queries) or any(name.startswith(start) for start in starts for name in headers):
        return handler
    return handler if level == 1 and request.method == "POST" and containers.carries_blocks(request) else None
