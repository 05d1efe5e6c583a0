"""Headers that are kept with accounts, containers and objects: which, and how large they may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from synnefo_object.domain import limits
from synnefo_object.domain.errors import SwiftFault, bad_request
from synnefo_object.domain.policies import StoragePolicies, StoragePolicy

Headers = dict[str, str]
TRUE: Final = ("true", "1", "yes", "on", "t", "y")
# Kept with an object beside its X-Object-Meta-…
OBJECT_HEADERS: Final = (
    "content-disposition",
    "content-encoding",
    "cache-control",
    "content-language",
    "expires",
    "x-robots-tag",
)
# Kept with a container beside its X-Container-Meta-…
CONTAINER_HEADERS: Final = ("x-container-read", "x-container-write")
# Kept with objects for ourselves: what a static large object is made of, and what only S3 shows.
HIDDEN: Final = ("x-slo-", "x-amz-")
VERSION_HEADERS: Final = ("x-versions-location", "x-history-location")
PAYER: Final = "x-container-policy-project"
# Set by resellers alone and seen by all of the account. The first has an old name that is metadata too.
OLD_QUOTA: Final = "x-account-meta-quota-bytes"
ACCOUNT_QUOTAS: Final = (
    "x-account-quota-bytes",
    "x-account-quota-count",
)


def policy_quotas(policy: StoragePolicy) -> tuple[str, str]:
    """The names of an account's quotas of one policy."""
    return f"x-account-quota-bytes-policy-{policy.name.lower()}", f"x-account-quota-count-policy-{policy.name.lower()}"


def is_clean(value: str) -> bool:
    """No half of a UTF-16 pair (how undecodable header bytes arrive), no control characters."""
    return not any(0xDC80 <= ord(c) <= 0xDCFF or c in "\x00\r\n" for c in value)


def user_metadata(headers: Mapping[str, str], level: str) -> Headers:
    """The `x-<level>-meta-` headers, checked. Raises 400."""
    prefix = f"x-{level}-meta-"
    found: Headers = {}
    size = 0
    for name, value in headers.items():
        if not name.startswith(prefix):
            if len(value) > limits.MAX_HEADER_SIZE:
                raise bad_request(f"Header value too long: {name[: limits.MAX_META_NAME_LENGTH]}")
            continue
        key = name[len(prefix) :]
        if not key:
            raise bad_request("Metadata name cannot be empty")
        if not is_clean(key) or not is_clean(value):
            raise bad_request("Metadata must be valid UTF-8")
        value_length = len(value.encode())
        if len(key) > limits.MAX_META_NAME_LENGTH:
            raise bad_request(f"Metadata name too long: {name}")
        if value_length > limits.MAX_META_VALUE_LENGTH:
            raise bad_request(f"Metadata value longer than {limits.MAX_META_VALUE_LENGTH}: {name}")
        found[name] = value
        size += len(key) + value_length
    if len(found) > limits.MAX_META_COUNT:
        raise bad_request(f"Too many metadata items; max {limits.MAX_META_COUNT}")
    if size > limits.MAX_META_OVERALL_SIZE:
        raise bad_request(f"Total metadata too large; max {limits.MAX_META_OVERALL_SIZE}")
    return found


def removals(headers: Mapping[str, str], level: str) -> set[str]:
    """What X-Remove-<Level>-… names, as the header to remove."""
    prefix = f"x-remove-{level}-"
    return {f"x-{level}-{name[len(prefix) :]}" for name in headers if name.startswith(prefix) and len(name) > len(prefix)}


def merge(current: Mapping[str, str], given: Mapping[str, str], removed: set[str], level: str) -> Headers:
    """What a POST leaves: given headers set, empty ones and removed ones gone. Raises 400 if it grows too large."""
    merged = {**current}
    for name, value in given.items():
        if value == "":
            merged.pop(name, None)
        else:
            merged[name] = value
    for name in removed:
        merged.pop(name, None)
    user_metadata({n: v for n, v in merged.items() if n.startswith(f"x-{level}-meta-")}, level)
    return merged


def _is_figure(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) < 19


def container_quotas(given: Mapping[str, str]) -> None:
    """X-Container-Meta-Quota-Bytes and -Count are numbers. Raises 400."""
    for what, text in (("bytes", "bytes"), ("count", "object count")):
        value = given.get(f"x-container-meta-quota-{what}")
        if value and not _is_figure(value):
            raise bad_request(f"Invalid {text} quota.")


def account_quotas(headers: Mapping[str, str], removed: set[str], policies: StoragePolicies, *, is_reseller: bool) -> Headers:
    """The account quotas that a POST sets, empty where it removes one. Raises 400, 403 for who is no reseller."""
    names = [*ACCOUNT_QUOTAS, *(name for policy in policies.all for name in policy_quotas(policy))]
    found = {name: headers[name] for name in names if name in headers} | dict.fromkeys(removed.intersection(names), "")
    if not found.get(ACCOUNT_QUOTAS[0]) and (OLD_QUOTA in headers or OLD_QUOTA in removed):
        found[ACCOUNT_QUOTAS[0]] = "" if OLD_QUOTA in removed else headers[OLD_QUOTA]
    if found and not is_reseller:
        raise SwiftFault(403)
    if any(value and not _is_figure(value) for value in found.values()):
        raise SwiftFault(400)
    return found


def object_headers(headers: Mapping[str, str]) -> Headers:
    """All that is kept with an object from a PUT or POST: metadata and the few known headers. Raises 400."""
    kept = user_metadata(headers, "object")
    for name in OBJECT_HEADERS:
        value = headers.get(name)
        if value:
            if not is_clean(value):
                raise bad_request(f"{name} must be valid UTF-8")
            kept[name] = value
    return kept


def delete_at(headers: Mapping[str, str], *, now_s: int) -> int | None:
    """Seconds since the epoch at which the object goes, by X-Delete-After or X-Delete-At. Raises 400."""
    from synnefo_object.domain.times import parse_seconds

    after, at = headers.get("x-delete-after"), headers.get("x-delete-at")
    if after:
        seconds = parse_seconds(after)
        if seconds is None:
            raise bad_request("Non-integer X-Delete-After")
        at = str(now_s + seconds)  # read again below: the far future has an end
        if seconds <= 0:
            raise bad_request("X-Delete-After in past")
    if not at:
        return None
    when = parse_seconds(at)
    if when is None:
        raise bad_request("Non-integer X-Delete-At")
    if when <= now_s:
        raise bad_request("X-Delete-At in past")
    return when


def if_delete_at(headers: Mapping[str, str]) -> int | None:
    """The time that X-If-Delete-At asks for. Raises 400."""
    from synnefo_object.domain.times import parse_seconds

    text = headers.get("x-if-delete-at")
    when = parse_seconds(text) if text is not None else None
    if text is not None and when is None:
        raise bad_request("Bad X-If-Delete-At header value")
    return when


def check_length(headers: Mapping[str, str]) -> int | None:
    """Content-Length of an upload, None when it is chunked. Raises 400, 411, 413, 501."""
    coding = headers.get("transfer-encoding")
    if coding is not None and coding.lower() != "chunked":
        raise bad_request("Invalid Transfer-Encoding header value") if "," not in coding else SwiftFault(501)
    length = headers.get("content-length")
    if length is None or coding is not None:
        if coding is None:
            raise SwiftFault(411, "Missing Content-Length header.")
        return None
    if not (length.isascii() and length.isdigit()):
        raise bad_request("Invalid Content-Length header value")
    if int(length) > limits.MAX_FILE_SIZE:
        raise SwiftFault(413, "Your request is too large.")
    return int(length)
