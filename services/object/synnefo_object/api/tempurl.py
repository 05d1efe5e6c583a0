"""TempURL: a request whose URL is signed with a key of the account or the container."""

from __future__ import annotations

from urllib.parse import quote

import orjson

from synnefo_object.api.request import SwiftRequest
from synnefo_object.app.access import Caller
from synnefo_object.app.objects import place
from synnefo_object.app.rates import wait_for_turn
from synnefo_object.domain import tempurl
from synnefo_object.domain.errors import SwiftFault, bad_request
from synnefo_object.domain.times import http_date

INVALID = "Temp URL invalid"


def keys_of(row: object, level: str) -> list[str]:
    """The keys of `account` or `container` in a row of `objects.find`."""
    headers = orjson.loads(getattr(row, f"{level}_headers"))
    return [headers[name] for name in (f"x-{level}-meta-temp-url-key", f"x-{level}-meta-temp-url-key-2") if headers.get(name)]


async def admit(request: SwiftRequest, caller: Caller) -> dict[str, str] | None:
    """If the URL is signed: open the object to the caller and return the headers to add. Else None.

    Raises 401 for a bad signature.
    """
    query = request.query
    signature_text, expires_text = query.get("temp_url_sig"), query.get("temp_url_expires")
    if signature_text is None and expires_text is None:
        return None
    refused = SwiftFault(401, INVALID)
    signature = tempurl.read_signature(signature_text or "")
    expires = tempurl.read_expiry(expires_text or "")
    if signature is None or expires is None or expires < request.svc.now_s() or request.method not in tempurl.METHODS:
        raise refused
    if request.method in ("PUT", "POST") and any(name in request.headers for name in ("x-object-manifest", "x-copy-from", "x-symlink-target")):
        raise bad_request("Headers that name other objects are not allowed with a Temp URL.")
    ip_range = query.get("temp_url_ip_range")
    client = request.scope.get("client")
    if ip_range is not None and not tempurl.in_range(client[0] if client else None, ip_range):
        raise refused
    target = request.target
    prefix = query.get("temp_url_prefix")
    if prefix is not None and not target.object.startswith(prefix):
        raise refused
    if prefix is None and not target.object:
        raise refused
    name = target.object if prefix is None else prefix
    path = f"/v1/{target.account}/{target.container}/{name}"
    paths = [p if prefix is None else f"prefix:{p}" for p in (path, quote(path))]
    messages = [tempurl.message(method, expires, p, ip_range) for method in tempurl.methods_that_cover(request.method) for p in dict.fromkeys(paths)]
    row = await place(request.svc, target)
    if row is None:
        raise refused
    by_account = tempurl.is_signed(messages, keys_of(row, "account"), signature)
    by_container = tempurl.is_signed(messages, keys_of(row, "container"), signature)
    if by_account is None and by_container is None:
        raise refused
    caller.signed = (
        target.account,
        "" if by_account is not None else target.container,
        prefix or "" if prefix is not None else name,
    )
    await wait_for_turn(request.svc, request.method, target)
    return _download_headers(request, expires)


def _download_headers(request: SwiftRequest, expires: int) -> dict[str, str]:
    headers = {"Expires": http_date(expires * 1_000_000)} if expires < 1 << 36 else {}
    if request.method not in ("GET", "HEAD"):
        return headers
    given = request.query.get("filename") or request.target.object.rstrip("/").rsplit("/", 1)[-1]
    kind = "inline" if "inline" in request.query else "attachment"
    if kind == "inline" and "filename" not in request.query:
        headers["Content-Disposition"] = "inline"
        return headers
    plain = given.replace("\\", "\\\\").replace('"', '\\"') if given.isascii() and given.isprintable() else quote(given, safe=" ")
    headers["Content-Disposition"] = f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(given, safe='')}"
    return headers
