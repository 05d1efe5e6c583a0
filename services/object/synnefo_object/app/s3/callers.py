"""Who signed a request: the signature is checked here, with a key that identity derives from the secret, which stays there."""

from __future__ import annotations

from dataclasses import dataclass

from synnefo_common.auth.claims import Claims
from synnefo_common.errors import Unauthorized
from synnefo_object.app.services import Services
from synnefo_object.domain.s3 import signatures
from synnefo_object.domain.s3.errors import S3Fault
from synnefo_object.domain.s3.signatures import Signature, Signed


@dataclass(frozen=True, slots=True)
class Signer:
    """A caller who proved to hold an access key. `key` checks what else he signed with the same signature's scope."""

    claims: Claims
    token: str
    key: bytes
    signature: Signature


async def identify(svc: Services, signature: Signature, signed: Signed) -> Signer:
    """Raises InvalidAccessKeyId, SignatureDoesNotMatch, AccessDenied (time), Unavailable."""
    signatures.check_time(signature, svc.now_s())
    text = signatures.string_to_sign(signature, signed.canonical(signature.signed_headers))
    return await identify_text(svc, signature, text)


async def identify_text(svc: Services, signature: Signature, text: str) -> Signer:
    """The same for a string that is signed itself (a POST policy)."""
    scope = "/".join(signature.scope)
    for _ in range(2):
        known = await svc.signing_keys.find(signature.access, scope)
        if known is None:
            raise S3Fault("InvalidAccessKeyId", shown={"AWSAccessKeyId": signature.access})
        if not signatures.matches(known.key, text, signature.signature):
            raise S3Fault("SignatureDoesNotMatch", shown={"AWSAccessKeyId": signature.access, "StringToSign": text})
        try:
            return Signer(await svc.verifier.verify(known.token), known.token, known.key, signature)
        except Unauthorized:  # revoked since it was remembered: the roles may be others now, or the key gone
            svc.signing_keys.forget(signature.access, scope)
    raise S3Fault("InvalidAccessKeyId", shown={"AWSAccessKeyId": signature.access})
