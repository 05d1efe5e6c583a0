"""A credential that a user keeps here for other uses, readable; of type `ec2`, the keys that requests to S3 are signed with."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from synnefo_identity.domain.errors import Invalid

EC2 = "ec2"
# Kept in the blob of an ec2 credential that was made with an application credential: it has no more rights than that.
APPLICATION_CREDENTIAL = "app_cred_id"
_SCOPES = ("trust_id", APPLICATION_CREDENTIAL, "access_token_id", "access_id")


@dataclass(frozen=True, slots=True)
class Credential:
    """One, with its blob as the user gave it."""

    id: str
    user_id: str
    project_id: str | None
    type: str
    blob: str
    extra: Mapping[str, Any]


def is_ec2(kind: str) -> bool:
    """Keystone compares the type so."""
    return kind.lower() == EC2


def id_of(access: str) -> str:
    """The id of the credential with this access key, by which it is found."""
    return hashlib.sha256(access.encode("utf-8", "surrogatepass")).hexdigest()


def read_keys(blob: str) -> dict[str, Any]:
    """The blob of an ec2 credential. Raises Invalid if it has not got what it needs."""
    refused = 'The blob of an ec2 credential is JSON with "access" and "secret".'
    try:
        keys = orjson.loads(blob)
    except orjson.JSONDecodeError:
        raise Invalid(refused) from None
    if not isinstance(keys, dict) or not all(isinstance(keys.get(name), str) and keys[name] for name in ("access", "secret")):
        raise Invalid(refused)
    return keys


def check_scope(old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """What an ec2 credential is bound to cannot change. Raises Invalid."""
    for name in _SCOPES:
        if old.get(name) != new.get(name):
            raise Invalid(f"{name} can not be updated for credential")
