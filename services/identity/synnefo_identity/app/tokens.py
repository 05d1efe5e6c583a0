"""Tokens: issue, show, revoke."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any

import orjson

from synnefo_common.auth import Claims, sign_claims
from synnefo_common.clock import MICROS, iso
from synnefo_common.db import UnitOfWork
from synnefo_common.errors import NotFound, Unauthorized
from synnefo_identity.app import access
from synnefo_identity.app.login import Subject, identify
from synnefo_identity.app.services import Services
from synnefo_identity.db import projects, users
from synnefo_identity.db.base import get
from synnefo_identity.db.credentials import application_credentials
from synnefo_identity.domain.catalog import render
from synnefo_identity.domain.errors import LoginFailed
from synnefo_identity.domain.login import Login, NamedRef, Scope


@dataclass(frozen=True, slots=True)
class _Target:
    """Where a token is to be good, with roles not yet expanded."""

    kind: str = "unscoped"
    row: Any = None
    role_ids: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Issued:
    """A token with its body."""

    token: str
    body: bytes


async def issue(svc: Services, login: Login, *, with_catalog: bool = True) -> Issued:
    """A new token. Raises LoginFailed for every wrong proof, scope or lack of roles."""
    # Before anything is read: whoever takes a role away from now on voids this token too.
    issued_at = svc.clock.now_us()
    return await issue_for(svc, await identify(svc, login), login.scope, issued_at=issued_at, with_catalog=with_catalog)


async def issue_for(svc: Services, subject: Subject, scope: Scope, *, issued_at: int, with_catalog: bool = True) -> Issued:
    """A new token for who has proved to be it. Raises LoginFailed for a wrong scope or lack of roles."""
    target = await _resolve(svc, subject, scope)
    graph = await svc.role_graph.get()
    roles = graph.for_token(target.role_ids)
    if target.kind != "unscoped" and not roles:
        raise LoginFailed
    claims = _claims(svc, subject, target, roles=roles, issued_at=issued_at)
    key = await svc.signing_key.get()
    names = _Names(subject.user, target.row, subject.credential)
    return Issued(sign_claims(key, claims), orjson.dumps(await _body(svc, claims, names, with_catalog=with_catalog)))


def _claims(svc: Services, subject: Subject, target: _Target, *, roles: tuple[tuple[str, str], ...], issued_at: int) -> Claims:
    own = _audit_id(svc)
    chain_id = subject.parent.audit_ids[-1] if subject.parent else subject.chain_id
    expires_at = subject.parent.expires_at if subject.parent else issued_at + svc.settings.token_ttl_s * MICROS
    if subject.credential is not None and subject.credential.expires_at is not None:
        expires_at = min(expires_at, subject.credential.expires_at)
    on_project = target.row if target.kind == "project" else None
    return Claims(
        user_id=subject.user.id,
        user_domain_id=subject.user.domain_id,
        methods=subject.methods,
        audit_ids=(own, chain_id) if chain_id else (own,),
        issued_at=issued_at,
        expires_at=expires_at,
        project_id=on_project.id if on_project else None,
        project_domain_id=(on_project.domain_id or on_project.id) if on_project else None,
        domain_id=target.row.id if target.kind == "domain" else None,
        system=target.kind == "system",
        roles=roles,
        credential_id=subject.credential.id if subject.credential else None,
        is_domain=bool(on_project and on_project.is_domain),
    )


def _audit_id(svc: Services) -> str:
    return base64.urlsafe_b64encode(bytes.fromhex(svc.ids.hex())).rstrip(b"=").decode()


async def _resolve(svc: Services, subject: Subject, scope: Scope) -> _Target:
    async with svc.db.read() as uow:
        if subject.credential is not None:
            return await _of_credential(uow, svc, subject, scope)
        match scope.kind:
            case "unscoped":
                return _Target()
            case "project":
                return await _on_project(uow, subject, scope.ref)
            case "domain":
                row = await projects.domain(uow, domain_id=scope.ref.id, name=scope.ref.name)
                if row is None or not row.enabled:
                    raise LoginFailed
                return _Target("domain", row, await access.roles_on_domain(uow, subject.user.id, row.id))
            case "system":
                return _Target("system", None, await access.roles_on_system(uow, subject.user.id))
            case _:
                return await _default(uow, svc, subject)


async def _on_project(uow: UnitOfWork, subject: Subject, ref: NamedRef) -> _Target:
    row = await projects.for_scope(uow, project_id=ref.id, name=ref.name, domain_id=ref.domain_id, domain_name=ref.domain_name)
    if row is None or not row.enabled or row.domain_enabled is False:
        raise LoginFailed
    return _Target("project", row, await access.roles_on_project(uow, subject.user.id, row))


async def _default(uow: UnitOfWork, svc: Services, subject: Subject) -> _Target:
    """The default project if it can be had, else no scope: then nothing fails."""
    if subject.user.default_project_id is None or subject.parent is not None:
        return _Target()
    try:
        found = await _on_project(uow, subject, NamedRef(id=subject.user.default_project_id))
    except LoginFailed:
        return _Target()
    graph = await svc.role_graph.get()
    return found if graph.for_token(found.role_ids) else _Target()


async def _of_credential(uow: UnitOfWork, svc: Services, subject: Subject, scope: Scope) -> _Target:
    """An application credential is good for its own project, with those of its roles that its user still has."""
    credential = subject.credential
    assert credential is not None
    if scope.kind != "default" and (subject.parent is None or scope.kind != "project" or scope.ref.id not in (None, credential.project_id)):
        raise LoginFailed
    found = await _on_project(uow, subject, NamedRef(id=credential.project_id))
    graph = await svc.role_graph.get()
    still = set(graph.expand(found.role_ids))
    return _Target("project", found.row, [role_id for role_id in credential.role_ids if role_id in still])


@dataclass(frozen=True, slots=True)
class _Names:
    """Rows with the names that a body shows; `scope` is a project with its domain's name, or a domain."""

    user: Any
    scope: Any
    credential: Any = None


