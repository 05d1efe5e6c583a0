"""Names of buckets and keys, and S3's ways to write a time and a version."""

from __future__ import annotations

import re
import time

from synnefo_object.domain.limits import MAX_OBJECT_NAME_LENGTH
from synnefo_object.domain.s3.errors import S3Fault, invalid

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ADDRESS = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}")
NULL = "null"


def check_new_bucket(name: str) -> None:
    """Raises InvalidBucketName."""
    wrong = not _BUCKET.fullmatch(name) or _ADDRESS.fullmatch(name) or ".." in name or ".-" in name or "-." in name
    if wrong or name.startswith("xn--") or name.endswith("-s3alias"):
        raise S3Fault("InvalidBucketName", shown={"BucketName": name})


def check_key(name: str) -> None:
    """Raises KeyTooLongError."""
    size = len(name.encode())
    if size > MAX_OBJECT_NAME_LENGTH:
        raise S3Fault("KeyTooLongError", shown={"Size": str(size), "MaxSizeAllowed": str(MAX_OBJECT_NAME_LENGTH)})


def read_version(text: str) -> int | None:
    """The time that a version id is; None for `null`. Raises InvalidArgument."""
    if text == NULL:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise invalid("Invalid version id specified")
    return int(text)


def iso_date(us: int) -> str:
    """In XML: whole seconds in UTC, rounded up as Last-Modified is, so that listings and HEAD say the same."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(-(-us // 1_000_000)))
