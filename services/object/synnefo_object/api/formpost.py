"""FormPost: an HTML form that uploads, signed with a key of the account or container."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import quote

from synnefo_common.errors import Fault
from synnefo_object.api.answers import HTML, TEXT, Answer, render_fault, title_of
from synnefo_object.api.forms import FormReader, read_boundary
from synnefo_object.api.request import SwiftRequest
from synnefo_object.api.tempurl import keys_of
from synnefo_object.app import uploads
from synnefo_object.app.objects import place
from synnefo_object.app.rates import wait_for_turn
from synnefo_object.domain import tempurl
from synnefo_object.domain.errors import SwiftFault, bad_request
from synnefo_object.domain.paths import Target, decode_name

_MAX_FIELD = 16 << 10
_MAX_FIELDS = 500


class FormFault(SwiftFault):
    """A form that is wrong or not signed: told at once, even if the form asks for a redirect."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(status, f"FormPost: {text}")


def is_form(request: SwiftRequest) -> bool:
    """True for a browser's form with a file."""
    return request.headers.get("content-type", "").lower().startswith("multipart/form-data")


async def upload(request: SwiftRequest) -> Answer:
    """Store the form's files under the path. Redirects if the form says so."""
    boundary = read_boundary(request.headers["content-type"])
    if not boundary:
        raise FormFault(400, "invalid starting boundary")
    form = FormReader(request.body(), boundary)
    fields: dict[str, str] = {}
    stored = 0
    headers: dict[str, str] = {}
    caller = None
    try:
        async for part in form.parts():
            if part.file_name is None:
                data = b"".join([piece async for piece in _limited(form, _MAX_FIELD)])
                fields[part.name.lower()] = data.decode("utf-8", "replace")
                if len(fields) > _MAX_FIELDS:
                    raise bad_request("The form has too many fields.")
                continue
            if caller is None:
                await _check(request, fields)
                caller = await request.caller()
                caller.signed = (request.target.account, request.target.container, request.target.object)
            if not part.file_name:
                continue
            stored += 1
            if stored > int(fields["max_file_count"]):
                raise bad_request("max file count exceeded")
            prefix = f"/{request.target.object}" if request.target.object else "/"
            name = decode_name((prefix + part.file_name).removeprefix("/").encode())
            target = Target(request.target.account, request.target.container, name)
            headers = {"transfer-encoding": "chunked"}
            if part.headers.get("content-type"):
                headers["content-type"] = part.headers["content-type"]
            for key in ("x-delete-at", "x-delete-after"):
                if fields.get(key):
                    headers[key] = fields[key]
            await wait_for_turn(request.svc, "PUT", target)
            await uploads.put(request.svc, caller, target, headers, _limited(form, int(fields["max_file_size"])))
        if not stored:
            raise bad_request("no files to process")
    except FormFault:
        raise
    except Fault as fault:
        status = render_fault(fault).status_code
        return _finish(fields, status, fault.message)
    return _finish(fields, 201, "")


async def _limited(form: FormReader, limit: int) -> AsyncIterator[bytes]:
    size = 0
    async for piece in form.data():
        size += len(piece)
        if size > limit:
            raise SwiftFault(413, "max_file_size exceeded")
        yield piece


async def _check(request: SwiftRequest, fields: dict[str, str]) -> None:
    """Raises 400 for figures that are none, 401 for a form that is old or not signed."""
    for key in ("max_file_size", "max_file_count", "expires"):
        value = fields.get(key, "")
        if not (value.isascii() and value.isdigit() and len(value) < 16):
            raise FormFault(400, f"{key} not an integer" if key != "expires" else "expired not an integer")
    if int(fields["expires"]) < request.svc.now_s():
        raise FormFault(401, "Form Expired")
    signature = tempurl.read_signature(fields.get("signature", ""))
    row = await place(request.svc, request.target)
    refused = FormFault(401, "Invalid Signature")
    if signature is None or row is None:
        raise refused
    target = request.target
    path = f"/v1/{target.account}/{target.container}" + (f"/{target.object}" if target.object else "")
    ending = "\n".join(fields.get(k, "") for k in ("redirect", "max_file_size", "max_file_count", "expires"))
    paths = {path, quote(path)} | ({path + "/"} if not target.object else set())
    keys = [*keys_of(row, "account"), *keys_of(row, "container")]
    if tempurl.is_signed([f"{p}\n{ending}" for p in sorted(paths)], keys, signature) is None:
        raise refused


def _finish(fields: dict[str, str], status: int, message: str) -> Answer:
    redirect = fields.get("redirect", "")
    if redirect and redirect.isprintable():
        separator = "&" if "?" in redirect else "?"
        location = f"{redirect}{separator}status={status}&message={quote(message)}"
        return Answer(303, {"Location": quote(location, safe=":/?#[]@!$&'()*+,;=%~")}, b"", content_type=HTML)
    body = f"{status} {title_of(status)}" + (f"\r\nFormPost: {message.title()}" if message else "")
    return Answer(status, body=body.encode(), content_type=TEXT)
