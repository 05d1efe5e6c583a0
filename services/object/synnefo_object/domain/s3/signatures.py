"""AWS Signature Version 4 for S3: what is signed, by which key, and until when. Pure; who holds the key is `app.s3.callers`' business."""

from __future__ import annotations

import hashlib
import hmac
import re
from calendar import timegm
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_tz
from time import strftime, strptime
from urllib.parse import quote

from synnefo_object.domain.s3.errors import S3Fault

ALGORITHM = "AWS4-HMAC-SHA256"
TERMINATOR = "aws4_request"
SKEW_S = 15 * 60
MAX_EXPIRES_S = 7 * 86400
UNSIGNED = "UNSIGNED-PAYLOAD"
EMPTY_SHA256 = hashlib.sha256().hexdigest()
_DATE = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_SAFE = "-_.~"


@dataclass(frozen=True, slots=True)
class Signature:
    """A request's signature as it was sent."""

    access: str
    scope: tuple[str, str, str]  # date, region, service
    signed_headers: tuple[str, ...]
    signature: str
    date: str  # of X-Amz-Date's form
    expires_s: int | None = None  # of a presigned URL

    @property
    def scope_text(self) -> str:
        """As it is signed."""
        return "/".join((*self.scope, TERMINATOR))


def _read_credential(text: str, fault: str) -> tuple[str, tuple[str, str, str]]:
    access, *scope = text.rsplit("/", 4)
    if len(scope) != 4 or not access or scope[3] != TERMINATOR or not re.fullmatch(r"[0-9]{8}", scope[0]) or not scope[1]:
        raise S3Fault(fault, "The credential must be of the form <access-key>/YYYYMMDD/REGION/s3/aws4_request.")
    if scope[2] != "s3":
        raise S3Fault(fault, f"The credential is for the service {scope[2]!r}, not for s3.")
    return access, (scope[0], scope[1], scope[2])


def read_header(authorization: str, headers: Mapping[str, str]) -> Signature:
    """Of the Authorization header. Raises S3Fault."""
    fields: dict[str, str] = {}
    for piece in authorization[len(ALGORITHM) :].split(","):
        name, _, value = piece.strip().partition("=")
        fields[name] = value
    if not all(fields.get(name) for name in ("Credential", "SignedHeaders", "Signature")):
        raise S3Fault("AuthorizationHeaderMalformed", "The Authorization header needs Credential, SignedHeaders and Signature.")
    access, scope = _read_credential(fields["Credential"], "AuthorizationHeaderMalformed")
    date = headers.get("x-amz-date", "")
    if not date and "date" in headers:
        date = _from_http_date(headers["date"])
    if not _DATE.fullmatch(date):
        raise S3Fault("AccessDenied", "A signed request needs a valid Date or x-amz-date header.")
    if not date.startswith(scope[0]):
        raise S3Fault("AuthorizationHeaderMalformed", "The credential's date is not the date of the request.")
    names = tuple(fields["SignedHeaders"].lower().split(";"))
    unsigned = [name for name in headers if name.startswith("x-amz-") and name not in names]
    if unsigned or "host" not in names:
        raise S3Fault(
            "AccessDenied", "There are headers in the request that are not signed.", shown={"HeadersNotSigned": ", ".join(unsigned) or "host"}
        )
    return Signature(access, scope, names, fields["Signature"], date)


def _from_http_date(text: str) -> str:
    parsed = parsedate_tz(text)
    if parsed is None:
        return text
    try:
        return strftime("%Y%m%dT%H%M%SZ", parsed[:9])
    except ValueError:
        return ""


def read_query(query: Mapping[str, str]) -> Signature:
    """Of a presigned URL. Raises S3Fault."""
    fault = "AuthorizationQueryParametersError"
    if query.get("X-Amz-Algorithm") != ALGORITHM:
        raise S3Fault(fault, f"X-Amz-Algorithm only supports {ALGORITHM}.")
    missing = [n for n in ("Credential", "Date", "Expires", "SignedHeaders", "Signature") if not query.get(f"X-Amz-{n}")]
    if missing:
        raise S3Fault(fault, f"The query has no X-Amz-{missing[0]}.")
    access, scope = _read_credential(query["X-Amz-Credential"], fault)
    date, expires = query["X-Amz-Date"], query["X-Amz-Expires"]
    if not _DATE.fullmatch(date) or not date.startswith(scope[0]):
        raise S3Fault(fault, "X-Amz-Date must be of the form YYYYMMDDTHHMMSSZ, on the credential's date.")
    if not (expires.isascii() and expires.isdigit()) or len(expires) > 9 or not 0 < int(expires) <= MAX_EXPIRES_S:
        raise S3Fault(fault, f"X-Amz-Expires must be a number of seconds from 1 to {MAX_EXPIRES_S}.")
    names = tuple(query["X-Amz-SignedHeaders"].lower().split(";"))
    if "host" not in names:
        raise S3Fault(fault, "The host header must be signed.")
    return Signature(access, scope, names, query["X-Amz-Signature"], date, int(expires))


