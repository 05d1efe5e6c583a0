"""Pithos' HTML form: a file in the field X-Object-Data, and the token in the query, as browsers can send them."""

from __future__ import annotations

from collections.abc import AsyncIterator

from synnefo_object.api.answers import TEXT, Answer
from synnefo_object.api.forms import FormReader, read_header
from synnefo_object.api.request import SwiftRequest
from synnefo_object.app import objects
from synnefo_object.app.pithos import puts
from synnefo_object.domain.errors import bad_request

_FIELD, _TOKEN = "X-Object-Data", "X-Auth-Token"


def is_form(request: SwiftRequest) -> bool:
    """A form that names its token. Others are Swift's, which are signed."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return request.method == "POST" and kind == "multipart/form-data" and _TOKEN in request.query


async def upload(request: SwiftRequest) -> Answer:
    """201, and the ETag as the body. Raises 400 for a form without the field."""
    svc, target = request.svc, request.target
    request.headers["x-auth-token"] = request.query[_TOKEN]
    caller = await request.caller()
    place, _ = await puts.find_place(svc, caller, target, {})
    boundary = read_header(request.headers["content-type"])[1].get("boundary", "")
    if not boundary or not boundary.isascii():
        raise bad_request("The form has no boundary.")
    reader = FormReader(request.body(), boundary.encode())
    async for part in reader.parts():
        if part.name == _FIELD:
            data: AsyncIterator[bytes] = reader.data()
            uploaded = await puts.put_data(
                svc,
                caller,
                target,
                {"transfer-encoding": "chunked"},
                data,
                place=place,
                expected_us=None,
                content_type=objects.clean_content_type(part.headers.get("content-type") or "application/octet-stream"),
                kept={},
                manifest=None,
                expires=None,
                also=None,
            )
            headers = {"Etag": uploaded.etag, "X-Object-Version": str(uploaded.modified_us)}
            return Answer(201, headers, uploaded.etag.encode(), content_type=TEXT)
    raise bad_request(f"Missing {_FIELD} field")
