"""What is raised in a request, as the fault that the caller is told."""

from __future__ import annotations

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from synnefo_common.errors import BadRequest, Fault, MethodNotAllowed, NotFound, fault_for_status
from synnefo_common.log import get_logger
from synnefo_common.web.parse import validation_message

log = get_logger(__name__)


def to_fault(error: Exception) -> Fault | None:
    """The fault; None for what nobody foresaw."""
    if isinstance(error, Fault):
        if error.http_status >= 500:
            log.warning("request_refused", status=error.http_status, error=error.message, cause=repr(error.__cause__))
        return error
    if isinstance(error, RequestValidationError):
        return BadRequest(validation_message(error.errors()))
    if isinstance(error, HTTPException):
        if error.status_code == 404:
            return NotFound("The resource could not be found.")
        if error.status_code == 405:
            return MethodNotAllowed("The method is not allowed for this resource.", headers=error.headers)
        return fault_for_status(error.status_code, str(error.detail), headers=error.headers)
    return None
