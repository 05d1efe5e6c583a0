"""Headers of S3 and what is kept of them with an object. Names that begin with x-amz- are S3's own and not shown to Swift."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, quote

from synnefo_object.domain.metadata import OBJECT_HEADERS, is_clean
from synnefo_object.domain.s3 import acl
from synnefo_object.domain.s3.checksums import PREFIX as CHECKSUM
from synnefo_object.domain.s3.errors import S3Fault, invalid, not_implemented

META: Final = "x-amz-meta-"
_KEPT_META: Final = "x-object-meta-"
TAGGING: Final = "x-amz-tagging"
MAX_BYTES: Final = 2048
MAX_TAGS: Final = 10
DEFAULT_TYPE: Final = "binary/octet-stream"
# Refused rather than passed over: who asks for encryption or a lock must not believe to have it.
_REFUSED: Final = (
    "x-amz-server-side-encryption",
    "x-amz-object-lock",
    "x-amz-website-redirect-location",
    "x-amz-copy-source-server-side-encryption",
    "x-amz-write-offset-bytes",
)


def refuse_unknown(headers: Mapping[str, str]) -> None:
    """Raises NotImplemented for headers whose absence of effect would surprise, InvalidStorageClass."""
    for name in headers:
        if name.startswith(_REFUSED):
            raise not_implemented(f"The header {name}")
    if headers.get("x-amz-storage-class", "STANDARD") != "STANDARD":
        raise S3Fault("InvalidStorageClass")


def kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """All that is kept with new data: metadata, the few known headers, ACL, tags. Raises MetadataTooLarge, InvalidArgument, InvalidTag."""
    refuse_unknown(headers)
    kept: dict[str, str] = {}
    size = 0
    for name, value in headers.items():
        if not name.startswith(META):
            continue
        key = name[len(META) :]
        if not key or not is_clean(key) or not is_clean(value):
            raise invalid("Metadata needs names, and both names and values must be valid UTF-8.")
        size += len(key) + len(value.encode())
        kept[_KEPT_META + key] = value
    if size > MAX_BYTES:
        raise S3Fault("MetadataTooLarge", shown={"Size": str(size), "MaxSizeAllowed": str(MAX_BYTES)})
    for name in OBJECT_HEADERS:
        value = headers.get(name, "")
        if name == "content-encoding" and headers.get("x-amz-content-sha256", "").startswith("STREAMING-"):
            value = ", ".join(part.strip() for part in value.split(",") if part.strip() != "aws-chunked")
        if value:
            if not is_clean(value):
                raise invalid(f"{name} must be valid UTF-8.")
            kept[name] = value
    if granted := acl.of_object(headers):
        kept[acl.HEADER] = granted
    if headers.get(TAGGING):
        kept[TAGGING] = write_tags(read_tags(headers[TAGGING]))
    return kept


def content_type(headers: Mapping[str, str]) -> str:
    """Raises InvalidArgument."""
    given = headers.get("content-type") or DEFAULT_TYPE
    if not is_clean(given):
        raise invalid("Content-Type must be valid UTF-8.")
    return given


def shown_headers(kept: Mapping[str, str], *, with_checksums: bool) -> dict[str, str]:
    """What GET and HEAD tell of them."""
    shown: dict[str, str] = {}
    for name, value in kept.items():
        if name.startswith(_KEPT_META):
            shown[META + name[len(_KEPT_META) :]] = value
        elif name == TAGGING:
            shown["x-amz-tagging-count"] = str(value.count("=")) if value else "0"
        elif name.startswith(CHECKSUM):
            if with_checksums:
                shown[name] = value
        elif not name.startswith("x-"):
            shown[name] = value
    return shown


def checksums(kept: Mapping[str, str]) -> dict[str, str]:
    """Header → value."""
    return {name: value for name, value in kept.items() if name.startswith(CHECKSUM)}


def read_tags(text: str) -> list[tuple[str, str]]:
    """Of the header's form. Raises InvalidTag, InvalidArgument."""
    try:
        found = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_TAGS + 1)
    except ValueError:
        raise invalid("The header x-amz-tagging must be URL-encoded key=value pairs, ten at most.") from None
    check_tags(found)
    return found


def check_tags(tags: list[tuple[str, str]]) -> None:
    """Raises InvalidTag, BadRequest."""
    if len(tags) > MAX_TAGS:
        raise S3Fault("InvalidTag", f"An object has {MAX_TAGS} tags at most.")
    if len({key for key, _ in tags}) != len(tags):
        raise S3Fault("InvalidTag", "There are two tags of one key.")
    for key, value in tags:
        if not 0 < len(key) <= 128 or len(value) > 256 or not is_clean(key) or not is_clean(value):
            raise S3Fault("InvalidTag", "A tag's key has 1 to 128 characters, its value 256 at most.")


def write_tags(tags: list[tuple[str, str]]) -> str:
    """As it is kept."""
    return "&".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in tags)
