"""The metadata service, on a port of its own: what guests read at 169.254.169.254.

Only the nodes' proxies speak to it. They know the guest by its port and sign its server's id, with Neutron's headers; what a guest
sends itself as such a header they drop. Nobody logs in, so nothing else is on this port.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from synnefo_common.clock import iso
from synnefo_common.errors import BadRequest, Fault, Forbidden, NotFound
from synnefo_common.log import get_logger
from synnefo_compute.app import guests
from synnefo_compute.app.core import Compute
from synnefo_compute.domain.guest import PASSWORD_MAX, is_password, look_up, needs_network_data

log = get_logger(__name__)


def sign(secret: str, server_id: str) -> str:
    """What a proxy that knows the secret sends with a server's id."""
    return hmac.new(secret.encode(), server_id.encode(), hashlib.sha256).hexdigest()


def metadata_app(compute: Compute) -> Starlette:
    """The application."""

    async def serve(request: Request) -> Response:
        server_id, project_id = _identify(request, compute.settings.metadata_secret)
        path = request.url.path
        guest = await guests.read_guest(compute, server_id, project_id=project_id, has_network_data=needs_network_data(path))
        if guest is None:
            raise NotFound("There is no such server.")
        if request.method == "POST":
            if not is_password(path):
                raise NotFound("Only the password may be posted.")
            await guests.post_password(compute, server_id, await _body(request))
            return Response()
        found = look_up(guest, path, today=str(iso(compute.clock.now_us()))[:10])
        if found is None:
            raise NotFound("There is nothing here.")
        return Response(found.body, media_type="application/json" if found.is_json else "text/plain; charset=UTF-8")

    async def on_fault(_request: Request, error: Exception) -> Response:
        assert isinstance(error, Fault)
        return PlainTextResponse(error.message + "\n", status_code=error.http_status)

    handlers: Any = {Fault: on_fault}
    return Starlette(routes=[Route("/{path:path}", serve, methods=["GET", "POST"])], exception_handlers=handlers)


def _identify(request: Request, secret: str) -> tuple[str, str]:
    """(server, project). Raises BadRequest, Forbidden."""
    found = []
    for name in ("X-Instance-ID", "X-Tenant-ID", "X-Instance-ID-Signature"):
        values = request.headers.getlist(name)
        if len(values) != 1:
            raise BadRequest(f"{name} must be in the request once.")
        found.append(values[0])
    server_id, project_id, signature = found
    if not hmac.compare_digest(sign(secret, server_id).encode(), signature.encode("latin-1")):
        log.warning("metadata_signature_wrong", server_id=server_id[:64], client=request.client.host if request.client else None)
        raise Forbidden("Invalid proxy request signature.")
    return server_id, project_id


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > PASSWORD_MAX:
            raise BadRequest(f"The password is too large: at most {PASSWORD_MAX} bytes.")
    return body
