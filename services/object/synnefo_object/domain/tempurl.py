"""Signed URLs and forms: what is signed, and whether a signature is good. Keys come from the caller."""

from __future__ import annotations

import base64
import binascii
import calendar
import hmac
import ipaddress
import time
from collections.abc import Iterable, Sequence
from typing import Final

DIGESTS: Final = ("sha1", "sha256", "sha512")
METHODS: Final = ("GET", "HEAD", "PUT", "POST", "DELETE")
_BY_LENGTH = {40: "sha1", 64: "sha256", 128: "sha512"}
_FORMS = ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d")


def read_expiry(text: str) -> int | None:
    """Seconds since the epoch, given so or as an ISO 8601 time in UTC; None for anything else."""
    if text.isascii() and text.isdigit() and len(text) < 16:
        return int(text)
    for form in _FORMS:
        try:
            return calendar.timegm(time.strptime(text, form))
        except ValueError:
            continue
    return None


def read_signature(text: str) -> tuple[str, str] | None:
    """(digest, hex) of a hex signature or of `digest:base64`; None for anything else."""
    if ":" in text:
        digest, encoded = text.split(":", 1)
        encoded = encoded.replace("-", "+").replace("_", "/")
        try:
            found = binascii.hexlify(base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)).decode()
        except (binascii.Error, ValueError):
            return None
        return (digest, found) if digest in DIGESTS and _BY_LENGTH.get(len(found)) == digest else None
    known = _BY_LENGTH.get(len(text))
    return (known, text.lower()) if known else None


def sign(message: str, key: str, digest: str) -> str:
    """Hex HMAC."""
    return hmac.new(key.encode(), message.encode(), digest).hexdigest()


def is_signed(messages: Iterable[str], keys: Iterable[str], signature: tuple[str, str]) -> str | None:
    """The key that signed one of the messages, or None."""
    digest, given = signature
    messages = list(messages)
    found = None
    for key in keys:
        for message in messages:
            if hmac.compare_digest(sign(message, key, digest).encode(), given.encode("utf-8", "replace")):
                found = key
    return found


def message(method: str, expires: int | str, path: str, ip_range: str | None) -> str:
    """What a TempURL signs."""
    text = f"{method}\n{expires}\n{path}"
    return f"ip={ip_range}\n{text}" if ip_range is not None else text


def methods_that_cover(method: str) -> Sequence[str]:
    """HEAD may be done with a URL signed for GET, PUT or POST."""
    return ("HEAD", "GET", "POST", "PUT") if method == "HEAD" else (method,)


def in_range(address: str | None, ip_range: str) -> bool:
    """True if the client's address is within."""
    try:
        return address is not None and ipaddress.ip_address(address) in ipaddress.ip_network(ip_range, strict=False)
    except ValueError:
        return False
