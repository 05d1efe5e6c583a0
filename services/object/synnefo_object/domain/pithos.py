"""What Pithos' own headers and bodies say: hashmaps, ranges to update, sharing, metadata queries. Not for doing it: `app.pithos`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote
from xml.parsers import expat

import orjson

from synnefo_object.domain.errors import SwiftFault, bad_request
from synnefo_object.domain.limits import MAX_GROUP_MEMBERS, MAX_GROUPS, MAX_SHARED_WITH
from synnefo_object.domain.metadata import is_clean

READ, WRITE = 1, 2
DIRECTORY_TYPES: Final = ("application/directory", "application/folder")
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{0,18})/([0-9]{1,18}|\*)")
_HASH = re.compile(r"[0-9a-fA-F]{64}")
_META_QUERY = re.compile(r"([^!=<>]+)(=|!=|<=|>=|<|>)(.*)", re.DOTALL)
_META_KEY = re.compile(r"[A-Za-z0-9_.~-]{1,128}")
MAX_SIZE: Final = 1 << 50


@dataclass(frozen=True, slots=True)
class Hashmap:
    """An object by its blocks."""

    size: int
    hashes: list[bytes]


def is_directory(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() in DIRECTORY_TYPES


def read_hashmap(body: bytes, *, is_xml: bool, block_size: int) -> Hashmap:
    """Raises 400 for what is no hashmap or cannot be one."""
    size, hashes = _read_xml(body) if is_xml else _read_json(body)
    if not 0 <= size <= MAX_SIZE:
        raise bad_request("The number of bytes is out of range.")
    if any(not isinstance(hash_, str) or not _HASH.fullmatch(hash_) for hash_ in hashes):
        raise bad_request("A hash is not a SHA-256 in hex.")
    found = [bytes.fromhex(hash_) for hash_ in hashes]
    if size == 0 and len(found) == 1:
        found = []  # Pithos writes an empty object as one block of nothing
    if len(found) != -(-size // block_size):
        raise bad_request(f"{len(found)} hashes do not make {size} bytes.")
    return Hashmap(size, found)


def _read_json(body: bytes) -> tuple[int, list[str]]:
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise bad_request("The hashmap is not valid JSON.") from None
    match given:
        case {"bytes": int(size), "hashes": [*hashes]} if not isinstance(size, bool):
            return size, hashes
    raise bad_request("A hashmap is an object with `bytes` and `hashes`.")


def _read_xml(body: bytes) -> tuple[int, list[str]]:
    hashes: list[str] = []
    root: dict[str, str] = {}
    text: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        text.clear()
        if name == "object":
            root.update(attributes)

    def end(name: str) -> None:
        if name == "hash":
            hashes.append("".join(text).strip())

    def refuse(*_: object) -> None:
        raise bad_request("A hashmap has no document type.")

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text.append
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, ValueError, LookupError):
        raise bad_request("The hashmap is not valid XML.") from None
    size = root.get("bytes", "")
    if not (size.isascii() and size.isdigit() and len(size) < 19):
        raise bad_request("The object of a hashmap names its bytes.")
    return int(size), hashes


@dataclass(frozen=True, slots=True)
class UpdateRange:
    """What Content-Range asks for; `offset` None appends, `length` None is as much as comes."""

    offset: int | None = None
    length: int | None = None
    total: int | None = None


def read_content_range(value: str | None) -> UpdateRange:
    """Raises 400 without one, 416 for one that cannot be."""
    if not value:
        raise bad_request("Missing Content-Range header")
    if value.strip() == "bytes */*":
        return UpdateRange()
    match = _CONTENT_RANGE.fullmatch(value.strip())
    if match is None:
        raise SwiftFault(416, "Invalid Content-Range header")
    offset = int(match[1])
    last = int(match[2]) if match[2] else None
    total = int(match[3]) if match[3] != "*" else None
    if (last is not None and last < offset) or (total is not None and (offset >= total or (last is not None and last >= total))):
        raise SwiftFault(416, "Invalid Content-Range header")
    return UpdateRange(offset, None if last is None else last - offset + 1, total)


def read_size(value: str | None, name: str) -> int | None:
    """A whole number of bytes. Raises 400."""
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and len(value) < 19) or int(value) > MAX_SIZE:
        raise bad_request(f"Invalid {name} header")
    return int(value)


def read_sharing(value: str) -> dict[str, int]:
    """Grantee to READ or WRITE; writing includes reading. Raises 400."""
    modes: dict[str, int] = {}
    if not is_clean(value):
        raise bad_request("X-Object-Sharing must be valid UTF-8")
    for part in filter(None, value.replace(" ", "").split(";")):
        kind, equals, listed = part.partition("=")
        mode = {"read": READ, "write": WRITE}.get(kind.lower())
        if mode is None or not equals:
            raise bad_request("Bad X-Object-Sharing header value: missing prefix")
        names = [unquote(name) for name in listed.split(",") if name]
        if not names:
            raise bad_request("Bad X-Object-Sharing header value: invalid length")
        for name in ["*"] if "*" in names else names:
            if len(name) > 600 or not is_clean(name) or "\x00" in name or name.count(":") > 1 or name.startswith(":") or name.endswith(":"):
                raise bad_request("Bad X-Object-Sharing header value: no user or group")
            account, colon, group = name.partition(":")
            key = account.removeprefix("AUTH_") + ":" + group.lower() if colon else name
            modes[key] = max(mode, modes.get(key, 0))
    if len(modes) > MAX_SHARED_WITH:
        raise bad_request(f"An object is shared with at most {MAX_SHARED_WITH}")
    return modes


def write_sharing(modes: Mapping[str, int]) -> str:
    """The header's value."""
    parts = []
    for kind, wanted in (("read", READ), ("write", WRITE)):
        names = sorted(name for name, mode in modes.items() if mode == wanted)
        if names:
            parts.append(f"{kind}={','.join(names)}")
    return "; ".join(parts)


