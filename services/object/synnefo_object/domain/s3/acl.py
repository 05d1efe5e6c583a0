"""Canned ACLs: of buckets as the container ACLs that all APIs share, of objects as a header that S3 alone minds."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from synnefo_object.domain.acl import Acl, parse_acl
from synnefo_object.domain.s3.errors import S3Fault, not_implemented

READ, WRITE = "x-container-read", "x-container-write"
ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"
AUTHENTICATED = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
# Nobody writes without a name: for `public-read-write` that is whoever can prove one.
CANNED: Mapping[str, tuple[str, str]] = {
    "private": ("", ""),
    "public-read": (".r:*,.rlistings", ""),
    "public-read-write": (".r:*,.rlistings", "*:*"),
    "authenticated-read": ("*:*", ""),
}
HEADER: Final = "x-amz-acl"
_OF_OBJECTS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "private": (),
    "public-read": ((ALL_USERS, "READ"),),
    "public-read-write": ((ALL_USERS, "READ"), (ALL_USERS, "WRITE")),  # an object's WRITE lets nobody write: S3 has it so
    "authenticated-read": ((AUTHENTICATED, "READ"),),
}
_PRIVATE = ("bucket-owner-read", "bucket-owner-full-control")  # the bucket's owner is the object's
GRANTS = ("x-amz-grant-full-control", "x-amz-grant-read", "x-amz-grant-read-acp", "x-amz-grant-write", "x-amz-grant-write-acp")


def container_headers(canned: str) -> dict[str, str]:
    """The ACLs of a container, empty for none. Raises InvalidArgument, NotImplemented."""
    found = CANNED.get(canned)
    if found is None:
        raise S3Fault("InvalidArgument", f"The canned ACL must be one of {', '.join(CANNED)}.", shown={"ArgumentName": "x-amz-acl"})
    return {READ: found[0], WRITE: found[1]}


def of_object(headers: Mapping[str, str]) -> str:
    """The canned ACL that a new object is to have; empty for none. Raises InvalidArgument, NotImplemented."""
    refuse_grants(headers)
    canned = headers.get(HEADER, "private")
    if canned not in _OF_OBJECTS and canned not in _PRIVATE:
        raise S3Fault("InvalidArgument", f"The canned ACL must be one of {', '.join((*_OF_OBJECTS, *_PRIVATE))}.", shown={"ArgumentName": HEADER})
    return canned if _OF_OBJECTS.get(canned) else ""


def of_grants(wanted: Collection[tuple[str, str]]) -> str:
    """The canned ACL of an object that grants just that. Raises NotImplemented."""
    for canned, granted in _OF_OBJECTS.items():
        if set(granted) == set(wanted):
            return canned if granted else ""
    raise not_implemented("This grant")


def object_grants(kept: Mapping[str, str]) -> list[tuple[str, str]]:
    """(group, permission) that an object's own ACL gives."""
    return list(_OF_OBJECTS[kept.get(HEADER, "private")])


def opens(kept: Mapping[str, str], *, is_somebody: bool) -> bool:
    """Whether an object's own ACL lets one read who has no right to its bucket."""
    granted = object_grants(kept)
    return (ALL_USERS, "READ") in granted or (is_somebody and (AUTHENTICATED, "READ") in granted)


def refuse_grants(headers: Mapping[str, str]) -> None:
    """Raises NotImplemented for grants in headers."""
    for name in GRANTS:
        if name in headers:
            raise not_implemented(f"The header {name}")


def grants(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """(group, permission) that a container's ACLs give, beside the owner's own. Grants to single projects and users are not S3's to show."""
    found = []
    for header, permission in ((READ, "READ"), (WRITE, "WRITE")):
        acl: Acl = parse_acl(headers.get(header, ""))
        if permission == "READ" and "*" in acl.referrers:
            found.append((ALL_USERS, permission))
        if "*:*" in acl.grants:
            found.append((AUTHENTICATED, permission))
    return found
