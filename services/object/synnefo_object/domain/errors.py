"""Faults of the object store, in Swift's words. Not for rendering: `api.answers` does that."""

from __future__ import annotations

from collections.abc import Mapping

from synnefo_common.errors import Fault

# What Swift's pages say for a status when there is nothing more exact to say.
STANDARD_TEXT = {
    400: "The server could not comply with the request since it is either malformed or otherwise incorrect.",
    401: "This server could not verify that you are authorized to access the document you requested.",
    403: "Access was denied to this resource.",
    404: "The resource could not be found.",
    405: "The method is not allowed for this resource.",
    406: "The resource is not available in a format acceptable to your browser.",
    408: "The server has waited too long for the request to be sent by the client.",
    409: "There was a conflict when trying to complete your request.",
    411: "Content-Length header required.",
    412: "A precondition for this request was not met.",
    413: "The body of your request was too large for this server.",
    416: "The Range requested is not available.",
    422: "Unable to process the contained instructions.",
    499: "Client Disconnect.",
    503: "The server is currently unavailable. Please try again at a later time.",
    507: "There was not enough space to save the resource.",
}


class SwiftFault(Fault):
    """An error answer. Without `text` it is Swift's standard page for the status; with it, that text as text/plain."""

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
