"""AWS Signature Version 2 for S3, which older clients still use: what is signed, and until when. The secret is identity's."""

from __future__ import annotations

from calendar import timegm
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import mktime_tz, parsedate_tz
from time import strptime

from synnefo_object.domain.s3.errors import S3Fault
from synnefo_object.domain.s3.signatures import SKEW_S

SCHEME = "AWS "
_LONGEST = 1024
# The names in a query that are signed; others are not.
_SIGNED = frozenset(
    (
        "accelerate",
        "acl",
        "analytics",
        "cors",
        "delete",
        "inventory",
        "lifecycle",
        "location",
        "logging",
        "metrics",
        "notification",
        "object-lock",
        "partNumber",
        "policy",
        "replication",
        "requestPayment",
        "response-cache-control",
        "response-content-disposition",
        "response-content-encoding",
        "response-content-language",
        "response-content-type",
        "response-expires",
        "restore",
        "select",
        "select-type",
        "storageClass",
        "tagging",
        "torrent",
        "uploadId",
        "uploads",
        "versionId",
        "versioning",
        "versions",
        "website",
    )
)


@dataclass(frozen=True, slots=True)
class SignatureV2:
    """As it was sent. `expires` is a presigned URL's: seconds since the epoch, as text."""

    access: str
    signature: str
    expires: str | None = None


def read_header(authorization: str) -> SignatureV2:
    """Of the Authorization header. Raises S3Fault."""
    access, colon, signature = authorization[len(SCHEME) :].strip().rpartition(":")
    if not colon or not _are_plain(access, signature):
        raise S3Fault("InvalidArgument", "AWS authorization header is invalid.  Expected AwsAccessKeyId:signature")
    return SignatureV2(access, signature)


def read_query(query: Mapping[str, str]) -> SignatureV2:
    """Of a presigned URL. Raises S3Fault."""
    if not _are_plain(*(query.get(name, "") for name in ("AWSAccessKeyId", "Signature", "Expires"))):
        raise S3Fault("AccessDenied", "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters")
    return SignatureV2(query["AWSAccessKeyId"], query["Signature"], query["Expires"])


def _are_plain(*values: str) -> bool:
    return all(value.isascii() and value.isprintable() and 0 < len(value) <= _LONGEST for value in values)


def check_time(signature: SignatureV2, headers: Mapping[str, str], now_s: int) -> None:
    """Raises S3Fault if it is too old or of the future."""
    if signature.expires is not None:
        if not (signature.expires.isascii() and signature.expires.isdigit()) or len(signature.expires) > 12:
            raise S3Fault("AccessDenied", f"Invalid date (should be seconds since epoch): {signature.expires[:40]}")
        if now_s >= int(signature.expires):
            raise S3Fault("AccessDenied", "Request has expired")
        return
    signed_s = _seconds(headers.get("x-amz-date") or headers.get("date", ""))
    if signed_s is None:
        raise S3Fault("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header")
    if abs(now_s - signed_s) > SKEW_S:
        raise S3Fault("RequestTimeTooSkewed")


def _seconds(text: str) -> int | None:
    parsed = parsedate_tz(text)
    try:
        return int(mktime_tz(parsed)) if parsed is not None else timegm(strptime(text, "%Y%m%dT%H%M%SZ"))
    except (ValueError, OverflowError):
        return None


def strings_to_sign(
    signature: SignatureV2, method: str, resources: Sequence[str], query: Sequence[tuple[str, str]], headers: Mapping[str, str]
) -> list[str]:
    """What the secret may have signed: clients differ in which path they take (`resources`, encoded), and in writing an empty value."""
    date = signature.expires if signature.expires is not None else "" if "x-amz-date" in headers else headers.get("date", "")
    lines = [method, headers.get("content-md5", ""), headers.get("content-type", ""), date]
    lines += [f"{name}:{' '.join(value.split())}" for name, value in sorted(headers.items()) if name.startswith("x-amz-")]
    signed = sorted((name, value) for name, value in query if name in _SIGNED)
    found = []
    for resource in resources:
        for with_equals in (False, True):
            parts = "&".join(f"{name}={value}" if value or with_equals else name for name, value in signed)
            found.append("\n".join((*lines, f"{resource}?{parts}" if parts else resource)))
    return list(dict.fromkeys(found))
