"""What a login asks for: who, by which methods, for which scope."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class NamedRef:
    """A user or project by id, or by name within a domain by id or name."""

    id: str | None = None
    name: str | None = None
    domain_id: str | None = None
    domain_name: str | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """`default` takes the user's default project if there is one."""

    kind: Literal["default", "unscoped", "project", "domain", "system"] = "default"
    ref: NamedRef = NamedRef()


@dataclass(frozen=True, slots=True)
class PasswordProof:
    """Method `password`."""

    user: NamedRef
    password: str


@dataclass(frozen=True, slots=True)
class TokenProof:
    """Method `token`."""

    token: str


@dataclass(frozen=True, slots=True)
class CredentialProof:
    """Method `application_credential`: by id, or by name of a user's."""

    secret: str
    id: str | None = None
    name: str | None = None
    user: NamedRef = NamedRef()


Proof = PasswordProof | TokenProof | CredentialProof


@dataclass(frozen=True, slots=True)
class Login:
    """A whole request for a token."""

    proofs: tuple[Proof, ...]
    scope: Scope
