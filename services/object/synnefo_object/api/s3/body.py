"""The body of an upload: plain, or in the chunks that AWS's clients send, signed or not, with checksums before or behind."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

from synnefo_object.api.s3.request import S3Request
from synnefo_object.app.s3 import callers
from synnefo_object.app.s3.payload import Payload, check_sha256, incomplete
from synnefo_object.domain.s3 import checksums, signatures
from synnefo_object.domain.s3.checksums import Algorithm
from synnefo_object.domain.s3.errors import S3Fault

_SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
_STREAMING = {_SIGNED, f"{_SIGNED}-TRAILER", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}
_MAX_LINE = 16 << 10
_LEAST_CHUNK = 8192  # of a signed body, but for the last
_MAX_XML = 4 << 20


def _length(request: S3Request) -> int:
    text = request.headers.get("content-length")
    if text is None:
        raise S3Fault("MissingContentLength")
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise S3Fault("InvalidArgument", "content-length must be a number.")
    return int(text)


def read_payload(request: S3Request) -> Payload:
    """The body with all that is said of it. Raises S3Fault."""
    headers = request.headers
    kind = headers.get("x-amz-content-sha256", signatures.UNSIGNED)
    md5 = checksums.read_md5(headers["content-md5"]) if "content-md5" in headers else None
    given = checksums.given_in(headers)
    algorithm, checksum = given if given is not None else (None, None)
    trailing = _read_trailer(request, given is not None)
    named = headers.get("x-amz-sdk-checksum-algorithm")
    if named and given is not None and given[0].name != named.upper():
        raise S3Fault("InvalidRequest", "Value for x-amz-sdk-checksum-algorithm header is invalid.")
    if named and given is None and "x-amz-trailer" not in headers:
        checksums.by_name(named)
        raise S3Fault(
            "InvalidRequest",
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.",
        )
    is_presigned = request.signer is not None and request.signer.is_presigned
    is_whole = is_presigned and kind != signatures.UNSIGNED  # whatever it says, it is taken for the hash
    if is_whole or kind not in _STREAMING:
        if kind.startswith("STREAMING-") and not is_whole:
            raise S3Fault("NotImplemented", f"The payload type {kind} is not offered by this cloud.")
        if trailing is not None:
            raise S3Fault("MalformedTrailerError")
        sha256 = kind if kind != signatures.UNSIGNED and request.signer is not None else None
        return Payload(request.pieces(), _length(request), sha256, md5, algorithm, checksum)
    has_trailer = kind.endswith("-TRAILER")
    payload = Payload(request.pieces(), _decoded_length(request), None, md5, (trailing if has_trailer else None) or algorithm, checksum)
    payload.stream = _Chunks(request, payload, is_signed=kind.startswith(_SIGNED), has_trailer=has_trailer, trailing=trailing).read()
    return payload


def _decoded_length(request: S3Request) -> int:
    text = request.headers.get("x-amz-decoded-content-length", "")
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise S3Fault("MissingContentLength")
    return int(text)


def _read_trailer(request: S3Request, has_checksum: bool) -> Algorithm | None:
    """The checksum that comes behind the body. Raises InvalidRequest."""
    text = request.headers.get("x-amz-trailer", "").strip().rstrip(",").lower()
    if not text:
        return None
    names = [name.strip() for name in text.split(",")]
    if len(names) > 1 and all(name.startswith(checksums.PREFIX) for name in names):
        raise S3Fault("InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
    found = checksums.by_header(text)
    if found is None:
        raise S3Fault("InvalidRequest", "The value specified in the x-amz-trailer header is not supported")
    if has_checksum:
        raise S3Fault("InvalidRequest", "Expecting a single x-amz-checksum- header")
    return found


class _Chunks:
    """`hex length[;chunk-signature=…]`, the data, and so on to a length of zero; then trailing headers."""

    def __init__(self, request: S3Request, payload: Payload, *, is_signed: bool, has_trailer: bool, trailing: Algorithm | None) -> None:
        self._pieces = request.pieces()
        self._payload = payload
        self._signature = request.signer.signature if request.signer is not None and is_signed else None
        self._key = request.signer.key if request.signer is not None else b""
        self._canonical = request.signer.canonical if request.signer is not None else ""
        if is_signed and self._signature is None:
            raise S3Fault("AccessDenied", "A signed body needs a request that is signed in version 4.")
        self._previous = self._signature.signature if self._signature is not None else ""
        self._has_trailer = has_trailer
        self._trailing = trailing
        self._buffer = b""

    async def _more(self) -> None:
        piece = await anext(self._pieces, None)
        if piece is None:
            raise S3Fault("IncompleteBody")
        self._buffer += piece

    async def _line(self) -> bytes:
        while (at := self._buffer.find(b"\r\n")) < 0:
            if len(self._buffer) > _MAX_LINE:
                raise S3Fault("IncompleteBody")
            await self._more()
        line, self._buffer = self._buffer[:at], self._buffer[at + 2 :]
        return line

    async def read(self) -> AsyncIterator[bytes]:
        """The data; each chunk's signature is checked when it has gone by, before anything of it can be seen."""
        number, last = 0, _LEAST_CHUNK
        while True:
            size, signature = self._head(await self._line())
            number += 1
            if size and self._signature is not None and last < _LEAST_CHUNK:
                raise S3Fault("InvalidChunkSizeError", shown={"Chunk": str(number), "BadChunkSize": str(last)})
            last = size
            digest = hashlib.sha256() if self._signature is not None else None
            left = size
            while left:
                if not self._buffer:
                    await self._more()
                piece, self._buffer = self._buffer[:left], self._buffer[left:]
                left -= len(piece)
                if digest is not None:
                    digest.update(piece)
                yield piece
            if self._signature is not None and digest is not None:
                self._check(signatures.chunk_string(self._signature, self._previous, digest.hexdigest()), signature)
            if size == 0:
                break
            if await self._line():
                raise S3Fault("IncompleteBody")  # it is longer than it says
        if self._has_trailer:
            await self._trailer()

    def _head(self, line: bytes) -> tuple[int, str]:
        text, _, rest = line.partition(b";")
        text = text.strip()
        name, _, signature = (part.strip() for part in rest.partition(b"="))
        try:
            size = int(text, 16) if text.isalnum() and len(text) < 17 else -1
        except ValueError:
            size = -1
        if size < 0 or (self._signature is not None and (not signature or (name == b"chunk-signature" and b";" in signature))):
            raise S3Fault("IncompleteBody")
        return size, signature.decode("latin-1") if name == b"chunk-signature" else rest.decode("latin-1")

    def _check(self, text: str, given: str) -> None:
        assert self._signature is not None
        if not signatures.matches(self._key, text, given):
            raise callers.mismatch(self._signature.access, text, given, self._canonical)
        self._previous = given

    async def _trailer(self) -> None:
        lines: list[str] = []
        signature = ""
        while True:
            if len(lines) > 16:
                raise S3Fault("InvalidRequest", "There are too many trailing headers.")
            try:
                line = await self._line()
            except S3Fault:
                if self._buffer:
                    raise
                break
            if not line:
                if signature or self._signature is None or not lines:
                    break
                continue
            name, _, value = line.decode("utf-8", "surrogateescape").rstrip("\n").partition(":")
            if name.strip().lower() == "x-amz-trailer-signature":
                signature = value.strip()
            else:
                lines.append(f"{name.strip().lower()}:{value.strip()}\n")
        if self._signature is not None:
            if not signature:
                raise S3Fault("IncompleteBody")
            digest = hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
            self._check(signatures.trailer_string(self._signature, self._previous, digest), signature)
        algorithm = self._trailing
        values = dict(line.rstrip("\n").split(":", 1) for line in lines)
        if values.keys() != ({algorithm.header} if algorithm is not None else set()):
            raise S3Fault("MalformedTrailerError")
        if algorithm is None:
            return
        checksum = values[algorithm.header]
        checksums.check_form(algorithm, checksum, "trailing header")
        self._payload.checksum = checksum


