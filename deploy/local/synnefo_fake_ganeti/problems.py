"""How the fake says no: as an HTTP error at the door, or as the error of a job.

Not for: faults that a test injects, those are in `faults`.
"""

import html
from http.server import BaseHTTPRequestHandler
from typing import Any

import orjson


class HttpProblem(Exception):
    """Answered as the real RAPI does: `{"code", "message", "explain"}`."""

    def __init__(self, code: int, message: str = "") -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def body(self) -> bytes:
        short, long = BaseHTTPRequestHandler.responses.get(self.code, ("Unknown", "Unknown"))
        values = {"code": self.code, "message": html.escape(self.message or short), "explain": long}
        return orjson.dumps(values)


class JobError(Exception):
    """The error that ends an opcode: the name of Ganeti's exception and its arguments."""

    def __init__(self, kind: str, *args: Any) -> None:
        super().__init__(kind, *args)
        self.kind = kind
        self.details = list(args)

    def result(self) -> list[Any]:
        return [self.kind, self.details]


def prereq(message: str, code: str | None = None) -> JobError:
    """The request cannot be done: nothing was changed."""
    return JobError("OpPrereqError", message) if code is None else JobError("OpPrereqError", message, code)


def execution(message: str) -> JobError:
    """The doing failed: something may have been changed."""
    return JobError("OpExecError", message)
