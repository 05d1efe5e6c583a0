"""Faults as S3 answers them, and the headers of every answer."""

from __future__ import annotations

from urllib.parse import quote

from synnefo_archipelago import StoreError, StoreFull
from synnefo_common.errors import Fault, QuotaExceeded
from synnefo_object.api.answers import Answer
from synnefo_object.api.s3 import xml
from synnefo_object.domain.errors import SwiftFault
from synnefo_object.domain.s3.errors import S3Fault

XML = "application/xml"
# What the shared use cases say, in S3's words; a status that is not here is an unavailable service.
_BY_STATUS = {
    304: "PreconditionFailed",
    400: "InvalidRequest",
    401: "AccessDenied",
    403: "AccessDenied",
    404: "NoSuchKey",
    405: "MethodNotAllowed",
    409: "OperationAborted",
    411: "MissingContentLength",
    412: "PreconditionFailed",
    413: "QuotaExceeded",
    416: "InvalidRange",
    422: "BadDigest",
    498: "SlowDown",
    499: "IncompleteBody",
    501: "NotImplemented",
    507: "InsufficientStorage",
}


def to_s3(fault: Exception, *, level: int) -> S3Fault:
    """The fault in S3's words. `level`: 0 service, 1 bucket, 2 object."""
    if isinstance(fault, S3Fault):
        return fault
    if isinstance(fault, QuotaExceeded):
        return S3Fault("QuotaExceeded", fault.message)
    if isinstance(fault, StoreError):
        return S3Fault("InsufficientStorage") if isinstance(fault, StoreFull) else S3Fault("ServiceUnavailable", headers={"Retry-After": "5"})
    assert isinstance(fault, Fault)
    code = _BY_STATUS.get(fault.http_status, "ServiceUnavailable")
    if level == 1:
        code = {"NoSuchKey": "NoSuchBucket", "OperationAborted": "BucketNotEmpty"}.get(code, code)
    kept = {name: value for name, value in fault.headers.items() if name in ("Retry-After", "Content-Range")}
    text = fault.text if isinstance(fault, SwiftFault) and code == "InvalidRequest" else None
    return S3Fault(code, text, headers=kept)


def render(fault: S3Fault, *, resource: str, request_id: str) -> Answer:
    """The error page."""
    body = xml.error(fault.kind or "InternalError", fault.message, fault.shown, resource=quote(resource), request_id=request_id)
    return Answer(fault.http_status, fault.headers, b"" if fault.http_status == 304 else body, content_type=XML)


def xml_answer(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    """A document."""
    return Answer(status, headers, body, content_type=XML)


def etag(value: str) -> str:
    """In quotes, once."""
    return f'"{value.strip(chr(34))}"'
