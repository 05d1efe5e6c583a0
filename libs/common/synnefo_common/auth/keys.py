"""Ed25519 keys and the token format: a compact JWS (RFC 7515, alg EdDSA) whose header names the key."""

from __future__ import annotations

import base64
import binascii
from typing import Protocol

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from synnefo_common.auth.claims import Claims
from synnefo_common.errors import Unauthorized


class KeySource(Protocol):
    """Where public keys come from: identity over HTTP, or identity's own table."""

    async def fetch_keys(self) -> dict[str, str]:
        """kid → public key, base64url."""
        ...


def b64encode(raw: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def b64decode(text: str) -> bytes:
    """The reverse of `b64encode`. Raises ValueError."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class SigningKey:
    """A private key with its id."""

    def __init__(self, kid: str, private: bytes) -> None:
        self.kid = kid
        self._key = Ed25519PrivateKey.from_private_bytes(private)
        self._header = b64encode(orjson.dumps({"alg": "EdDSA", "kid": kid}))

    @property
    def public(self) -> str:
        """The public half, base64url."""
        return b64encode(self._key.public_key().public_bytes_raw())

    @staticmethod
    def generate_private() -> bytes:
        """32 fresh private bytes."""
        return Ed25519PrivateKey.generate().private_bytes_raw()

    def sign(self, payload: bytes) -> str:
        """The compact JWS of the payload."""
        signed = f"{self._header}.{b64encode(payload)}"
        return f"{signed}.{b64encode(self._key.sign(signed.encode()))}"


def sign_claims(key: SigningKey, claims: Claims) -> str:
    """A token for the claims."""
    return key.sign(orjson.dumps(claims.to_payload()))


class VerifyKeys:
    """The public keys known to this process; unknown ids are looked up at the source, not more than once a second."""

    def __init__(self, source: KeySource) -> None:
        self._source = source
        self._keys: dict[str, Ed25519PublicKey] = {}

    async def refresh(self) -> None:
        """Fetch the keys. Raises what the source raises."""
        found = await self._source.fetch_keys()
        self._keys = {kid: Ed25519PublicKey.from_public_bytes(b64decode(x)) for kid, x in found.items()}

    @property
    def known(self) -> bool:
        return bool(self._keys)

    async def verify(self, token: str) -> Claims:
        """The claims of a token with a good signature. Raises Unauthorized; times are not checked here."""
        try:
            signed, _, signature = token.rpartition(".")
            header, _, payload = signed.partition(".")
            kid = orjson.loads(b64decode(header))["kid"]
            key = self._keys.get(kid)
            if key is None:
                await self.refresh()
                key = self._keys[kid]
            key.verify(b64decode(signature), signed.encode())
            return Claims.from_payload(orjson.loads(b64decode(payload)))
        except (InvalidSignature, ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
            raise Unauthorized("The request you have made requires authentication.") from error
