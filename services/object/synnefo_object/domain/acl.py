"""Container ACLs: X-Container-Read and X-Container-Write. How they are written, and whom they let in.

Not for the owner's own rights: `app.access` decides those.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote, urlsplit

from synnefo_object.domain.errors import bad_request

_REFERRER = (".r", ".ref", ".referer", ".referrer")


@dataclass(frozen=True, slots=True)
class Acl:
    """A parsed list. `referrers` in order (a later one wins); `listings` is `.rlistings`; `grants` are the rest."""

    referrers: tuple[str, ...] = ()
    listings: bool = False
    grants: frozenset[str] = frozenset()


def clean_acl(header: str, value: str) -> str:
    """The normal form of an ACL. Raises 400 for a designator that is none."""
    cleaned: list[str] = []
    for raw in value.split(","):
        item = raw.strip()
        if not item:
            continue
        kind, colon, rest = item.partition(":")
        kind, rest = kind.strip(), rest.strip()
        if not colon or not kind.startswith("."):
            if kind.startswith(".") and item != ".rlistings":
                raise bad_request(f"Unknown designator type in ACL: {item!r}")
            cleaned.append(item)
            continue
        if kind not in _REFERRER:
            raise bad_request(f"Unknown designator type in ACL: {item!r}")
        if "write" in header:
            raise bad_request(f"Referrers not allowed in write ACL: {item!r}")
        deny = rest.startswith("-")
        host = rest[1:].strip() if deny else rest
        if host.startswith("*") and host != "*":
            host = host[1:].strip()
        if not host or host == ".":
            raise bad_request(f"No host/domain value after referrer designation in ACL: {item!r}")
        cleaned.append(f".r:{'-' if deny else ''}{host}")
    return ",".join(cleaned)


@lru_cache(4096)
def parse_acl(value: str) -> Acl:
    """Of the normal form."""
    referrers: list[str] = []
    grants: set[str] = set()
    listings = False
    for item in value.split(",") if value else ():
        if item.startswith(".r:"):
            referrers.append(item[3:])
        elif item == ".rlistings":
            listings = True
        else:
            grants.add(unquote(item))
    return Acl(tuple(referrers), listings, frozenset(grants))


def allows_referrer(acl: Acl, referer: str | None) -> bool:
    """True if anybody coming from `referer` may read."""
    allowed = False
    host = (urlsplit(referer).hostname if referer and referer.isprintable() and "[" not in referer else None) or "unknown"
    for item in acl.referrers:
        deny = item.startswith("-")
        pattern = item[1:] if deny else item
        if pattern in ("*", host) or (pattern.startswith(".") and host.endswith(pattern)):
            allowed = not deny
    return allowed


def allows_identity(acl: Acl, projects: Iterable[str], users: Iterable[str], roles: Iterable[str]) -> bool:
    """True if `project:user` (ids or names), with `*` for either, or a role is granted."""
    if not acl.grants:
        return False
    for project in (*projects, "*"):
        for user in (*users, "*"):
            if f"{project}:{user}" in acl.grants:
                return True
    return any(role in acl.grants for role in roles)


def needs_names(acl: Acl) -> bool:
    """True if the list has pairs that may be names rather than ids."""
    return any(":" in grant and not all(part == "*" for part in grant.split(":", 1)) for grant in acl.grants)
