"""Who may do what to an account, a container, an object. Swift's rules (keystoneauth), not named policies.

Not for names and limits: those are `domain`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from synnefo_common.auth.claims import Claims
from synnefo_object.app.pithos import sharing
from synnefo_object.app.services import Services
from synnefo_object.db import accounts, grants
from synnefo_object.domain import account_acl
from synnefo_object.domain.account_acl import Level
from synnefo_object.domain.acl import Acl, allows_identity, allows_referrer, needs_names, parse_acl
from synnefo_object.domain.errors import SwiftFault
from synnefo_object.domain.paths import Target

READ, WRITE = "x-container-read", "x-container-write"
# Shown to owners only.
OWNER_HEADERS = (
    "x-container-read",
    "x-container-write",
    "x-container-meta-temp-url-key",
    "x-container-meta-temp-url-key-2",
    "x-account-meta-temp-url-key",
    "x-account-meta-temp-url-key-2",
    account_acl.HEADER,
)


@dataclass(slots=True)
class Caller:
    """Who asks; `claims` is None for nobody. `granted` holds (container, object prefix) that a signed URL opens."""

    claims: Claims | None
    services: Services
    referer: str | None = None
    roles: frozenset[str] = field(default_factory=frozenset)
    signed: tuple[str, str, str] | None = None  # account, container (empty: all), object prefix
    levels: dict[str, Level] = field(default_factory=dict)  # what ACLs of accounts grant, by account
    opened: Target | None = None  # an object that its own ACL lets him read
    lists: bool = False  # a site's listing of what the signature opens is being made

    def refuse(self) -> SwiftFault:
        """401 for nobody, 403 for somebody."""
        if self.claims is None:
            auth_uri = self.services.settings.common.public_urls.get("identity", "") + "/v3"
            return SwiftFault(401, headers={"WWW-Authenticate": f'Keystone uri="{auth_uri}"'})
        return SwiftFault(403)

    @property
    def user_id(self) -> str:
        """Empty for nobody."""
        return self.claims.user_id if self.claims is not None else ""

    @property
    def is_reseller(self) -> bool:
        return self.services.settings.reseller_admin_role in self.roles

    def owns(self, target: Target) -> bool:
        """May do anything in the account."""
        if self.claims is None or target.project_id is None:
            return False
        if self.is_reseller or self.levels.get(target.account) is Level.ADMIN:
            return True
        return self.claims.project_id == target.project_id and not self.roles.isdisjoint(self.services.settings.operator_roles)

    def writes(self, target: Target) -> bool:
        """May do anything with the account's containers and objects."""
        return self.owns(target) or self.levels.get(target.account, Level.NOTHING) >= Level.WRITE

    async def learn(self, target: Target) -> None:
        """Read the account's ACL, unless the caller's rights are known without."""
        if self.claims is None or target.project_id is None or target.account in self.levels or self.owns(target):
            return
        async with self.services.db.read() as uow:
            kept = orjson.loads(await accounts.headers(uow, target.project_id)).get(account_acl.HEADER, "")
        self.levels[target.account] = account_acl.level(kept, project_id=self.claims.project_id, user_id=self.claims.user_id)

    def reads(self, target: Target) -> bool:
        """May read anything in the account."""
        if self.owns(target) or self.levels.get(target.account, Level.NOTHING) >= Level.READ:
            return True
        if self.claims is None or target.project_id is None:
            return False
        return self.claims.project_id == target.project_id and not self.roles.isdisjoint(self.services.settings.reader_roles)

    def require_owner(self, target: Target) -> None:
        if not self.owns(target):
            raise self.refuse()

    def require_writer(self, target: Target) -> None:
        if not self.writes(target):
            raise self.refuse()

    def require_reader(self, target: Target) -> None:
        if not self.reads(target):
            raise self.refuse()

    def _signed_for(self, kind: str, target: Target) -> bool:
        """A signature opens one object, and for reading also what that object is made of, within the key's account or container."""
        if self.signed is None or not target.container:
            return False
        account, container, prefix = self.signed
        is_within = target.account == account and container in ("", target.container)
        if not target.object:
            return is_within and kind == READ and self.lists
        return is_within and (kind == READ or target.object.startswith(prefix))

    async def require(self, kind: str, target: Target, container_headers: str | None, *, shared: bool = True) -> None:
        """May read (`READ`) or write (`WRITE`) in the container, by right, by signature, by its ACL or, unless not `shared`,
        because the object is shared.

        Raises 401 or 403.
        """
        if self._may(kind, target) or self._signed_for(kind, target) or (kind == READ and target == self.opened):
            return
        acl = parse_acl(orjson.loads(container_headers).get(kind, "")) if container_headers else Acl()
        if kind == READ and allows_referrer(acl, self.referer) and (target.object or acl.listings):
            return
        if self.claims is None:
            raise self.refuse()
        if await self._granted(acl, target) or (shared and await self._shared(kind, target)):
            return
        await self.learn(target)
        if not self._may(kind, target):
            raise self.refuse()

    def _may(self, kind: str, target: Target) -> bool:
        return self.writes(target) or (kind == READ and self.reads(target))

    async def _shared(self, kind: str, target: Target) -> bool:
        if not target.object or self.claims is None or target.project_id is None:
            return False
        return await sharing.allowed(self.services, self.claims, target) >= (grants.READ if kind == READ else grants.WRITE)

    async def _granted(self, acl: Acl, target: Target) -> bool:
        claims = self.claims
        assert claims is not None
        projects = [claims.project_id] if claims.project_id else []
        if allows_identity(acl, projects, [claims.user_id], self.roles):
            return True
        names = self.services.names
        if not needs_names(acl) or target.project_id is None or await names.project(target.project_id) is None:
            return False
        project = await names.project(claims.project_id) if claims.project_id else None
        user = await names.user(claims.user_id)
        projects += [project] if project else []
        return allows_identity(acl, projects, [u for u in (claims.user_id, user) if u], ())


def shown_headers(kept: Mapping[str, str], *, is_owner: bool) -> dict[str, str]:
    """The kept headers that this caller may see."""
    if is_owner:
        return dict(kept)
    return {name: value for name, value in kept.items() if name not in OWNER_HEADERS}


def unprivileged(headers: Mapping[str, str]) -> dict[str, str]:
    """What one who may write, but is no owner, can set of a container."""
    removals = {"x-remove-" + name[2:] for name in OWNER_HEADERS}
    return {name: value for name, value in headers.items() if name not in OWNER_HEADERS and name not in removals}