async def read_small(request: S3Request, *, needs_md5: bool = False) -> bytes:
    """A body that is read whole, such as XML, checked as an upload is. Raises S3Fault."""
    payload = read_payload(request)
    if payload.size > _MAX_XML:
        raise S3Fault("EntityTooLarge")
    if needs_md5 and payload.md5 is None and payload.checksum is None and "x-amz-trailer" not in request.headers:
        raise S3Fault("InvalidRequest", "Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
    found = b""
    async for piece in payload.stream:
        found += piece
        if len(found) > payload.size:
            break
    if len(found) != payload.size:
        raise incomplete(len(found), payload.size)
    if payload.sha256 is not None:
        check_sha256(payload.sha256, hashlib.sha256(found).hexdigest())
    md5 = hashlib.md5(found, usedforsecurity=False)
    if payload.md5 is not None and md5.hexdigest() != payload.md5:
        raise S3Fault(
            "BadDigest", shown={"ExpectedDigest": checksums.encode(bytes.fromhex(payload.md5)), "CalculatedDigest": checksums.encode(md5.digest())}
        )
    if payload.algorithm is not None and payload.checksum is not None:
        running = payload.algorithm.start()
        running.update(found)
        if checksums.encode(running.digest()) != payload.checksum:
            raise checksums.mismatch(payload.algorithm)
    return found
