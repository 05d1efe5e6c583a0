"""Who signs with ec2 keys: tokens for a request that somebody else received, and keys for services that check signatures themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from synnefo_common.auth import Claims
from synnefo_common.clock import MICROS
from synnefo_common.errors import NotFound
from synnefo_identity.app import credentials, tokens
from synnefo_identity.app.login import Subject
from synnefo_identity.app.services import Services
from synnefo_identity.db import users
from synnefo_identity.db.base import get
from synnefo_identity.db.credentials import application_credentials
from synnefo_identity.domain import ec2
from synnefo_identity.domain.credential import APPLICATION_CREDENTIAL, EC2, Credential, id_of, is_ec2, read_keys
from synnefo_identity.domain.errors import Invalid, LoginFailed, Missing
from synnefo_identity.domain.filters import Query
from synnefo_identity.domain.login import NamedRef, Scope

_METHOD = "ec2credential"
_MAX_AGE_S = 15 * 60


@dataclass(frozen=True, slots=True)
class SigningKey:
    """What a service needs to check signatures of one day without asking again."""

    key: bytes
    token: str


def _unknown() -> NotFound:
    return NotFound("EC2 access key not found.")


async def find(svc: Services, access: str) -> Credential:
    """The ec2 credential with this access key. Raises NotFound."""
    found = await credentials.find_credential(svc, id_of(access))
    if found is None or not is_ec2(found.type) or read_keys(found.blob)["access"] != access:
        raise _unknown()
    return found


async def find_many(svc: Services, user_id: str) -> list[Credential]:
    """All of a user's."""
    return await credentials.find_credentials(svc, Query(equals={"user_id": user_id, "type": EC2}))


async def create(svc: Services, claims: Claims, user_id: str, project_id: str) -> Credential:
    """New keys of a user for a project. Raises Missing, Refused."""
    blob = f'{{"access":"{svc.ids.hex()}","secret":"{svc.ids.token_urlsafe(30)}","trust_id":null}}'
    values = {"user_id": user_id, "project_id": project_id, "type": EC2, "blob": blob, "extra": {}}
    return await credentials.create_credential(svc, claims, values)


async def issue(svc: Services, request: Mapping[str, Any], check: Callable[[str, Mapping[str, Any]], None]) -> tokens.Issued:
    """A token for who signed the request. Raises LoginFailed, NotFound (access key), Invalid."""
    issued_at = svc.clock.now_us()
    access = request.get("access")
    if not isinstance(access, str):
        raise LoginFailed
    credential = await find(svc, access)
    check(read_keys(credential.blob)["secret"], request)
    signed_at = ec2.signed_at(request)
    if signed_at is not None and svc.clock.now_us() / MICROS > signed_at + _MAX_AGE_S:
        raise LoginFailed
    return await _issue(svc, credential, issued_at=issued_at)


async def make_signing_key(svc: Services, access: str, scope: str) -> SigningKey:
    """For a service. Raises NotFound for a key that there is not or whose holder may do nothing."""
    issued_at = svc.clock.now_us()
    credential = await find(svc, access)
    try:
        issued = await _issue(svc, credential, issued_at=issued_at, with_catalog=False)
    except LoginFailed as error:
        raise _unknown() from error
    return SigningKey(ec2.signing_key(read_keys(credential.blob)["secret"], scope.split("/")), issued.token)


async def check_signature(svc: Services, access: str, texts: Sequence[str], signature: str) -> str:
    """A token of who signed one of these texts with the secret (S3's version 2), for a service. Raises LoginFailed, NotFound (access key)."""
    issued_at = svc.clock.now_us()
    credential = await find(svc, access)
    if not ec2.signs_v2(read_keys(credential.blob)["secret"], texts, signature):
        raise LoginFailed
    try:
        return (await _issue(svc, credential, issued_at=issued_at, with_catalog=False)).token
    except LoginFailed as error:
        raise _unknown() from error


async def _issue(svc: Services, credential: Credential, *, issued_at: int, with_catalog: bool = True) -> tokens.Issued:
    application = read_keys(credential.blob).get(APPLICATION_CREDENTIAL)
    async with svc.db.read() as uow:
        user = await users.for_login(uow, user_id=credential.user_id)
        used = await get(uow, application_credentials, str(application)) if application else None
    if user is None or not user.enabled or not user.domain_enabled:
        raise LoginFailed
    if application and (used is None or used.project_id != credential.project_id or used.user_id != user.id):
        raise LoginFailed
    if used is not None and used.expires_at is not None and used.expires_at <= issued_at:
        raise LoginFailed
    subject = Subject(user, (_METHOD,), credential=used, chain_id=credential.id)
    scope = Scope() if used is not None else Scope("project", NamedRef(id=credential.project_id))
    return await tokens.issue_for(svc, subject, scope, issued_at=issued_at, with_catalog=with_catalog)


def read_request(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The request in the body, under any of the names that Keystone knows. Raises Invalid."""
    for name in ("credentials", "credential", "ec2Credentials"):
        found = body.get(name)
        if found:
            if isinstance(found, dict):
                return found
            break
    raise Invalid("The body must have credentials.")


async def require_user(svc: Services, user_id: str) -> None:
    """Raises Missing."""
    async with svc.db.read() as uow:
        if await get(uow, users.users, user_id) is None:
            raise Missing("user", user_id)
