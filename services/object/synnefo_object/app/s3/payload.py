"""The body of an upload with all that its sender says about it, and how it gets into the store."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from synnefo_archipelago import Root
from synnefo_common.crashpoint import crashpoint
from synnefo_object.app.services import Services
from synnefo_object.domain.errors import SwiftFault
from synnefo_object.domain.s3 import checksums
from synnefo_object.domain.s3.checksums import Algorithm, Running
from synnefo_object.domain.s3.errors import S3Fault

_BATCH = 1 << 20


@dataclass(slots=True)
class Payload:
    """`checksum` is complete when the stream has ended: it may come in a trailer. `length` is None where nobody said it."""

    stream: AsyncIterator[bytes]
    length: int | None
    sha256: str | None = None
    md5: str | None = None
    algorithm: Algorithm | None = None
    checksum: str | None = None

    @property
    def size(self) -> int:
        """The length, of a body that had to say it."""
        assert self.length is not None
        return self.length


@dataclass(frozen=True, slots=True)
class Received:
    """What lies in the store now; `checksum` is that of the payload's algorithm, empty without one."""

    root: Root
    md5: str
    checksum: str = ""


def check_sha256(given: str, computed: str) -> None:
    """Raises XAmzContentSHA256Mismatch."""
    if given.lower() != computed:
        raise S3Fault("XAmzContentSHA256Mismatch", shown={"ClientComputedContentSHA256": given, "S3ComputedContentSHA256": computed})


def incomplete(provided: int, expected: int) -> S3Fault:
    """The body had another length than was said."""
    shown = {"NumberBytesExpected": str(expected), "NumberBytesProvided": str(provided)}
    return S3Fault("IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header", shown=shown)


class _Digests:
    """Checksums beside the store's own, computed in its threads a megabyte at a time."""

    def __init__(self, svc: Services, running: list[Running]) -> None:
        self._svc = svc
        self._running = running
        self._waiting: list[bytes] = []
        self._size = 0

    async def update(self, piece: bytes) -> None:
        if self._running:
            self._waiting.append(piece)
            self._size += len(piece)
            if self._size >= _BATCH:
                await self.finish()

    async def finish(self) -> None:
        pieces, self._waiting, self._size = self._waiting, [], 0
        if sum(map(len, pieces)) <= _BATCH // 16:
            self._work(pieces)
        else:
            await self._svc.stores.run(self._work, pieces)

    def _work(self, pieces: list[bytes]) -> None:
        for piece in pieces:
            for running in self._running:
                running.update(piece)


async def receive(svc: Services, payload: Payload, *, most: int, pool: str) -> Received:
    """Stream it into a pool and check all that is said of it.

    Raises EntityTooLarge, IncompleteBody, BadDigest, XAmzContentSHA256Mismatch.
    """
    if payload.length is not None and payload.length > most:
        raise SwiftFault(413, "Upload exceeds quota.")
    sha256 = hashlib.sha256() if payload.sha256 is not None else None
    summed = payload.algorithm.start() if payload.algorithm is not None else None
    digests = _Digests(svc, [running for running in (sha256, summed) if running is not None])
    async with svc.stores.of(pool).writer(extra_hashes=("md5",)) as writer:
        seen = 0
        async for piece in payload.stream:
            seen += len(piece)
            if payload.length is None:
                if seen > most:
                    raise SwiftFault(413, "Upload exceeds quota.")
            elif seen > payload.length:
                raise incomplete(seen, payload.length)
            await writer.write(piece)
            await digests.update(piece)
        if payload.length is not None and seen != payload.length:
            raise incomplete(seen, payload.length)
        await digests.finish()
        if sha256 is not None:
            check_sha256(payload.sha256 or "", sha256.hexdigest())
        checksum = checksums.encode(summed.digest()) if summed is not None else ""
        if summed is not None and payload.checksum is not None and payload.checksum != checksum:
            assert payload.algorithm is not None
            raise checksums.mismatch(payload.algorithm)
        root = await writer.finish()
    md5 = writer.hexdigests["md5"]
    if payload.md5 is not None and payload.md5 != md5:
        raise S3Fault("BadDigest", shown={"ExpectedDigest": payload.md5, "CalculatedDigest": md5})
    crashpoint("object.put.after_bytes")
    return Received(root, md5, checksum)
