"""How each OpenStack service words an error. A dialect turns a `Fault` into a response; it decides nothing else."""

from __future__ import annotations

import time
from html import escape
from http import HTTPStatus
from typing import ClassVar

from starlette.responses import Response

from synnefo_common.errors import Fault, QuotaExceeded
from synnefo_common.ids import IdSource
from synnefo_common.web.answer import answer

UNAUTHORIZED = "The request you have made requires authentication."


def title_of(status: int) -> str:
    """The reason phrase."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


class Dialect:
    """JSON as Keystone words it: `{"error": {"code", "title", "message"}}`. Base of the others."""

    quota_status: ClassVar[int] = 403
    id_headers: ClassVar[tuple[bytes, ...]] = (b"x-openstack-request-id",)
    auth_uri: str = ""

    def new_request_id(self, ids: IdSource) -> str:
        """What a request is called in its answer, in logs and in calls that it makes."""
        return "req-" + ids.uuid()

    def status_of(self, fault: Fault) -> int:
        """The HTTP status this service uses for the fault."""
        return self.quota_status if isinstance(fault, QuotaExceeded) else fault.http_status

    def render(self, fault: Fault, *, request_id: str) -> Response:
        """The error answer."""
        status = self.status_of(fault)
        if status == 401:
            response = answer({"error": {"code": 401, "title": "Unauthorized", "message": fault.message}}, 401)
            response.headers["WWW-Authenticate"] = f'Keystone uri="{self.auth_uri}"'
        else:
            response = self.body(fault, status, request_id)
        for name, value in fault.headers.items():
            response.headers[name] = value
        return response

    def body(self, fault: Fault, status: int, request_id: str) -> Response:
        return answer({"error": {"code": status, "title": title_of(status), "message": fault.message}}, status)


class IdentityDialect(Dialect):
    """Keystone."""


class ComputeDialect(Dialect):
    """Nova: the error's name is the body's key."""

    id_headers: ClassVar[tuple[bytes, ...]] = (b"x-openstack-request-id", b"x-compute-request-id")  # the old name; Cinder has it too
    names: ClassVar[dict[int, str]] = {
        400: "badRequest", 401: "unauthorized", 403: "forbidden", 404: "itemNotFound", 405: "badMethod", 409: "conflictingRequest",
        413: "overLimit", 415: "badMediaType", 429: "overLimit", 501: "notImplemented", 503: "serviceUnavailable",
    }  # fmt: skip
    fallback: ClassVar[str] = "computeFault"

    def body(self, fault: Fault, status: int, request_id: str) -> Response:
        if status == 406:
            error = {"code": fault.code, "status": 406, "title": "Not Acceptable", "detail": fault.message, "links": []}
            return answer({"errors": [error | {"request_id": request_id}]}, status)
        name = self.names.get(status, self.fallback)
        body: dict[str, object] = {"code": status, "message": fault.message}
        if status in (413, 429):
            body["retryAfter"] = fault.headers.get("Retry-After", "0")
        response = answer({name: body}, status)
        if status in (413, 429):
            response.headers["Retry-After"] = str(body["retryAfter"])
        return response


class VolumeDialect(ComputeDialect):
    """Cinder: as Nova, but a quota is 413."""

    quota_status = 413


class NetworkDialect(Dialect):
    """Neutron: a typed error."""

    quota_status = 409
    kinds: ClassVar[dict[int, str]] = {
        400: "HTTPBadRequest", 403: "PolicyNotAuthorized", 404: "HTTPNotFound", 405: "HTTPMethodNotAllowed", 409: "HTTPConflict",
        412: "RevisionNumberConstraintFailed", 415: "HTTPUnsupportedMediaType", 500: "HTTPInternalServerError",
        501: "HTTPNotImplemented", 503: "HTTPServiceUnavailable",
    }  # fmt: skip

    def body(self, fault: Fault, status: int, request_id: str) -> Response:
        generic = fault.kind in {c.__name__ for c in Fault.__subclasses__()}
        kind = self.kinds.get(status, fault.kind) if generic and not isinstance(fault, QuotaExceeded) else fault.kind
        return answer({"NeutronError": {"type": kind, "message": fault.message, "detail": ""}}, status)


class ImageDialect(Dialect):
    """Glance: webob's HTML page."""

    quota_status = 413

    def body(self, fault: Fault, status: int, request_id: str) -> Response:
        title = f"{status} {title_of(status)}"
        page = (
            f"<html>\n <head>\n  <title>{title}</title>\n </head>\n <body>\n  <h1>{title}</h1>\n"
            f"  {escape(fault.message, quote=False)}<br /><br />\n\n\n </body>\n</html>"
        )
        return Response(page, status_code=status, media_type="text/html")


class ObjectDialect(Dialect):
    """Swift: one heading, one paragraph."""

    quota_status = 413
    id_headers: ClassVar[tuple[bytes, ...]] = (b"x-openstack-request-id", b"x-trans-id")

    def new_request_id(self, ids: IdSource) -> str:
        """Swift's transaction: a random part, and the time."""
        return f"tx{ids.hex()[:21]}-{int(time.time()):010x}"

    def body(self, fault: Fault, status: int, request_id: str) -> Response:
        page = f"<html><h1>{title_of(status)}</h1><p>{escape(fault.message, quote=False)}</p></html>"
        return Response(page, status_code=status, media_type="text/html")


class InternalDialect(Dialect):
    """Between services, and the dispatcher's admin API: everything the caller needs to raise the same fault."""

    def body(self, fault: Fault, status: int, request_id: str) -> Response:
        error = {"code": status, "title": title_of(status), "kind": fault.kind, "fault": fault.code}
        return answer({"error": error | {"message": fault.message, "details": fault.details}}, status)
