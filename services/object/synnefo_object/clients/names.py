"""Names of users and projects, for ACLs that are written with names. Remembered for a while."""

from __future__ import annotations

import re

from synnefo_common.clock import Clock
from synnefo_common.errors import Fault
from synnefo_common.http import ServiceClient

_ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_DOMAIN = "default"  # a name says nothing across domains


def is_id(text: str) -> bool:
    """Whether a name has the form of an id."""
    return _ID.fullmatch(text) is not None


class Names:
    """Identity's names by id. What cannot be found or is of another domain has no name: an ACL then grants nothing by it."""

    def __init__(self, identity: ServiceClient, *, clock: Clock, cache_s: float) -> None:
        self._identity = identity
        self._clock = clock
        self._cache_s = cache_s
        self._known: dict[str, tuple[float, str | None]] = {}

    async def project(self, project_id: str) -> str | None:
        return await self._ask(f"/internal/v1/projects/{project_id}")

    async def user(self, user_id: str) -> str | None:
        return await self._ask(f"/internal/v1/users/{user_id}")

    async def _ask(self, path: str) -> str | None:
        now = self._clock.monotonic()
        known = self._known.get(path)
        if known is not None and now - known[0] < self._cache_s:
            return known[1]
        try:
            found = await self._identity.get(path)
            # A name that looks like an id must not let its bearer pass for whoever has that id.
            name = found["name"] if found.get("domain_id") == _DOMAIN and not is_id(found["name"]) else None
        except Fault:
            name = None
        if len(self._known) > 10_000:
            self._known.clear()
        self._known[path] = (now, name)
        return name
