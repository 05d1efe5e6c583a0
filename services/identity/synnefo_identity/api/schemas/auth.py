"""The body of a login."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from synnefo_identity.api.schemas.base import Body
from synnefo_identity.domain.errors import Invalid, MethodNotSupported
from synnefo_identity.domain.login import CredentialProof, Login, NamedRef, PasswordProof, Proof, Scope, TokenProof


class DomainRef(BaseModel):
    """A domain by id or name."""

    id: str | None = None
    name: str | None = None

    def to_ref(self) -> NamedRef:
        """Raises Invalid for neither."""
        if self.id is None and self.name is None:
            raise Invalid("Expecting to find id or name in domain.")
        return NamedRef(id=self.id, name=None if self.id is not None else self.name)


class OwnedRef(BaseModel):
    """A user or project by id, or by name and domain."""

    id: str | None = None
    name: str | None = None
    domain: DomainRef | None = None

    def to_ref(self, what: str) -> NamedRef:
        """Raises Invalid if it is not enough."""
        if self.id is not None:
            return NamedRef(id=self.id)
        if self.name is None:
            raise Invalid(f"Expecting to find id or name in {what}.")
        if self.domain is None:
            raise Invalid(f"Expecting to find domain in {what}.")
        domain = self.domain.to_ref()
        return NamedRef(name=self.name, domain_id=domain.id, domain_name=domain.name)


class PasswordUser(OwnedRef):
    """A user with his password."""

    password: str


class PasswordMethod(BaseModel):
    """Method `password`."""

    user: PasswordUser


class TokenMethod(BaseModel):
    """Method `token`."""

    id: str


class ApplicationCredentialMethod(BaseModel):
    """Method `application_credential`."""

    id: str | None = None
    name: str | None = None
    secret: str
    user: OwnedRef | None = None


class Identity(BaseModel):
    """How the caller proves who he is."""

    methods: list[str]
    password: PasswordMethod | None = None
    token: TokenMethod | None = None
    application_credential: ApplicationCredentialMethod | None = None

    def to_proofs(self) -> tuple[Proof, ...]:
        """Raises MethodNotSupported, Invalid."""
        if not self.methods:
            raise MethodNotSupported
        return tuple(self._proof(method) for method in dict.fromkeys(self.methods))

    def _proof(self, method: str) -> Proof:
        match method:
            case "password" if self.password is not None:
                user = self.password.user
                return PasswordProof(user.to_ref("user"), user.password)
            case "token" if self.token is not None:
                return TokenProof(self.token.id)
            case "application_credential" if self.application_credential is not None:
                return _credential_proof(self.application_credential)
            case "password" | "token" | "application_credential":
                raise Invalid(f"Expecting to find {method} in identity.")
            case _:
                raise MethodNotSupported


def _credential_proof(given: ApplicationCredentialMethod) -> CredentialProof:
    if given.id is not None:
        return CredentialProof(given.secret, id=given.id)
    if given.name is None or given.user is None:
        raise Invalid("Expecting to find id, or name and user, in application_credential.")
    return CredentialProof(given.secret, name=given.name, user=given.user.to_ref("user"))


class ScopeBody(BaseModel):
    """Where the token is to be good: one of these."""

    project: OwnedRef | None = None
    domain: DomainRef | None = None
    system: dict[str, Any] | None = None
    unscoped: dict[str, Any] | None = None
    trust: dict[str, Any] | None = Field(None, alias="OS-TRUST:trust")

    def to_scope(self) -> Scope:
        """Raises Invalid."""
        given = [name for name in ("project", "domain", "system", "unscoped", "trust") if getattr(self, name) is not None]
        if len(given) > 1:
            raise Invalid("Scope must be one of project, domain, system or unscoped: more than one is given.")
        if self.trust is not None:
            raise Invalid("This cloud has no trusts.")
        if self.project is not None:
            return Scope("project", self.project.to_ref("project"))
        if self.domain is not None:
            return Scope("domain", self.domain.to_ref())
        if self.system is not None:
            if self.system.get("all") is not True:
                raise Invalid('The system scope is {"all": true}.')
            return Scope("system")
        return Scope("unscoped" if self.unscoped is not None else "default")


class Auth(BaseModel):
    """Proofs and scope."""

    identity: Identity
    scope: ScopeBody | str | None = None


class LoginBody(Body):
    """`POST /v3/auth/tokens`."""

    auth: Auth

    def to_login(self) -> Login:
        """Raises Invalid, MethodNotSupported."""
        scope = self.auth.scope
        if isinstance(scope, str):
            if scope != "unscoped":
                raise Invalid('The scope is an object, or "unscoped".')
            return Login(self.auth.identity.to_proofs(), Scope("unscoped"))
        return Login(self.auth.identity.to_proofs(), scope.to_scope() if scope is not None else Scope())
