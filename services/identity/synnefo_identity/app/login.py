"""Who logs in: proofs to a user. Every failure is the same 401, but for a token that is no longer good: 404, as in Keystone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from synnefo_common.auth import Claims
from synnefo_common.clock import MICROS
from synnefo_common.errors import NotFound, Unauthorized
from synnefo_identity.app.services import Services
from synnefo_identity.db import users
from synnefo_identity.db.base import get
from synnefo_identity.db.credentials import application_credentials
from synnefo_identity.domain.errors import LoginFailed
from synnefo_identity.domain.login import CredentialProof, Login, NamedRef, PasswordProof, Proof, TokenProof


@dataclass(frozen=True, slots=True)
class Subject:
    """A user whose proofs were good."""

    user: Row[Any]
    methods: tuple[str, ...]
    parent: Claims | None = None
    credential: Row[Any] | None = None
    chain_id: str | None = None  # the audit chain, when it begins with something else than a token


@dataclass(frozen=True, slots=True)
class _Shown:
    user: Row[Any] | None
    method: str
    parent: Claims | None = None
    credential: Row[Any] | None = None


async def identify(svc: Services, login: Login) -> Subject:
    """The user behind all proofs, who must be one and enabled. Raises LoginFailed, NotFound (token)."""
    shown = [await _check(svc, proof) for proof in login.proofs]
    user = shown[0].user
    if user is None or any(s.user is None or s.user.id != user.id for s in shown):
        raise LoginFailed
    if not user.enabled or not user.domain_enabled:
        raise LoginFailed
    parent = next((s.parent for s in shown if s.parent is not None), None)
    credential = next((s.credential for s in shown if s.credential is not None), None)
    methods = [s.method for s in shown] + list(parent.methods if parent else ())
    return Subject(user, tuple(dict.fromkeys(methods)), parent, credential)


async def _check(svc: Services, proof: Proof) -> _Shown:
    match proof:
        case PasswordProof():
            return await _check_password(svc, proof)
        case TokenProof():
            return await _check_token(svc, proof)
        case CredentialProof():
            return await _check_credential(svc, proof)


async def _find_user(svc: Services, ref: NamedRef) -> Row[Any] | None:
    async with svc.db.read() as uow:
        return await users.for_login(uow, user_id=ref.id, name=ref.name, domain_id=ref.domain_id, domain_name=ref.domain_name)


async def _check_password(svc: Services, proof: PasswordProof) -> _Shown:
    user = await _find_user(svc, proof.user)
    if not await svc.passwords.matches(user.password_hash if user else None, proof.password):
        raise LoginFailed
    return _Shown(user, "password")


async def _check_token(svc: Services, proof: TokenProof) -> _Shown:
    try:
        parent = await svc.own_verifier.verify(proof.token)
    except Unauthorized as error:
        raise NotFound("Failed to validate token.") from error
    credential = None
    async with svc.db.read() as uow:
        user = await users.for_login(uow, user_id=parent.user_id)
        if parent.credential_id is not None:
            credential = await get(uow, application_credentials, parent.credential_id)
            if credential is None:
                raise LoginFailed
    return _Shown(user, "token", parent, credential)


async def _check_credential(svc: Services, proof: CredentialProof) -> _Shown:
    table = application_credentials
    async with svc.db.read() as uow:
        user = None
        if proof.id is not None:
            row = await get(uow, table, proof.id)
        else:
            ref = proof.user
            user = await users.for_login(uow, user_id=ref.id, name=ref.name, domain_id=ref.domain_id, domain_name=ref.domain_name)
            row = await uow.one(table.select().where(table.c.user_id == user.id, table.c.name == proof.name)) if user else None
        if row is not None and user is None:
            user = await users.for_login(uow, user_id=row.user_id)
    good = await svc.passwords.matches(row.secret_hash if row else None, proof.secret)
    if not good or row is None or (row.expires_at is not None and row.expires_at <= svc.clock.now_us() // MICROS * MICROS):
        raise LoginFailed
    return _Shown(user, "application_credential", credential=row)
