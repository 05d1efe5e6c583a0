"""Identifiers and randomness as a parameter: the only importer of `uuid` and `secrets`."""

from __future__ import annotations

import base64
import random
import secrets
import uuid
from typing import Protocol


class IdSource(Protocol):
    """Makes identifiers. `uuid` has dashes, `hex` is 32 hex digits, `token_urlsafe(n)` carries n random bytes."""

    def uuid(self) -> str: ...

    def hex(self) -> str: ...

    def token_urlsafe(self, nbytes: int = 16) -> str: ...

    def random(self) -> float: ...


class RandomIds:
    """Identifiers from the system's random source."""

    def uuid(self) -> str:
        return str(uuid.uuid4())

    def hex(self) -> str:
        return uuid.uuid4().hex

    def token_urlsafe(self, nbytes: int = 16) -> str:
        return secrets.token_urlsafe(nbytes)

    def random(self) -> float:
        return random.random()


class SequenceIds:
    """Repeatable identifiers from a seed (tests)."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)

    def uuid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def hex(self) -> str:
        return self.uuid().replace("-", "")

    def token_urlsafe(self, nbytes: int = 16) -> str:
        return base64.urlsafe_b64encode(self._random.randbytes(nbytes)).rstrip(b"=").decode()

    def random(self) -> float:
        return self._random.random()


def is_uuid(text: str) -> bool:
    """True for a UUID with or without dashes."""
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return len(text) in (32, 36)


def uuid5(namespace: str, name: str) -> str:
    """A stable UUID from two strings, for things that must get the same id when made again."""
    return str(uuid.uuid5(uuid.uuid5(uuid.NAMESPACE_URL, namespace), name))
