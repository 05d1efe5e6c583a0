"""Faults that reach a caller. A service subclasses these in `domain/errors.py`; `web.dialects` renders them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class Fault(Exception):
    """An error answer: HTTP `status`, stable `code` (`compute.server.conflict`), `kind` (Neutron's error type), message for people."""

    status: ClassVar[int] = 500
    default_code: ClassVar[str] = "internal"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        kind: str | None = None,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        # Messages quote the caller, whose JSON may hold half a surrogate pair: that could not be encoded in the answer.
        message = message.encode("utf-8", "replace").decode()
        super().__init__(message)
        # What the caller sent may be quoted in it: half a surrogate pair cannot be encoded in the answer.
        self.message = message.encode("utf-8", "backslashreplace").decode()
        self.code = code or self.default_code
        self.kind = kind or type(self).__name__
        self.http_status = status or type(self).status
        self.headers = dict(headers or {})
        self.details = dict(details or {})


class BadRequest(Fault):
    """400: the request cannot be understood or breaks a rule of the API."""

    status = 400
    default_code = "bad_request"


class Unauthorized(Fault):
    """401: no valid token."""

    status = 401
    default_code = "unauthorized"


class Forbidden(Fault):
    """403: visible, but not allowed."""

    status = 403
    default_code = "forbidden"


class NotFound(Fault):
    """404: it does not exist, or the caller may not know that it does."""

    status = 404
    default_code = "not_found"


class MethodNotAllowed(Fault):
    """405."""

    status = 405
    default_code = "method_not_allowed"


class NotAcceptable(Fault):
    """406: no such microversion or representation."""

    status = 406
    default_code = "not_acceptable"


class Conflict(Fault):
    """409: the state of the resource does not allow it."""

    status = 409
    default_code = "conflict"


class PreconditionFailed(Fault):
    """412: an `If-…` condition does not hold."""

    status = 412
    default_code = "precondition_failed"


class TooLarge(Fault):
    """413: the body or the request is over a limit."""

    status = 413
    default_code = "too_large"


class UnsupportedMediaType(Fault):
    """415."""

    status = 415
    default_code = "unsupported_media_type"


class RangeNotSatisfiable(Fault):
    """416."""

    status = 416
    default_code = "range_not_satisfiable"


class Unprocessable(Fault):
    """422: well-formed, but not to be done (Swift's ETag mismatch, a reused idempotency key)."""

    status = 422
    default_code = "unprocessable"


class QuotaExceeded(Fault):
    """403 (some dialects 409, 413): the project's limit for `resource` would be passed."""

    status = 403
    default_code = "quota.exceeded"

    def __init__(self, *, resource: str, limit: int, used: int, requested: int, message: str | None = None) -> None:
        details = {"resource": resource, "limit": limit, "used": used, "requested": requested}
        text = message or (
            f"Quota exceeded for {resource}: requested {requested}, but already used {used} of {limit}. "
            "Delete something or ask for a higher limit."
        )
        super().__init__(text, details=details, kind="OverQuota")
        self.resource, self.limit, self.used, self.requested = resource, limit, used, requested


class InsufficientStorage(Fault):
    """507: no room left below us."""

    status = 507
    default_code = "insufficient_storage"


class NotImplementedHere(Fault):
    """501: refused plainly, never faked."""

    status = 501
    default_code = "not_implemented"


class Unavailable(Fault):
    """503: something we need does not answer; the caller may try again after `Retry-After` seconds."""

    status = 503
    default_code = "unavailable"

    def __init__(self, message: str, *, retry_after_s: int = 5, **kwargs: Any) -> None:
        super().__init__(message, **kwargs)
        self.headers.setdefault("Retry-After", str(retry_after_s))


class BadGateway(Fault):
    """502: a peer answered something that we cannot use."""

    status = 502
    default_code = "bad_gateway"


_BY_STATUS: dict[int, type[Fault]] = {
    c.status: c
    for c in (
        BadRequest, Unauthorized, Forbidden, NotFound, MethodNotAllowed, NotAcceptable, Conflict, PreconditionFailed,
        TooLarge, UnsupportedMediaType, RangeNotSatisfiable, Unprocessable, InsufficientStorage, NotImplementedHere, BadGateway,
    )
}  # fmt: skip


def fault_for_status(status: int, message: str, **kwargs: Any) -> Fault:
    """The fault class for an HTTP status; 503 and unknown 5xx give `Unavailable`."""
    details = kwargs.get("details") or {}
    if kwargs.get("code") == QuotaExceeded.default_code and "resource" in details:
        return QuotaExceeded(
            resource=details["resource"], limit=details["limit"], used=details["used"], requested=details["requested"],
            message=message,
        )  # fmt: skip
    if status in _BY_STATUS:
        return _BY_STATUS[status](message, **kwargs)
    if status >= 500:
        return Unavailable(message, **kwargs)
    return Fault(message, status=status, **kwargs)