async def _names(svc: Services, claims: Claims) -> _Names:
    """Raises NotFound if something the token names is gone or disabled."""
    async with svc.db.read() as uow:
        user = await users.for_login(uow, user_id=claims.user_id)
        scope = credential = None
        if claims.project_id is not None:
            scope = await projects.for_scope(uow, project_id=claims.project_id)
        elif claims.domain_id is not None:
            scope = await projects.domain(uow, domain_id=claims.domain_id)
        if claims.credential_id is not None:
            credential = await get(uow, application_credentials, claims.credential_id)
    gone = user is None or (scope is None and (claims.project_id or claims.domain_id)) or (credential is None and claims.credential_id)
    if gone:
        raise NotFound("Failed to validate token.")
    return _Names(user, scope, credential)


async def _body(svc: Services, claims: Claims, names: _Names, *, with_catalog: bool) -> dict[str, Any]:
    user, scope = names.user, names.scope
    token: dict[str, Any] = {
        "methods": list(claims.methods),
        "user": {
            "domain": {"id": user.domain_id, "name": user.domain_name},
            "id": user.id,
            "name": user.name,
            "password_expires_at": None,
        },
        "audit_ids": list(claims.audit_ids),
        "expires_at": iso(claims.expires_at, micros=True),
        "issued_at": iso(claims.issued_at, micros=True),
    }
    if claims.project_id is not None:
        domain = {"id": scope.domain_id, "name": scope.domain_name} if scope.domain_id else {"id": None, "name": None}
        token["project"] = {"domain": domain, "id": scope.id, "name": scope.name}
        token["is_domain"] = claims.is_domain
    elif claims.domain_id is not None:
        token["domain"] = {"id": scope.id, "name": scope.name}
    elif claims.system:
        token["system"] = {"all": True}
    if claims.roles:
        token["roles"] = [{"id": role_id, "name": name} for role_id, name in claims.roles]
        if with_catalog:
            token["catalog"] = render(await svc.catalog.get(), project_id=claims.project_id, user_id=claims.user_id)
    if names.credential is not None:
        token["application_credential"] = {
            "id": names.credential.id,
            "name": names.credential.name,
            "restricted": not names.credential.unrestricted,
        }
    return {"token": token}


async def body_of(svc: Services, token: str, claims: Claims, *, with_catalog: bool) -> bytes:
    """The encoded body of a token that was found good. Raises NotFound if it names what no longer exists."""
    key, now = (token, with_catalog), svc.clock.monotonic()
    mark = (svc.own_verifier.seq, svc.generation)
    found = svc.bodies.get(key, mark=mark, now=now)
    if found is None:
        found = orjson.dumps(await _body(svc, claims, await _names(svc, claims), with_catalog=with_catalog))
        svc.bodies.put(key, found, mark=mark, until=now + svc.settings.cache_ttl_s)
    return found


async def read_subject(svc: Services, token: str | None, *, allow_expired: bool = False) -> Claims:
    """The claims of a token that somebody asks about. Raises NotFound if it is not good."""
    if not token:
        raise NotFound("No token in the request.")
    try:
        if allow_expired:
            return await svc.own_verifier.verify_expired(token, window_s=svc.settings.expired_token_window_s)
        return await svc.own_verifier.verify(token)
    except Unauthorized as error:
        raise NotFound("Failed to validate token.") from error


async def revoke_token(svc: Services, claims: Claims) -> None:
    """Void this one token."""
    async with svc.db.begin() as uow:
        await svc.revoke(uow, {"audit_id": claims.audit_ids[0]})


async def catalog_of(svc: Services, claims: Claims) -> list[dict[str, Any]]:
    """The catalogue for a token."""
    return render(await svc.catalog.get(), project_id=claims.project_id, user_id=claims.user_id)
