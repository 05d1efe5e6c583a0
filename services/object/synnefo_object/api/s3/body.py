"""The body of an upload: plain, or in the chunks that AWS's clients send, signed or not, with checksums before or behind."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

from synnefo_object.api.s3.request import S3Request
from synnefo_object.app.s3.payload import Payload, check_sha256
from synnefo_object.domain.s3 import checksums, signatures
from synnefo_object.domain.s3.checksums import Algorithm
from synnefo_object.domain.s3.errors import S3Fault

_SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
_STREAMING = {_SIGNED, f"{_SIGNED}-TRAILER", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}
_MAX_LINE = 16 << 10
_MAX_XML = 4 << 20


def _length(request: S3Request, name: str = "content-length") -> int:
    text = request.headers.get(name)
    if text is None:
        raise S3Fault("MissingContentLength")
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise S3Fault("InvalidArgument", f"{name} must be a number.")
    return int(text)


def read_payload(request: S3Request) -> Payload:
    """The body with all that is said of it. Raises S3Fault."""
    headers = request.headers
    kind = headers.get("x-amz-content-sha256", signatures.UNSIGNED)
    md5 = checksums.read_md5(headers["content-md5"]) if "content-md5" in headers else None
    given = checksums.given_in(headers)
    algorithm, checksum = given if given is not None else (None, None)
    named = headers.get("x-amz-sdk-checksum-algorithm")
    if named and given is not None and given[0].name != named.upper():
        raise S3Fault("InvalidRequest", "Value for x-amz-sdk-checksum-algorithm header is invalid.")
    if named and given is None and "x-amz-trailer" not in headers:
        algorithm = checksums.by_name(named)
    is_presigned = request.signer is not None and request.signer.signature.expires_s is not None
    if is_presigned and kind != signatures.UNSIGNED:  # whatever it says, it is taken for the hash
        return Payload(request.pieces(), _length(request), kind, md5, algorithm, checksum)
    if kind not in _STREAMING:
        if kind.startswith("STREAMING-"):
            raise S3Fault("NotImplemented", f"The payload type {kind} is not offered by this cloud.")
        sha256 = kind if kind != signatures.UNSIGNED and request.signer is not None else None
        return Payload(request.pieces(), _length(request), sha256, md5, algorithm, checksum)
    length = _length(request, "x-amz-decoded-content-length")
    trailing: Algorithm | None = None
    if kind.endswith("-TRAILER"):
        trailer = headers.get("x-amz-trailer", "").strip(" ,").lower()
        trailing = checksums.by_header(trailer) if trailer else None
        if trailer and trailing is None:
            raise S3Fault("InvalidRequest", "The value specified in the x-amz-trailer header is not supported")
        if trailing is not None and given is not None:
            raise S3Fault("InvalidRequest", "Expecting a single x-amz-checksum- header")
        algorithm = trailing or algorithm
    payload = Payload(request.pieces(), length, None, md5, algorithm, checksum)
    decoder = _Chunks(request, payload, is_signed=kind.startswith(_SIGNED), has_trailer=kind.endswith("-TRAILER"), trailing=trailing)
    payload.stream = decoder.read()
    return payload


class _Chunks:
    """`hex length[;chunk-signature=…]`, the data, and so on to a length of zero; then trailing headers."""

    def __init__(self, request: S3Request, payload: Payload, *, is_signed: bool, has_trailer: bool, trailing: Algorithm | None) -> None:
        self._pieces = request.pieces()
        self._payload = payload
        self._signer = request.signer if is_signed else None
        if is_signed and request.signer is None:
            raise S3Fault("AccessDenied", "A signed body needs a signed request.")
        self._previous = request.signer.signature.signature if request.signer is not None else ""
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
                raise S3Fault("InvalidRequest", "The chunks of the body cannot be read.")
            await self._more()
        line, self._buffer = self._buffer[:at], self._buffer[at + 2 :]
        return line

    async def read(self) -> AsyncIterator[bytes]:
        """The data; each chunk's signature is checked when it has gone by, before anything of it can be seen."""
        while True:
            size, signature = self._head(await self._line())
            digest = hashlib.sha256() if self._signer is not None else None
            left = size
            while left:
                if not self._buffer:
                    await self._more()
                piece, self._buffer = self._buffer[:left], self._buffer[left:]
                left -= len(piece)
                if digest is not None:
                    digest.update(piece)
                yield piece
            if self._signer is not None and digest is not None:
                self._check(signatures.chunk_string(self._signer.signature, self._previous, digest.hexdigest()), signature)
            if size == 0:
                break
            if await self._line():
                raise S3Fault("InvalidRequest", "A chunk is longer than it says.")
        if self._has_trailer:
            await self._trailer()

    def _head(self, line: bytes) -> tuple[int, str]:
        text, _, rest = line.partition(b";")
        name, _, signature = rest.partition(b"=")
        try:
            size = int(text, 16) if text.isalnum() and len(text) < 17 else -1
        except ValueError:
            size = -1
        if size < 0 or (self._signer is not None and name.strip() != b"chunk-signature"):
            raise S3Fault("InvalidRequest", "The chunks of the body cannot be read.")
        return size, signature.decode("latin-1").strip()

    def _check(self, text: str, given: str) -> None:
        assert self._signer is not None
        if not signatures.matches(self._signer.key, text, given):
            raise S3Fault("SignatureDoesNotMatch", shown={"AWSAccessKeyId": self._signer.signature.access, "StringToSign": text})
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
                if signature or self._signer is None or not lines:
                    break
                continue
            name, _, value = line.decode("utf-8", "surrogateescape").rstrip("\n").partition(":")
            if name.strip().lower() == "x-amz-trailer-signature":
                signature = value.strip()
            else:
                lines.append(f"{name.strip().lower()}:{value.strip()}\n")
        if self._signer is not None:
            digest = hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
            self._check(signatures.trailer_string(self._signer.signature, self._previous, digest), signature)
        algorithm = self._trailing
        if algorithm is None:
            return
        values = dict(line.rstrip("\n").split(":", 1) for line in lines)
        checksum = values.get(algorithm.header)
        if checksum is None:
            raise S3Fault("MalformedTrailerError")
        checksums.check_form(algorithm, checksum, "trailing header")
        self._payload.checksum = checksum


async def read_small(request: S3Request, *, needs_md5: bool = False) -> bytes:
    """A body that is read whole, such as XML, checked as an upload is. Raises S3Fault."""
    payload = read_payload(request)
    if payload.length > _MAX_XML:
        raise S3Fault("EntityTooLarge")
    if needs_md5 and payload.md5 is None and payload.checksum is None and "x-amz-trailer" not in request.headers:
        raise S3Fault("InvalidRequest", "Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
    found = b""
    async for piece in payload.stream:
        found += piece
        if len(found) > payload.length:
            raise S3Fault("IncompleteBody")
    if len(found) != payload.length:
        raise S3Fault("IncompleteBody")
    if payload.sha256 is not None:
        check_sha256(payload.sha256, hashlib.sha256(found).hexdigest())
    if payload.md5 is not None and hashlib.md5(found, usedforsecurity=False).hexdigest() != payload.md5:
        raise S3Fault("BadDigest")
    if payload.algorithm is not None and payload.checksum is not None:
        running = payload.algorithm.start()
        running.update(found)
        if checksums.encode(running.digest()) != payload.checksum:
            raise checksums.mismatch(payload.algorithm)
    return found
