"""The image as a JSON schema: one table that documents `/v2/schemas/*` and checks bodies.

Not for JSON schema in general: only what this table says is understood.
"""

from __future__ import annotations

import re
from typing import Any

from synnefo_image.domain.errors import InvalidImage

CONTAINER_FORMATS = ["ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed"]
DISK_FORMATS = ["ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "iso", "ploop"]
VISIBILITIES = ["community", "public", "private", "shared"]
STATUSES = [
    "queued",
    "saving",
    "active",
    "killed",
    "deleted",
    "uploading",
    "importing",
    "pending_delete",
    "deactivated",
]
_UUID = "^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$"
MAX_INT = 2**31 - 1


def _read_only(kind: Any, description: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "readOnly": True, "description": description, **more}


PROPERTIES: dict[str, dict[str, Any]] = {
    "id": {"type": "string", "description": "An identifier for the image", "pattern": _UUID},
    "name": {"type": ["null", "string"], "description": "Descriptive name for the image", "maxLength": 255},
    "status": _read_only("string", "Status of the image", enum=STATUSES),
    "visibility": {"type": "string", "description": "Scope of image accessibility", "enum": VISIBILITIES},
    "protected": {"type": "boolean", "description": "If true, image will not be deletable."},
    "os_hidden": {"type": "boolean", "description": "If true, image will not appear in default image list response."},
    "checksum": _read_only(["null", "string"], "md5 hash of image contents.", maxLength=32),
    "os_hash_algo": _read_only(["null", "string"], "Algorithm to calculate the os_hash_value", maxLength=64),
    "os_hash_value": _read_only(["null", "string"], "Hexdigest of the image contents by os_hash_algo", maxLength=128),
    "owner": {"type": ["null", "string"], "description": "Owner of the image", "maxLength": 255},
    "size": _read_only(["null", "integer"], "Size of image file in bytes"),
    "virtual_size": _read_only(["null", "integer"], "Virtual size of image in bytes"),
    "container_format": {
        "type": ["null", "string"],
        "description": "Format of the container",
        "enum": [None, *CONTAINER_FORMATS],
    },
    "disk_format": {"type": ["null", "string"], "description": "Format of the disk", "enum": [None, *DISK_FORMATS]},
    "created_at": _read_only("string", "Date and time of image registration"),
    "updated_at": _read_only("string", "Date and time of the last image modification"),
    "tags": {
        "type": "array",
        "description": "List of strings related to the image",
        "items": {"type": "string", "maxLength": 255},
    },
    "direct_url": _read_only("string", "URL to access the image file kept in external store"),
    "min_ram": {"type": "integer", "description": "Amount of ram (in MB) required to boot image."},
    "min_disk": {"type": "integer", "description": "Amount of disk space (in GB) required to boot image."},
    "self": _read_only("string", "An image self url"),
    "file": _read_only("string", "An image file url"),
    "stores": _read_only("string", "Store in which image data resides."),
    "schema": _read_only("string", "An image schema url"),
    "locations": {
        "type": "array",
        "description": "A set of URLs to access the image file kept in external store",
        "items": {"type": "object", "required": ["url", "metadata"]},
    },
}

IMAGE_SCHEMA: dict[str, Any] = {
    "name": "image",
    "properties": PROPERTIES,
    "additionalProperties": {"type": "string"},
    "links": [
        {"rel": "self", "href": "{self}"},
        {"rel": "enclosure", "href": "{file}"},
        {"rel": "describedby", "href": "{schema}"},
    ],
}

MEMBER_SCHEMA: dict[str, Any] = {
    "name": "member",
    "properties": {
        "member_id": {"type": "string", "description": "An identifier for the image member (tenantId)"},
        "image_id": {"type": "string", "description": "An identifier for the image", "pattern": _UUID},
        "created_at": {"type": "string", "description": "Date and time of image member creation"},
        "updated_at": {"type": "string", "description": "Date and time of last modification of image member"},
        "status": {
            "type": "string",
            "description": "The status of this image member",
            "enum": ["pending", "accepted", "rejected"],
        },
        "schema": {"type": "string", "readOnly": True},
    },
}


def collection_schema(name: str, item: dict[str, Any], *, paged: bool) -> dict[str, Any]:
    """The schema of a list answer."""
    properties: dict[str, Any] = {name: {"type": "array", "items": item}, "schema": {"type": "string"}}
    links: list[dict[str, str]] = [{"rel": "describedby", "href": "{schema}"}]
    if paged:
        properties |= {"first": {"type": "string"}, "next": {"type": "string"}}
        links = [{"rel": "first", "href": "{first}"}, {"rel": "next", "href": "{next}"}, *links]
    return {"name": name, "properties": properties, "links": links}


_PYTHON = {"string": str, "integer": int, "boolean": bool, "array": list, "object": dict, "null": type(None)}


def check_attribute(name: str, value: Any) -> None:
    """Raise InvalidImage unless `value` fits the attribute, or is text if `name` is a custom property."""
    _check(name, value, PROPERTIES.get(name, {"type": "string"}))
    if name in ("min_ram", "min_disk") and not 0 <= value <= MAX_INT:
        raise InvalidImage(f"Invalid value for {name}: must be between 0 and {MAX_INT}.")


def _check(name: str, value: Any, schema: dict[str, Any]) -> None:
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    fits = any(isinstance(value, _PYTHON[k]) and not (k == "integer" and isinstance(value, bool)) for k in kinds)
    if not fits:
        raise InvalidImage(
            f"Provided object does not match schema 'image': {name} must be of type {' or '.join(kinds)}."
        )
    if "enum" in schema and value not in schema["enum"]:
        allowed = ", ".join(str(v) for v in schema["enum"] if v is not None)
        raise InvalidImage(f"Provided object does not match schema 'image': {name} must be one of {allowed}.")
    if isinstance(value, str):
        check_text(name, value, schema.get("maxLength", 65535))
        if "pattern" in schema and not re.match(schema["pattern"], value):
            raise InvalidImage(f"Provided object does not match schema 'image': {name} has a wrong format.")
    if isinstance(value, list) and "items" in schema:
        for item in value:
            _check(name, item, schema["items"])


def check_text(name: str, value: str, limit: int = 255) -> None:
    """Raise InvalidImage for text that is too long or cannot be stored."""
    if len(value) > limit:
        raise InvalidImage(f"{name[:64]} is too long: at most {limit} characters.")
    if "\x00" in value or not _is_encodable(value):
        raise InvalidImage(f"{name[:64]!r} has characters that cannot be stored.")


def _is_encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
