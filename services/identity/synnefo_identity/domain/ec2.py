"""Signatures made with ec2 keys, as `ec2tokens` and `s3tokens` tell of them. Versions 2 and 4 of AWS's, by its documents."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from synnefo_identity.domain.errors import Invalid, LoginFailed

_ALGORITHM = "AWS4-HMAC-SHA256"
_TERMINATOR = "aws4_request"


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signing_key(secret: str, scope: Sequence[str]) -> bytes:
    """The key of a scope (date, region, service), from which nobody finds the secret."""
    key = f"AWS4{secret}".encode()
    for part in (*scope[:3], _TERMINATOR):
        key = _hmac(key, part)
    return key


def _text(source: Mapping[str, Any], name: str) -> str:
    value = source.get(name, "")
    if not isinstance(value, str):
        raise Invalid(f"{name} must be a string.")
    return value


def _texts(source: Mapping[str, Any], name: str) -> dict[str, str]:
    value = source.get(name) or {}
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise Invalid(f"{name} must be an object of strings.")
    return value


def _query(params: Mapping[str, str]) -> str:
    pairs = sorted((quote(k, safe="-_.~"), quote(v, safe="-_.~")) for k, v in params.items())
    return "&".join(f"{k}={v}" for k, v in pairs)


def check_request(secret: str, request: Mapping[str, Any]) -> None:
    """The request that `ec2tokens` describes (verb, host, path, params, headers, body_hash, signature). Raises LoginFailed, Invalid."""
    given = _text(request, "signature")
    hosts = [_text(request, "host")]
    if ":" in hosts[0]:
        hosts.append(hosts[0].rpartition(":")[0])  # some clients sign without the port
    if not given or not any(hmac.compare_digest(given.encode(), _sign(secret, request, host).encode()) for host in hosts):
        raise LoginFailed


def _sign(secret: str, request: Mapping[str, Any], host: str) -> str:
    params, headers = _texts(request, "params"), _texts(request, "headers")
    verb, path = _text(request, "verb").upper(), _text(request, "path")
    if params.get("SignatureVersion") == "2":
        signed = {k: v for k, v in params.items() if k != "Signature"} | {"SignatureMethod": "HmacSHA256"}
        return base64.b64encode(_hmac(secret.encode(), f"{verb}\n{host}\n{path}\n{_query(signed)}")).decode()
    authorization = headers.get("Authorization", "")
    if authorization.startswith(_ALGORITHM):
        parts = dict(piece.strip().partition("=")[::2] for piece in authorization[len(_ALGORITHM) :].split(","))
    elif params.get("X-Amz-Algorithm") == _ALGORITHM:
        parts = {name: params.get(f"X-Amz-{name}", "") for name in ("Credential", "SignedHeaders")}
    else:
        raise LoginFailed
    scope = parts.get("Credential", "").split("/")[-4:]
    when = headers.get("X-Amz-Date") or params.get("X-Amz-Date", "")
    if len(scope) != 4 or not when.startswith(scope[0]):
        raise LoginFailed
    lower = {name.lower().strip(): value.strip() for name, value in headers.items()} | ({"host": host} if host else {})
    names = parts.get("SignedHeaders", "")
    lines = "".join(f"{name}:{lower[name]}\n" for name in names.split(";") if name in lower)
    query = "" if verb == "POST" else _query({k: v for k, v in params.items() if k != "X-Amz-Signature"})
    canonical = "\n".join((verb, path, query, lines, names, _text(request, "body_hash")))
    message = "\n".join((_ALGORITHM, when, "/".join(scope), hashlib.sha256(canonical.encode()).hexdigest()))
    return _hmac(signing_key(secret, scope), message).hex()


def check_message(secret: str, request: Mapping[str, Any]) -> None:
    """The string to sign that `s3tokens` gets as `token`, base64url, with its `signature`. Raises LoginFailed, Invalid."""
    try:
        message = base64.urlsafe_b64decode(_text(request, "token").encode())
        text = message.decode()
    except (binascii.Error, ValueError):
        raise Invalid("token must be base64.") from None
    if message.startswith(b"AWS4"):
        lines = text.split("\n")
        scope = lines[2].split("/") if len(lines) == 4 else []
        if lines[0] != _ALGORITHM or len(scope) != 4 or scope[3] != _TERMINATOR or scope[2] != "s3":
            raise LoginFailed
        wanted = _hmac(signing_key(secret, scope), text).hex()
    else:
        wanted = base64.b64encode(hmac.new(secret.encode(), message, hashlib.sha1).digest()).decode()
    if not hmac.compare_digest(wanted.encode(), _text(request, "signature").encode()):
        raise LoginFailed


def signs_v2(secret: str, texts: Sequence[str], signature: str) -> bool:
    """Whether the secret signed one of these, as S3's version 2 does."""
    made = [base64.b64encode(hmac.new(secret.encode(), text.encode("utf-8", "surrogateescape"), hashlib.sha1).digest()) for text in texts]
    return any(hmac.compare_digest(one, signature.encode()) for one in made)


def signed_at(request: Mapping[str, Any]) -> float | None:
    """Seconds since the epoch at which it was signed; None if it does not say. Raises LoginFailed for what is no time."""
    params, headers = _texts(request, "params"), _texts(request, "headers")
    text = params.get("Timestamp") or headers.get("X-Amz-Date") or params.get("X-Amz-Date")
    if not text:
        return None
    try:
        return datetime.fromisoformat(text if "+" in text or text.endswith("Z") else text + "Z").timestamp()
    except ValueError:
        raise LoginFailed from None
