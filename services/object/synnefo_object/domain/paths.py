"""The names in a URL: account, container, object. Decoded once, checked once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

from synnefo_object.domain.errors import SwiftFault, bad_name
from synnefo_object.domain.limits import ACCOUNT_PREFIX, MAX_CONTAINER_NAME_LENGTH, MAX_OBJECT_NAME_LENGTH

_PROJECT = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Target:
    """What a path names. `container` and `object` are empty above that level."""

    account: str
    container: str = ""
    object: str = ""

    @property
    def project_id(self) -> str | None:
        """The project whose account it is; None when the account is not of this cloud's form."""
        if self.account.startswith(ACCOUNT_PREFIX):
            return self.account[len(ACCOUNT_PREFIX) :] or None
        return self.account if _PROJECT.fullmatch(self.account) else None

    @property
    def is_pithos(self) -> bool:
        """True where the account is spelled as Pithos does: the project's id and nothing before it."""
        return not self.account.startswith(ACCOUNT_PREFIX)

    @property
    def url_path(self) -> str:
        """The path as a client would send it."""
        parts = [p for p in (self.account, self.container, self.object) if p]
        return "/v1/" + quote("/".join(parts))


def decode_name(raw: bytes) -> str:
    """UTF-8 without NUL. Raises 412."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise SwiftFault(412, "Invalid UTF8 or contains NULL") from None
    if "\x00" in text:
        raise SwiftFault(412, "Invalid UTF8 or contains NULL")
    return text


def parse_path(raw_path: bytes) -> Target:
    """`/v1/account[/container[/object]]` as it came over the wire. Raises 404, 412 for a path that cannot be one."""
    path = decode_name(unquote_to_bytes(raw_path))
    parts = path.split("/", 4)
    account, container, name = [*parts[2:], "", "", ""][:3]
    if (container or name) and not (account and (container or not name)):
        raise SwiftFault(404)
    if not account:
        raise SwiftFault(412, "Bad URL")
    return Target(account, container, name)


def split_container_object(value: str, header: str) -> tuple[str, str]:
    """`[/]container/object` of a header such as X-Copy-From. Raises 412."""
    container, slash, name = value.lstrip("/").partition("/")
    if not (container and slash and name):
        raise SwiftFault(412, f"{header} header must be of the form <container name>/<object name>")
    return container, name


def check_container_name(name: str) -> None:
    """Raises 400 for a name that is too long."""
    length = len(name.encode())
    if length > MAX_CONTAINER_NAME_LENGTH:
        raise bad_name(f"Container name length of {length} longer than {MAX_CONTAINER_NAME_LENGTH}")


def check_object_name(name: str) -> None:
    """Raises 400 for a name that is too long."""
    length = len(name.encode())
    if length > MAX_OBJECT_NAME_LENGTH:
        raise bad_name(f"Object name length of {length} longer than {MAX_OBJECT_NAME_LENGTH}")


def successor(text: str) -> str | None:
    """The smallest string, in UTF-8 byte order, above every string that starts with `text`; None if there is none."""
    while text:
        last = ord(text[-1])
        if last < 0x10FFFF:
            following = 0xE000 if last == 0xD7FF else last + 1
            return text[:-1] + chr(following)
        text = text[:-1]
    return None
