"""The image as callers send and see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from synnefo_common.clock import iso


class ImageCreate(BaseModel):
    """Body of a create call: attributes, and custom properties (text) beside them."""

    model_config = ConfigDict(extra="allow", strict=True)

    id: str | None = None
    name: str | None = None
    visibility: str | None = None
    owner: str | None = None
    container_format: str | None = None
    disk_format: str | None = None
    protected: bool | None = None
    os_hidden: bool | None = None
    min_ram: int | None = None
    min_disk: int | None = None
    tags: list[str] | None = None


class ImportMethod(BaseModel):
    """`glance-direct`: what was staged becomes the image."""

    name: str


class ImageImport(BaseModel):
    """Body of an import call."""

    method: ImportMethod


class InternalImageCreate(BaseModel):
    """Body of `POST /internal/v1/images`: an image whose bytes are in the store."""

    project_id: str
    user_id: str
    name: str | None = None
    disk_format: str = "raw"
    container_format: str = "bare"
    visibility: str = "private"
    min_disk: int = 0
    min_ram: int = 0
    properties: dict[str, str] = {}
    root: str
    size: int | None = None


class RootReplace(BaseModel):
    """Body of `POST /internal/v1/roots/replace`: roots in base64."""

    id: str
    old: str
    new: str


def image_view(image: Mapping[str, Any]) -> dict[str, Any]:
    """The image as Glance shows it: custom properties beside the attributes."""
    base = "/v2/images/" + image["id"]
    return {
        **image["properties"],
        "name": image["name"],
        "disk_format": image["disk_format"],
        "container_format": image["container_format"],
        "visibility": image["visibility"],
        "size": image["size"],
        "virtual_size": image["virtual_size"],
        "status": image["status"],
        "checksum": image["checksum"],
        "protected": image["protected"],
        "min_ram": image["min_ram"],
        "min_disk": image["min_disk"],
        "owner": image["owner"],
        "os_hidden": image["os_hidden"],
        "os_hash_algo": image["os_hash_algo"],
        "os_hash_value": image["os_hash_value"],
        "id": image["id"],
        "created_at": iso(image["created_at"]),
        "updated_at": iso(image["updated_at"]),
        "tags": list(image["tags"]),
        "self": base,
        "file": base + "/file",
        "schema": "/v2/schemas/image",
    }