def read_fields(fields: Mapping[str, str]) -> Signature:
    """Of a form that is uploaded; its policy says until when it is good. Raises S3Fault."""
    if fields.get("x-amz-algorithm") != ALGORITHM:
        raise S3Fault("InvalidRequest", f"X-Amz-Algorithm only supports {ALGORITHM}.")
    missing = [name for name in ("x-amz-credential", "x-amz-date", "x-amz-signature") if not fields.get(name)]
    if missing:
        raise S3Fault("InvalidArgument", f"Bucket POST must contain a field named '{missing[0]}'.")
    access, scope = _read_credential(fields["x-amz-credential"], "InvalidRequest")
    date = fields["x-amz-date"]
    if not _DATE.fullmatch(date) or not date.startswith(scope[0]):
        raise S3Fault("InvalidRequest", "X-Amz-Date must be of the form YYYYMMDDTHHMMSSZ, on the credential's date.")
    return Signature(access, scope, (), fields["x-amz-signature"], date)


def check_payload(kind: str) -> None:
    """The payload's hash in a signed header, or what stands for it. Raises InvalidArgument."""
    if kind != UNSIGNED and not kind.startswith("STREAMING-") and not re.fullmatch(r"[0-9a-fA-F]{64}", kind):
        shown = {"ArgumentName": "x-amz-content-sha256", "ArgumentValue": kind}
        raise S3Fault("InvalidArgument", "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, a streaming type or a valid sha256 value.", shown=shown)


def check_time(signature: Signature, now_s: int) -> None:
    """Raises S3Fault if it is too old or of the future."""
    try:
        signed_s = timegm(strptime(signature.date, "%Y%m%dT%H%M%SZ"))
    except ValueError:
        raise S3Fault("AccessDenied", "The request's time is none.") from None
    if signature.expires_s is None:
        if abs(now_s - signed_s) > SKEW_S:
            raise S3Fault("RequestTimeTooSkewed")
    elif now_s >= signed_s + signature.expires_s:
        raise S3Fault("AccessDenied", "Request has expired")
    elif signed_s - now_s > SKEW_S:
        raise S3Fault("AccessDenied", "Request is not yet valid")


def canonical_query(pairs: Sequence[tuple[str, str]]) -> str:
    """Decoded pairs, without the signature itself."""
    encoded = sorted((quote(name, safe=_SAFE), quote(value, safe=_SAFE)) for name, value in pairs if name != "X-Amz-Signature")
    return "&".join(f"{name}={value}" for name, value in encoded)


@dataclass(frozen=True, slots=True)
class Signed:
    """A request as it is signed. `path` is decoded; `headers` has lower-case names, repeated ones joined by commas."""

    method: str
    path: bytes
    query: Sequence[tuple[str, str]]
    headers: Mapping[str, str]
    payload: str

    def canonical(self, names: Sequence[str]) -> str:
        """Its canonical form, with the headers of these names."""
        lines = "".join(f"{name}:{' '.join(self.headers.get(name, '').split())}\n" for name in names)
        path = quote(self.path, safe="/" + _SAFE)
        return "\n".join((self.method, path, canonical_query(self.query), lines, ";".join(names), self.payload))


def string_to_sign(signature: Signature, canonical: str) -> str:
    """What the key signs."""
    digest = hashlib.sha256(canonical.encode("utf-8", "surrogateescape")).hexdigest()
    return "\n".join((ALGORITHM, signature.date, signature.scope_text, digest))


def sign(key: bytes, text: str) -> str:
    """Hex."""
    return hmac.new(key, text.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()


def matches(key: bytes, text: str, given: str) -> bool:
    """Whether the key gives this signature; takes as long for any."""
    return hmac.compare_digest(sign(key, text).encode(), given.encode("utf-8", "surrogateescape"))


def chunk_string(signature: Signature, previous: str, digest: str) -> str:
    """What signs a chunk of a body: the chain goes on from the signature before."""
    return "\n".join((f"{ALGORITHM}-PAYLOAD", signature.date, signature.scope_text, previous, EMPTY_SHA256, digest))


def trailer_string(signature: Signature, previous: str, digest: str) -> str:
    """What signs the trailing headers."""
    return "\n".join((f"{ALGORITHM}-TRAILER", signature.date, signature.scope_text, previous, digest))
