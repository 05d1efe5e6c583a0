"""Which call is which: S3 tells its calls apart by method, path and the names in the query. `api.s3.document` declares them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import SimpleNamespace
from typing import Any, cast

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from synnefo_archipelago import CorruptData, StoreError
from synnefo_common.errors import Fault
from synnefo_common.log import get_logger
from synnefo_object.api.answers import Answer, close_unless_read
from synnefo_object.api.s3 import buckets, forms, listings, multipart, objects
from synnefo_object.api.s3.answers import render, to_s3
from synnefo_object.api.s3.document import PATHS
from synnefo_object.api.s3.request import S3Request, is_s3
from synnefo_object.app.rates import wait_for_turn
from synnefo_object.app.services import Services
from synnefo_object.domain.s3.errors import S3Fault, not_implemented

log = get_logger(__name__)
Handler = Callable[[S3Request], Awaitable[Answer]]
# By level (service, bucket, object): subresource of the query → method → call. The empty one is none.
CALLS: tuple[Mapping[str, Mapping[str, Handler]], ...] = (
    {"": {"GET": buckets.list_buckets}},
    {
        "location": {"GET": buckets.show_location},
        "acl": {"GET": buckets.show_acl, "PUT": buckets.put_acl},
        "versioning": {"GET": buckets.show_versioning, "PUT": buckets.put_versioning},
        "object-lock": {"GET": buckets.show_object_lock},
        "versions": {"GET": listings.list_versions},
        "uploads": {"GET": listings.list_uploads},
        "delete": {"POST": buckets.delete_objects},
        "": {
            "GET": listings.list_objects,
            "HEAD": buckets.head_bucket,
            "PUT": buckets.create_bucket,
            "POST": forms.post_object,
            "DELETE": buckets.delete_bucket,
        },
    },
    {
        "acl": {"GET": buckets.show_acl, "PUT": buckets.put_object_acl},
        "tagging": {"GET": objects.show_tags, "PUT": objects.put_tags, "DELETE": objects.delete_tags},
        "uploads": {"POST": multipart.initiate},
        "uploadId": {"GET": multipart.list_parts, "PUT": multipart.put_part, "POST": multipart.complete, "DELETE": multipart.abort},
        "": {
            "GET": objects.show_object,
            "HEAD": objects.show_object,
            "PUT": objects.put_object,
            "DELETE": objects.delete_object,
        },
    },
)
# S3 has them and we have not: refused rather than passed over.
MISSING = frozenset(
    (
        "accelerate",
        "analytics",
        "attributes",
        "cors",
        "encryption",
        "intelligent-tiering",
        "inventory",
        "legal-hold",
        "lifecycle",
        "logging",
        "metadataTable",
        "metrics",
        "notification",
        "ownershipControls",
        "policy",
        "policyStatus",
        "publicAccessBlock",
        "replication",
        "requestPayment",
        "restore",
        "retention",
        "select",
        "session",
        "torrent",
        "website",
    )
)
_ROUTES = tuple(SimpleNamespace(path=path) for path in PATHS)


def install(app: FastAPI, svc: Services) -> None:
    """Put the dispatcher inside the service's middleware and before Swift's."""
    app.user_middleware.append(Middleware(cast("Any", Dispatcher), services=svc))


class Dispatcher:
    """Answers what speaks S3; all else goes on."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self.app = app
        self.services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not is_s3(scope, self.services.settings.s3_domains):
            await self.app(scope, receive, send)
            return
        request_id = self.services.ids.hex()[:16].upper()
        resource: str = scope["path"]
        answer = await self._answer(scope, receive, request_id)
        ids = {"x-amz-request-id": request_id, "x-amz-id-2": scope["state"]["request_id"]}
        answer.headers |= ids
        close_unless_read(scope, answer)
        try:
            await answer(scope, receive, send)
        except StoreError as error:
            if isinstance(error, CorruptData):
                log.exception("object_damaged", path=resource)
            if scope.get("swift.started"):
                raise
            failed = render(to_s3(error, level=2), resource=resource, request_id=request_id)
            failed.headers |= ids
            await failed(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, request_id: str) -> Answer:
        level = 0
        try:
            request = S3Request(scope, receive, self.services)
            level = 2 if request.key else 1 if request.bucket else 0
            scope["route"] = _ROUTES[level]
            await request.authenticate()
            handler = choose(request, level)
            await wait_for_turn(self.services, request.method, await request.limited_target())
            return await handler(request)
        except (Fault, StoreError) as error:
            if isinstance(error, StoreError):
                log.exception("block_store_failed", path=scope["path"])
            return render(to_s3(error, level=level), resource=scope["path"], request_id=request_id)


def choose(request: S3Request, level: int) -> Handler:
    """The call. Raises NotImplemented, MethodNotAllowed."""
    missing = MISSING.intersection(request.query)
    if "object-lock" in request.query and request.method != "GET":
        missing |= {"object-lock"}
    if missing:
        raise not_implemented(f"The subresource {min(missing)}")
    if level == 1 and "tagging" in request.query:
        raise not_implemented("Tagging of buckets")
    calls = CALLS[level]
    name = next((name for name in calls if name and name in request.query), "")
    handler = calls[name].get(request.method)
    if handler is None:
        allowed = ", ".join(calls[name])
        shown = {"Method": request.method, "ResourceType": name.upper() or ("SERVICE", "BUCKET", "OBJECT")[level]}
        raise S3Fault("MethodNotAllowed", headers={"Allow": allowed}, shown=shown)
    return handler