def read_public(value: str | None) -> bool | None:
    """X-Object-Public; None when it is not there. Raises 400."""
    if value is None:
        return None
    text = value.strip().lower()
    if text not in ("true", "false", ""):
        raise bad_request("Bad X-Object-Public header value")
    return text == "true"


def read_groups(headers: Mapping[str, str]) -> dict[str, list[str]]:
    """X-Account-Group-<name>: members. Raises 400."""
    found: dict[str, list[str]] = {}
    for header, value in headers.items():
        if not header.startswith("x-account-group-"):
            continue
        name = header[len("x-account-group-") :]
        if not name or "-" in name or "_" in name or len(name) > 256 or not is_clean(name + value) or ":" in name or "," in name:
            raise bad_request("Bad X-Account-Group header")
        members = list(dict.fromkeys(unquote(member.strip()) for member in value.split(",") if member.strip()))
        if len(members) > MAX_GROUP_MEMBERS:
            raise bad_request(f"A group has at most {MAX_GROUP_MEMBERS} members")
        if any(len(member) > 256 or "\x00" in member or not is_clean(member) for member in members):
            raise bad_request("Bad X-Account-Group header")
        found[name] = members
    if len(found) > MAX_GROUPS:
        raise bad_request(f"An account has at most {MAX_GROUPS} groups")
    return found


@dataclass(frozen=True, slots=True)
class MetaFilter:
    """`key` exists, `!key` does not, `key op value` compares as text."""

    header: str
    op: str  # "exists", "missing", or the comparison
    value: str = ""


def read_meta_query(text: str) -> list[MetaFilter]:
    """The filters of `meta=`, all of which must hold. Raises 400."""
    found: list[MetaFilter] = []
    for raw in text.split(","):
        item = raw.strip()
        if not item:
            continue
        compared = _META_QUERY.fullmatch(item)
        if compared is not None:
            key, op, value = compared[1].strip(), compared[2], compared[3].strip()
        else:
            key, op, value = (item[1:].strip(), "missing", "") if item.startswith("!") else (item, "exists", "")
        if not _META_KEY.fullmatch(key):
            raise bad_request("Bad metadata key in `meta`")
        found.append(MetaFilter("x-object-meta-" + key.lower().replace("_", "-"), op, value))
    if len(found) > 32:
        raise bad_request("Too many filters in `meta`")
    return found


def read_time(value: str | None) -> int | None:
    """`until`: seconds since the epoch to µs. Raises 400."""
    if value is None:
        return None
    if not re.fullmatch(r"[0-9]{1,11}(\.[0-9]{1,9})?", value):
        raise bad_request("Invalid `until`")
    seconds, _, rest = value.partition(".")
    return int(seconds) * 1_000_000 + int((rest + "000000")[:6])


def read_version(value: str) -> int:
    """Raises 404 for what was never a version."""
    if not (value.isascii() and value.isdigit() and len(value) < 19):
        raise SwiftFault(404, "Version does not exist")
    return int(value)


def ancestors(name: str) -> list[str]:
    """The names of the directories that a name may lie in, nearest first."""
    found = []
    at = name.rfind("/")
    while at > 0:
        found.append(name[:at])
        at = name.rfind("/", 0, at)
    return found
