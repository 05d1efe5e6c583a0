"""Who is asking: one object per request, made from the token by the auth dependency."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, cast

from fastapi import Depends, Request

from synnefo_common.auth.claims import Claims
from synnefo_common.errors import Forbidden, Unauthorized
from synnefo_common.policy import Policy
from synnefo_common.web.dialects import UNAUTHORIZED
from synnefo_common.web.microversion import Version


class Context:
    """Actor, scope, roles and request id of one request."""

    __slots__ = ("_credentials", "_policy", "claims", "request_id", "role_ids", "roles", "token", "version")

    def __init__(self, claims: Claims, *, policy: Policy, request_id: str, token: str = "", version: Version | None = None) -> None:
        self.claims = claims
        self.request_id = request_id
        self.token = token
        self.version = version
        self.roles: frozenset[str] = frozenset(name for _, name in claims.roles)
        self.role_ids: frozenset[str] = frozenset(role_id for role_id, _ in claims.roles)
        self._policy = policy
        self._credentials: dict[str, Any] | None = None

    @property
    def user_id(self) -> str:
        return self.claims.user_id

    @property
    def user_domain_id(self) -> str:
        return self.claims.user_domain_id

    @property
    def project_id(self) -> str | None:
        return self.claims.project_id

    @property
    def domain_id(self) -> str | None:
        return self.claims.domain_id

    @property
    def is_system(self) -> bool:
        return self.claims.system

    @property
    def is_admin(self) -> bool:
        return "admin" in self.roles

    @property
    def project(self) -> str:
        """The project of a project-scoped token. Raises Forbidden without one."""
        if self.claims.project_id is None:
            raise Forbidden("This call needs a token scoped to a project.", code="scope.project_required")
        return self.claims.project_id

    @property
    def credentials(self) -> dict[str, Any]:
        """What policy checks compare with."""
        if self._credentials is None:
            claims = self.claims
            self._credentials = {
                "user_id": claims.user_id, "user_domain_id": claims.user_domain_id, "project_id": claims.project_id,
                "tenant_id": claims.project_id, "domain_id": claims.domain_id, "project_domain_id": claims.project_domain_id,
                "roles": self.roles, "roles_lower": {r.lower() for r in self.roles},
                "system_scope": "all" if claims.system else None, "is_admin": self.is_admin,
            }  # fmt: skip
        return self._credentials

    def may(self, rule: str, target: Mapping[str, Any] | None = None) -> bool:
        """True if the policy rule holds; without a target, the token's own project is the target."""
        if target is None:
            target = {"project_id": self.claims.project_id, "user_id": self.claims.user_id}
        return self._policy.allows(rule, target, self.credentials)

    def require(self, rule: str, target: Mapping[str, Any] | None = None) -> None:
        """Raises Forbidden unless the rule holds."""
        if not self.may(rule, target):
            raise Forbidden(f"Policy doesn't allow {rule} to be performed.", code="policy.denied", kind="PolicyNotAuthorized")


async def current_context(request: Request) -> Context:
    """The dependency of every route that needs a token. Raises Unauthorized (401) or Unavailable (503)."""
    state = request.app.state
    token = request.headers.get("x-auth-token") or request.headers.get("x-storage-token")
    if not token:
        raise Unauthorized(UNAUTHORIZED)
    claims = await state.verifier.verify(token)
    context = Context(claims, policy=state.policy, request_id=request.state.request_id, token=token, version=getattr(request.state, "version", None))
    request.scope["synnefo.context"] = context
    return context


async def service_context(request: Request) -> Context:
    """The dependency of `/internal/v1`: a token with role `service`. Raises Unauthorized, Forbidden."""
    context = await current_context(request)
    if "service" not in context.roles:
        raise Forbidden("Only services of this cloud may call this.", code="policy.denied")
    return context


async def services(request: Request) -> Any:
    """What the composition root gave the application. (Were it no coroutine, FastAPI would call it in a thread.)"""
    return cast("Any", request.app.state.services)


Ctx = Annotated[Context, Depends(current_context)]
Service = Annotated[Context, Depends(service_context)]
