"""Tokens: claims, local verification, the revocation log."""

from synnefo_common.auth.claims import Claims
from synnefo_common.auth.keys import KeySource, SigningKey, VerifyKeys, sign_claims
from synnefo_common.auth.revocation import RevocationLog, RevocationSource
from synnefo_common.auth.verifier import LocalVerifier, TokenVerifier

__all__ = [
    "Claims", "KeySource", "LocalVerifier", "RevocationLog", "RevocationSource", "SigningKey", "TokenVerifier", "VerifyKeys", "sign_claims",
]  # fmt: skip
