"""Canned ACLs of buckets, as the container ACLs that all APIs share."""

from __future__ import annotations

from collections.abc import Mapping

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
_OF_OBJECTS = ("private", "bucket-owner-full-control")
GRANTS = ("x-amz-grant-full-control", "x-amz-grant-read", "x-amz-grant-read-acp", "x-amz-grant-write", "x-amz-grant-write-acp")


def container_headers(canned: str) -> dict[str, str]:
    """The ACLs of a container, empty for none. Raises InvalidArgument, NotImplemented."""
    found = CANNED.get(canned)
    if found is None:
        raise S3Fault("InvalidArgument", f"The canned ACL must be one of {', '.join(CANNED)}.", shown={"ArgumentName": "x-amz-acl"})
    return {READ: found[0], WRITE: found[1]}


def check_object_acl(headers: Mapping[str, str]) -> None:
    """An object has its bucket's ACL. Raises AccessControlListNotSupported, NotImplemented."""
    if headers.get("x-amz-acl", _OF_OBJECTS[0]) not in _OF_OBJECTS:
        raise S3Fault("AccessControlListNotSupported")
    refuse_grants(headers)


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
