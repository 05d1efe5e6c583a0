"""Who signed a request: the signature is checked here, with a key that identity derives from the secret, which stays there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from synnefo_common.auth.claims import Claims
from synnefo_common.errors import NotFound, Unauthorized
from synnefo_object.app.services import Services
from synnefo_object.domain.s3 import signatures
from synnefo_object.domain.s3.errors import S3Fault
from synnefo_object.domain.s3.signatures import Signature, Signed
from synnefo_object.domain.s3.signatures_v2 import SignatureV2


@dataclass(frozen=True, slots=True)
class Signer:
    """A caller who proved to hold an access key.

    `key` checks what else he signed with the same signature's scope; both are missing where he signed in version 2.
    """

    claims: Claims
    token: str
    is_presigned: bool
    key: bytes = b""
    signature: Signature | None = None
    canonical: str = ""

    @property
    def region(self) -> str:
        """Which the signature is for; empty in version 2."""
        return self.signature.scope[1] if self.signature is not None else ""


async def identify(svc: Services, signature: Signature, signed: Signed) -> Signer:
    """Raises InvalidAccessKeyId, SignatureDoesNotMatch, AccessDenied (time), Unavailable."""
    signatures.check_time(signature, svc.now_s())
    canonical = signed.canonical(signature.signed_headers)
    return await identify_text(svc, signature, signatures.string_to_sign(signature, canonical), canonical=canonical)


def mismatch(access: str, text: str, given: str, canonical: str) -> S3Fault:
    """The signature is another: what it should have been made of."""

    def as_bytes(shown: str) -> str:
        return shown.encode("utf-8", "surrogateescape").hex(" ")

    shown = {"AWSAccessKeyId": access, "StringToSign": text, "SignatureProvided": given, "StringToSignBytes": as_bytes(text)}
    return S3Fault("SignatureDoesNotMatch", shown=shown | {"CanonicalRequest": canonical, "CanonicalRequestBytes": as_bytes(canonical)})


async def identify_text(svc: Services, signature: Signature, text: str, *, canonical: str = "") -> Signer:
    """The same for a string that is signed itself (a POST policy)."""
    scope = "/".join(signature.scope)
    for _ in range(2):
        known = await svc.signing_keys.find(signature.access, scope)
        if known is None:
            raise S3Fault("InvalidAccessKeyId", shown={"AWSAccessKeyId": signature.access})
        if not signatures.matches(known.key, text, signature.signature):
            raise mismatch(signature.access, text, signature.signature, canonical)
        try:
            claims = await svc.verifier.verify(known.token)
            return Signer(claims, known.token, signature.expires_s is not None, known.key, signature, canonical)
        except Unauthorized:  # revoked since it was remembered: the roles may be others now, or the key gone
            svc.signing_keys.forget(signature.access, scope)
    raise S3Fault("InvalidAccessKeyId", shown={"AWSAccessKeyId": signature.access})


async def identify_v2(svc: Services, signature: SignatureV2, texts: Sequence[str]) -> Signer:
    """The same for version 2, where identity checks each signature. Raises as `identify` does."""
    wrong = S3Fault("SignatureDoesNotMatch", shown={"AWSAccessKeyId": signature.access, "StringToSign": texts[0]})
    if not all(text.isprintable() for line in texts for text in line.split("\n")):
        raise wrong
    try:
        token = await svc.signing_keys.check(signature.access, texts, signature.signature)
        if token is None:
            raise wrong
        return Signer(await svc.verifier.verify(token), token, signature.expires is not None)
    except (NotFound, Unauthorized):
        raise S3Fault("InvalidAccessKeyId", shown={"AWSAccessKeyId": signature.access}) from None
