"""Implied roles: the closure of what a set of roles carries with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Role:
    """What is needed of a role to put it into a token."""

    id: str
    name: str
    domain_id: str = ""


@dataclass(frozen=True, slots=True)
class RoleGraph:
    """All roles and their implications."""

    roles: Mapping[str, Role] = field(default_factory=dict)
    implied: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def expand(self, role_ids: Iterable[str]) -> list[str]:
        """The ids with everything they imply, each once, the given ones first."""
        seen: dict[str, None] = {}
        todo = list(role_ids)
        while todo:
            role_id = todo.pop(0)
            if role_id in seen or role_id not in self.roles:
                continue
            seen[role_id] = None
            todo.extend(self.implied.get(role_id, ()))
        return list(seen)

    def for_token(self, role_ids: Iterable[str]) -> tuple[tuple[str, str], ...]:
        """(id, name) pairs for a token: expanded; roles that belong to a domain only carry others and are not shown."""
        found = (self.roles[role_id] for role_id in self.expand(role_ids))
        return tuple((role.id, role.name) for role in found if not role.domain_id)

    def would_loop(self, prior: str, implied: str) -> bool:
        """True if `implied` already leads to `prior`."""
        return prior in self.expand([implied])
