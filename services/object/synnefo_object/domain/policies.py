"""Storage policies: which pool of blocks a container's new data goes to. What the settings say, checked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

BASE: Final = ""
"""The pool on the service's own store, which images, volumes and all older data share."""
_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")


@dataclass(frozen=True, slots=True)
class StoragePolicy:
    """One policy. Without a store URL it is the one on the service's own store."""

    name: str
    aliases: tuple[str, ...] = ()
    is_default: bool = False
    is_deprecated: bool = False
    store_url: str = ""

    @property
    def pool(self) -> str:
        """Its pool, as rows name it."""
        return self.name.lower() if self.store_url else BASE

    @property
    def pools(self) -> tuple[str, ...]:
        """All that rows may call its pool: what an alias was the name of once."""
        return tuple(name.lower() for name in self.names) if self.store_url else (BASE,)

    @property
    def names(self) -> tuple[str, ...]:
        """The name, then the aliases."""
        return (self.name, *self.aliases)


class StoragePolicies:
    """All of them, in the order of the settings. Raises ValueError for what cannot be."""

    def __init__(self, found: Iterable[StoragePolicy] = ()) -> None:
        self.all: Sequence[StoragePolicy] = tuple(found) or (StoragePolicy("Policy-0", is_default=True),)
        _check(self.all)
        self.default = next(policy for policy in self.all if policy.is_default)
        self._by_name = {name.lower(): policy for policy in self.all for name in policy.names}
        self._by_pool = {pool: policy for policy in self.all for pool in policy.pools}

    def by_name(self, name: str) -> StoragePolicy | None:
        """By its name or an alias, in any case."""
        return self._by_name.get(name.lower())

    def by_pool(self, pool: str) -> StoragePolicy | None:
        """The policy of a pool as a row names it; None if the settings have it no more."""
        return self._by_pool.get(pool)


def _check(policies: Sequence[StoragePolicy]) -> None:
    seen: set[str] = set()
    for policy in policies:
        for name in policy.names:
            if not _NAME.fullmatch(name):
                raise ValueError(f"the policy name {name!r} must be 1 to 64 letters, digits and hyphens")
            if name.lower() in seen:
                raise ValueError(f"the policy name {name!r} is there twice; names and aliases are one list, whatever their case")
            seen.add(name.lower())
        if policy.is_default and policy.is_deprecated:
            raise ValueError(f"the policy {policy.name!r} is deprecated and cannot be the default")
    if sum(policy.is_default for policy in policies) != 1:
        raise ValueError("exactly one policy must be the default")
    if sum(not policy.store_url for policy in policies) != 1:
        raise ValueError("exactly one policy must have no store_url: it is the one on the service's own store")
