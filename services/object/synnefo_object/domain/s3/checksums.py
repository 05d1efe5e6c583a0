"""The checksums that clients send with data and get back: x-amz-checksum-…"""

from __future__ import annotations

import binascii
import hashlib
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from awscrt import checksums as crt

from synnefo_object.domain.s3.errors import S3Fault, invalid

PREFIX = "x-amz-checksum-"
_ABOUT = frozenset(PREFIX + name for name in ("algorithm", "mode", "type"))
COMPOSITE, FULL_OBJECT = "COMPOSITE", "FULL_OBJECT"


class Running(Protocol):
    """A checksum under way, as `hashlib` has them."""

    def update(self, data: bytes, /) -> object: ...

    def digest(self) -> bytes: ...


class _Crc:
    def __init__(self, function: Callable[[bytes, int], int], size: int) -> None:
        self._function = function
        self._size = size
        self._value = 0

    def update(self, data: bytes) -> None:
        self._value = self._function(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


@dataclass(frozen=True, slots=True)
class Algorithm:
    """`combine` makes the checksum of joined data of those of its parts and the length of the second; None where that cannot be."""

    name: str
    size: int
    start: Callable[[], Running]
    combine: Callable[[int, int, int], int] | None = None

    @property
    def header(self) -> str:
        """x-amz-checksum-…"""
        return PREFIX + self.name.lower()

    @property
    def element(self) -> str:
        """As XML has it."""
        return "Checksum" + self.name


ALGORITHMS: Mapping[str, Algorithm] = {
    a.name: a
    for a in (
        Algorithm("CRC32", 4, lambda: _Crc(zlib.crc32, 4), crt.combine_crc32),
        Algorithm("CRC32C", 4, lambda: _Crc(crt.crc32c, 4), crt.combine_crc32c),
        Algorithm("CRC64NVME", 8, lambda: _Crc(crt.crc64nvme, 8), crt.combine_crc64nvme),
        Algorithm("SHA1", 20, lambda: hashlib.sha1(usedforsecurity=False)),
        Algorithm("SHA256", 32, hashlib.sha256),
    )
}
_BY_HEADER = {a.header: a for a in ALGORITHMS.values()}


def by_name(name: str) -> Algorithm:
    """Raises InvalidRequest."""
    found = ALGORITHMS.get(name.upper())
    if found is None:
        raise S3Fault("InvalidRequest", f"The checksum algorithm must be one of {', '.join(ALGORITHMS)}.")
    return found


def default_type(algorithm: Algorithm) -> str:
    """Of a multipart upload that names none."""
    return FULL_OBJECT if algorithm.name == "CRC64NVME" else COMPOSITE


def by_header(name: str) -> Algorithm | None:
    """Of a header's or trailer's name."""
    return _BY_HEADER.get(name)


def given_in(headers: Mapping[str, str]) -> tuple[Algorithm, str] | None:
    """The checksum among the headers, checked for its form. Raises InvalidRequest."""
    given = [name for name in headers if name.startswith(PREFIX) and name not in _ABOUT]
    if any(name not in _BY_HEADER for name in given):
        raise S3Fault("InvalidRequest", "The algorithm type you specified in x-amz-checksum- header is invalid.")
    found = [(_BY_HEADER[name], headers[name]) for name in given]
    if len(found) > 1:
        raise S3Fault("InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
    if not found:
        return None
    algorithm, value = found[0]
    check_form(algorithm, value)
    return algorithm, value


def check_form(algorithm: Algorithm, value: str, where: str = "header") -> None:
    """Raises InvalidRequest for what is no such checksum in base64."""
    try:
        raw = b64decode(value, validate=True)
        is_one = len(raw) == algorithm.size and encode(raw) == value
    except (binascii.Error, ValueError):
        is_one = False
    if not is_one:
        raise S3Fault("InvalidRequest", f"Value for {algorithm.header} {where} is invalid.")


def mismatch(algorithm: Algorithm) -> S3Fault:
    """The data has another checksum than was said."""
    return S3Fault("BadDigest", f"The {algorithm.name} you specified did not match the calculated checksum.")


def encode(digest: bytes) -> str:
    """As headers have it."""
    return b64encode(digest).decode()


def compose(algorithm: Algorithm, kind: str, parts: Sequence[tuple[str, int]]) -> str:
    """The checksum of an object of the (checksum, size) of its parts. Raises InvalidArgument."""
    raw = [b64decode(value) for value, _ in parts]
    if kind == COMPOSITE:
        whole = algorithm.start()
        whole.update(b"".join(raw))
        return f"{encode(whole.digest())}-{len(parts)}"
    if algorithm.combine is None:
        raise invalid(f"{algorithm.name} has no checksum of type {FULL_OBJECT}.")
    value = int.from_bytes(raw[0], "big")
    for part, (_, size) in zip(raw[1:], parts[1:], strict=True):
        value = algorithm.combine(value, int.from_bytes(part, "big"), size)
    return encode(value.to_bytes(algorithm.size, "big"))


def read_md5(text: str) -> str:
    """Content-MD5 in hex. Raises InvalidDigest."""
    try:
        raw = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise S3Fault("InvalidDigest") from None
    if len(raw) != 16:
        raise S3Fault("InvalidDigest")
    return raw.hex()
