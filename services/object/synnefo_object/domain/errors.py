"""Faults of the object store, in Swift's words. Not for rendering: `api.answers` does that."""

from __future__ import annotations

from collections.abc import Mapping

from synnefo_common.errors import Fault

# What Swift's pages say for a status when there is nothing more exact to say.
STANDARD_TEXT = {
    400: "The request is malformed or contradicts itself.",
    401: "The token is missing or does not allow this.",
    403: "This is not allowed to you.",
    404: "There is no such resource.",
    405: "This method is not offered here.",
    406: "None of the accepted formats is offered.",
    408: "The request took too long to arrive.",
    409: "There was a conflict when trying to complete your request.",  # clients compare it (tempest)
    411: "A Content-Length header is needed.",
    412: "A precondition of the request does not hold.",
    413: "The body is larger than this server takes.",
    416: "The requested range is not in the object.",
    422: "The body is not what its headers say.",
    498: "Slow down: too many calls of this kind wait for their turn.",
    499: "The client left.",
    503: "The server cannot answer now: try again later.",
    507: "There is no space left to keep this.",
}


class SwiftFault(Fault):
    """An error answer. Without `text` it is the standard page for the status; with it, that text as text/plain."""

    def __init__(self, status: int, text: str | None = None, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(
            text if text is not None else STANDARD_TEXT.get(status, "Error"),
            status=status,
            code=f"object.refused_{status}",
            kind="SwiftFault",
            headers=headers,
        )
        self.text = text


def not_found() -> SwiftFault:
    return SwiftFault(404)


def bad_request(text: str) -> SwiftFault:
    return SwiftFault(400, text)


def bad_name(text: str) -> SwiftFault:
    """400 for a name that cannot be; the text goes out as HTML, as Swift's."""
    return SwiftFault(400, text, headers={"Content-Type": "text/html; charset=UTF-8"})
