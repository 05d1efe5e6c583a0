"""Account ACLs: X-Account-Access-Control. What may be in one, and what it lets somebody do.

Its identities are projects and users by id: `project`, `user`, `project:user`, with `*` for either half of a pair.
"""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache

import orjson

from synnefo_object.domain.errors import bad_request

HEADER = "x-account-access-control"
_KEYS = ("read-only", "read-write", "admin")


class Level(IntEnum):
    """What an account ACL grants; each includes those below."""

    NOTHING = 0
    READ = 1  # all of the account
    WRITE = 2  # its containers and objects
    ADMIN = 3  # as its own project


def clean(text: str) -> str:
    """The normal form: JSON in ASCII, empty for nobody. Raises 400."""
    problem = None
    found: object = {}
    try:
        found = orjson.loads(text) if text else {}
    except orjson.JSONDecodeError:
        problem = f"Syntax error in input ({text!r})"
    if not isinstance(found, dict):
        problem, found = f"Syntax error in input ({text!r})", {}
    for key, identities in found.items():
        if key not in _KEYS:
            problem = f'Key "{key}" not recognized'
        elif not isinstance(identities, list):
            problem = f'Value for key "{key}" must be a list'
        elif not all(isinstance(identity, str) for identity in identities):
            problem = f'Elements of "{key}" list must be strings'
    if problem is not None:
        raise bad_request(f"X-Account-Access-Control invalid: {problem}\n\nInput: {text}\n")
    kept = {key: found[key] for key in sorted(found) if found[key]}
    return orjson.dumps(kept).decode() if kept else ""


@lru_cache(4096)
def _parse(text: str) -> tuple[frozenset[str], ...]:
    found = orjson.loads(text) if text else {}
    return tuple(frozenset(found.get(key, ())) for key in _KEYS)


def level(text: str, *, project_id: str | None, user_id: str) -> Level:
    """What the ACL, in its normal form, grants to a user with a token for the project."""
    names = {user_id, f"*:{user_id}", "*:*"}
    if project_id:
        names |= {project_id, f"{project_id}:{user_id}", f"{project_id}:*"}
    for granted, identities in zip(reversed(Level), reversed(_parse(text)), strict=False):
        if not names.isdisjoint(identities):
            return granted
    return Level.NOTHING
