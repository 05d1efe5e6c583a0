"""Reading multipart/form-data as a stream: each part's headers, then its data, within bounded memory."""

from __future__ import annotations

import email.message
from collections.abc import AsyncIterator
from dataclasses import dataclass

from synnefo_object.domain.errors import bad_request

_MAX_HEAD = 16 << 10
_MAX_BOUNDARY = 200


def read_header(value: str) -> tuple[str, dict[str, str]]:
    """A header's value and its parameters (`form-data; name="x"; filename="y"`)."""
    message = email.message.Message()
    message["content-disposition"] = value
    params = message.get_params(header="content-disposition") or [("", "")]
    return params[0][0], {name: text for name, text in params[1:] if isinstance(text, str)}


def read_boundary(content_type: str) -> bytes:
    """What parts the form; empty for what is no boundary."""
    boundary = read_header(content_type)[1].get("boundary", "").encode("utf-8", "replace")
    return boundary if len(boundary) <= _MAX_BOUNDARY else b""


@dataclass(frozen=True, slots=True)
class Part:
    """What is known of a part before its data. `file_name` is None for a plain field."""

    name: str
    file_name: str | None
    headers: dict[str, str]


class FormReader:
    """`async for part in reader.parts()`; within, `async for piece in reader.data()` reads that part.

    What is left of it is skipped.
    """

    def __init__(self, source: AsyncIterator[bytes], boundary: bytes) -> None:
        self._source = source
        self._delimiter = b"\r\n--" + boundary
        self._buffer = b"\r\n"  # the first delimiter has no line end before it
        self._in_part = True  # what precedes the first delimiter is skipped like a part

    async def _more(self) -> None:
        piece = await anext(self._source, None)
        if piece is None:
            raise bad_request("The form ends too early.")
        self._buffer += piece

    async def data(self) -> AsyncIterator[bytes]:
        """The current part's data."""
        while self._in_part:
            at = self._buffer.find(self._delimiter)
            if at >= 0:
                piece, self._buffer = self._buffer[:at], self._buffer[at + len(self._delimiter) :]
                self._in_part = False
            else:
                keep = len(self._delimiter) - 1
                piece, self._buffer = self._buffer[:-keep], self._buffer[-keep:]
            if piece:
                yield piece
            if self._in_part:
                await self._more()

    async def parts(self) -> AsyncIterator[Part]:
        """Raises 400 for what is no form."""
        while True:
            async for _ in self.data():
                pass
            while len(self._buffer) < 2:
                await self._more()
            if self._buffer.startswith(b"--"):
                return
            while (end := self._buffer.find(b"\r\n\r\n")) < 0:
                if len(self._buffer) > _MAX_HEAD:
                    raise bad_request("The form cannot be read.")
                await self._more()
            head, self._buffer = self._buffer[:end], self._buffer[end + 4 :]
            self._in_part = True
            headers: dict[str, str] = {}
            for line in head.split(b"\r\n"):
                name, _, value = line.partition(b":")
                headers[name.strip().decode("latin-1").lower()] = value.strip().decode("utf-8", "replace")
            _, options = read_header(headers.get("content-disposition", ""))
            yield Part(options.get("name", ""), options.get("filename"), headers)
