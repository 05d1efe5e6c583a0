"""Rules of the image record: what a caller may set, and how a JSON patch changes it. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from synnefo_common.errors import Conflict, Forbidden
from synnefo_image.domain.errors import InvalidImage, LimitReached, ReadOnlyAttribute
from synnefo_image.domain.schema import check_attribute, check_text
from synnefo_image.domain.states import Status

READ_ONLY = frozenset(
    {
        "created_at",
        "updated_at",
        "status",
        "checksum",
        "size",
        "virtual_size",
        "direct_url",
        "self",
        "file",
        "schema",
        "id",
        "os_hash_algo",
        "os_hash_value",
        "stores",
    }
)
RESERVED = frozenset({"location", "deleted", "deleted_at"})
RESERVED_PREFIX = "os_glance"
WRITABLE = (
    "name",
    "visibility",
    "protected",
    "os_hidden",
    "owner",
    "container_format",
    "disk_format",
    "min_ram",
    "min_disk",
    "tags",
)
FORMATS = ("container_format", "disk_format")


@dataclass(frozen=True)
class Draft:
    """The part of an image that callers write."""

    owner: str | None
    name: str | None = None
    visibility: str = "shared"
    protected: bool = False
    os_hidden: bool = False
    container_format: str | None = None
    disk_format: str | None = None
    min_ram: int = 0
    min_disk: int = 0
    tags: tuple[str, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Limits:
    """Most properties and tags of one image."""

    properties: int
    tags: int


def draft_of_body(body: Mapping[str, Any], *, owner: str | None, limits: Limits) -> Draft:
    """The draft of a create call. Raises InvalidImage, Forbidden, LimitReached."""
    for name in body:
        if name in ("direct_url", "self", "file", "schema", "stores"):
            raise ReadOnlyAttribute(f"Attribute '{name}' is read-only.")
    for name, value in body.items():
        check_text("property name", name)
        check_attribute(name, value)
    draft = Draft(owner=owner)
    for name, value in body.items():
        if name != "id":
            _check_writable(name)
            draft = _set(draft, name, value)
    return _within(draft, limits)


def _check_writable(name: str) -> None:
    if name in READ_ONLY:
        raise ReadOnlyAttribute(f"Attribute '{name}' is read-only.")
    if name in RESERVED or name.startswith(RESERVED_PREFIX):
        raise ReadOnlyAttribute(f"Attribute '{name}' is reserved.")
    if name == "locations":
        raise Forbidden(
            "Locations of image data are not visible here and cannot be changed.", code="image.locations.forbidden"
        )


def _set(draft: Draft, name: str, value: Any) -> Draft:
    if name == "tags":
        return replace(draft, tags=tuple(dict.fromkeys(value)))
    if name in WRITABLE:
        return replace(draft, **{name: value})
    return replace(draft, properties={**draft.properties, name: value})


def _within(draft: Draft, limits: Limits) -> Draft:
    if len(draft.properties) > limits.properties:
        raise LimitReached(f"An image may have {limits.properties} properties, not {len(draft.properties)}.")
    if len(draft.tags) > limits.tags:
        raise LimitReached(f"An image may have {limits.tags} tags, not {len(draft.tags)}.")
    return draft


@dataclass(frozen=True)
class Change:
    """One operation of a patch."""

    op: str
    name: str
    value: Any = None
    is_strict_add: bool = False  # v2.0 patches refuse to add what is there


PATCH_V20 = "application/openstack-images-v2.0-json-patch"
PATCH_V21 = "application/openstack-images-v2.1-json-patch"
_OPS = ("add", "remove", "replace")


def read_patch(body: Any, *, media_type: str) -> list[Change]:
    """The operations of a patch document. Raises InvalidImage, Forbidden."""
    if not isinstance(body, list):
        raise InvalidImage("Request body must be a JSON array of operation objects.")
    return [_read_change(raw, media_type) for raw in body]


def _read_change(raw: Any, media_type: str) -> Change:
    if not isinstance(raw, dict):
        raise InvalidImage("Operations must be JSON objects.")
    if media_type == PATCH_V20:
        ops = [op for op in _OPS if op in raw]
        if len(ops) != 1:
            raise InvalidImage('Operation objects must contain exactly one member named "add", "remove", or "replace".')
        op, pointer = ops[0], raw[ops[0]]
    else:
        op = str(raw.get("op"))
        if op not in _OPS:
            raise InvalidImage(
                f"Invalid operation: `{op[:40]}`. It must be one of the following: add, remove, replace."
            )
        if "path" not in raw:
            raise InvalidImage("Unable to find 'path' in JSON Schema change")
        pointer = raw["path"]
    path = _read_pointer(pointer)
    name = path[0]
    if len(path) != (2 if name == "locations" and op != "replace" else 1):
        raise InvalidImage(f"Invalid JSON pointer for this resource: '{str(pointer)[:100]}'")
    _check_writable(name)
    if op == "remove":
        return Change(op, name)
    if "value" not in raw:
        raise InvalidImage(f'Operation "{op}" requires a member named "value".')
    check_attribute(name, raw["value"])
    return Change(op, name, raw["value"], is_strict_add=media_type == PATCH_V20 and op == "add")


def _read_pointer(pointer: Any) -> list[str]:
    if not isinstance(pointer, str) or not pointer.startswith("/"):
        raise InvalidImage(f'Pointer `{str(pointer)[:100]}` does not start with "/".')
    if re.search(r"/\s*?/", pointer[1:]) or (len(pointer) > 1 and pointer.endswith("/")):
        raise InvalidImage(f"Pointer `{pointer[:100]}` has an empty part.")
    if re.search("~[^01]", pointer) or pointer.endswith("~"):
        raise InvalidImage(f'Pointer `{pointer[:100]}` contains "~" not part of a recognized escape sequence.')
    path = [part.replace("~1", "/").replace("~0", "~").strip() for part in pointer[1:].split("/")]
    for part in path:
        check_text("property name", part)
    if not path[0]:
        raise InvalidImage("The pointer names no attribute.")
    return path


def apply_patch(
    draft: Draft, changes: list[Change], *, status: str, limits: Limits, check: Callable[[str, Any], None]
) -> Draft:
    """The draft after the changes; `check(name, value)` asks policy. Raises Forbidden, Conflict, LimitReached."""
    for change in changes:
        check(change.name, change.value)
        is_base = change.name in WRITABLE
        if change.name in FORMATS and status not in (Status.QUEUED, Status.IMPORTING):
            raise Forbidden(
                f"Attribute {change.name} can be only replaced for a queued image.", code="image.format.fixed"
            )
        if change.op == "remove":
            if is_base:
                raise Forbidden(f"Property {change.name} may not be removed.", code="image.attribute.base")
            if change.name not in draft.properties:
                raise Conflict(f"Property {change.name} does not exist.", code="image.property.missing")
            draft = replace(draft, properties={k: v for k, v in draft.properties.items() if k != change.name})
            continue
        exists = is_base or change.name in draft.properties
        if change.op == "replace" and not exists:
            raise Conflict(f"Property {change.name} does not exist.", code="image.property.missing")
        if change.is_strict_add and exists:
            raise Conflict(f"Property {change.name} already present.", code="image.property.present")
        draft = _set(draft, change.name, change.value)
    return _within(draft, limits)


def missing_for_data(disk_format: str | None, container_format: str | None) -> None:
    """Raise InvalidImage if the formats are not known yet: data cannot be taken then."""
    missing = [n for n, v in (("disk_format", disk_format), ("container_format", container_format)) if not v]
    if missing:
        noun = "Property" if len(missing) == 1 else "Properties"
        raise InvalidImage(f"{noun} {', '.join(missing)} must be set prior to saving data.")
